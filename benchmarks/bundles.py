"""Size and speed of every shipped model: one picture or recording at a time, and two threads at once.

    python benchmarks/bundles.py [--runs 60]

All models run in turn in one process; quoted are medians. The last column is the time of one answer as a multiple of
the skin model's in the same run. Nothing but the graph is timed: no decoding, no HTTP.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ml_model.inference.bundle import MODELS_DIR, load_bundle
from ml_model.inference.predictor import MODEL_FILE, Predictor
from ml_model.tasks.registry import ImageTask, load_image_tasks

BASELINE = "skin"
THREADS = 2
WARM_UP = 5


def answering(task: ImageTask) -> dict[str, tuple[float, Callable[[], object]]]:
    """By bundle of the task: its size in MB and a call that answers once."""
    rng, found = np.random.default_rng(0), {}
    if (MODELS_DIR / task.id).is_dir():
        bundle = load_bundle(MODELS_DIR / task.id, task=task.id, contract_sha256=task.contract_sha256)
        picture = rng.integers(0, 256, (1, task.input.height_px, task.input.width_px, 3), dtype=np.uint8)
        predictor = Predictor(bundle)
        found[task.id] = (size_mb(bundle.file(MODEL_FILE).stat().st_size), lambda: predictor.predict(picture))
    name = f"{task.id}-signal"
    if task.signal and (MODELS_DIR / name).is_dir():
        recorded = load_bundle(MODELS_DIR / name, task=name, contract_sha256=task.signal_contract_sha256)
        signal = rng.normal(0, 0.3, (1, task.signal.samples, task.signal.leads)).astype(np.float32)
        reader = Predictor(recorded)
        found[name] = (size_mb(recorded.file(MODEL_FILE).stat().st_size), lambda: reader.predict_signals(signal))
    return found


def size_mb(size_bytes: int) -> float:
    """Megabytes of a million bytes."""
    return size_bytes / 1e6


def seconds(answer: Callable[[], object]) -> float:
    """Time of one answer."""
    began = time.perf_counter()
    answer()
    return time.perf_counter() - began


def per_second(answer: Callable[[], object], runs: int) -> float:
    """Answers in a second by two threads."""
    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _: answer(), range(runs)))
    return runs / (time.perf_counter() - began)


def main() -> int:
    """Print one row per bundle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=60)
    runs = parser.parse_args().runs
    models = {name: model for task in load_image_tasks() for name, model in answering(task).items()}
    rounds = [{name: seconds(answer) for name, (_, answer) in models.items()} for _ in range(runs + WARM_UP)][WARM_UP:]
    median = {name: statistics.median(r[name] for r in rounds) for name in models}
    print(f"{'model':<16}{'MB':>7}{'ms':>8}{'/s, two threads':>18}{f'x {BASELINE}':>10}")
    for name, (size, answer) in models.items():
        ratio = statistics.median(r[name] / r[BASELINE] for r in rounds)
        print(f"{name:<16}{size:>7.1f}{1000 * median[name]:>8.1f}{per_second(answer, runs):>18.1f}{ratio:>10.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
