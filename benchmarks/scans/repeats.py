"""How much region of interest and activation map change when nothing but the picture was taken anew.

    python benchmarks/scans/repeats.py ml_model/Dataset [--limit 40] [--task TASK]

Validation pictures against themselves sent again in other ways, as `/patients/<ref>/timeline` compares two studies,
where they lie on each other. Writes `backend/services/longitudinal/repeats.json`.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.services.longitudinal.comparison import Seen, laid_on_each_other
from backend.services.longitudinal.repeats import FILE
from backend.services.rendering.heatmaps import explaining_view, heatmap_of
from ml_model.diagnosis.case import Case
from ml_model.diagnosis.pipeline import Engines, diagnose
from ml_model.inference.bundle import MODELS_DIR, Bundle, load_bundle
from ml_model.inference.predictor import Predictor
from ml_model.inputs.images.decoder import decode_image
from ml_model.tasks.registry import ImageTask, load_image_tasks
from ml_model.training.data.decoded_cache import picture_bytes
from ml_model.training.data.readers import read_task
from ml_model.training.posthoc.repeatability import SHARE, TAKEN_AGAIN

SHOWN_PX = 512  # of the longer side, as the timeline looks at pictures


def seen(task: ImageTask, pixels: NDArray[np.uint8], engines: Engines) -> Seen | None:
    """A picture and its map; None without one."""
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG", compress_level=1)
    result = diagnose(task, Case(pictures=(data.getvalue(),), gate="off"), engines)
    class_id = result.decision.diagnosis.class_id
    view = explaining_view(result, class_id)
    shown = Image.fromarray(pixels)
    shown.thumbnail((SHOWN_PX, SHOWN_PX))
    return None if view is None else Seen(np.asarray(shown), heatmap_of(view, class_id, ""), None)


def measured(task: ImageTask, bundle: Bundle, data: Path, limit: int) -> dict[str, object]:
    """The limits of one task."""
    engines = Engines(pictures=Predictor(bundle))
    samples = [s for s in read_task(data, task) if s.split == "val"]
    chosen = np.random.default_rng(0).permutation(len(samples))[:limit]
    ratios, maps, pairs = list[float](), list[float](), 0
    for number, index in enumerate(chosen):
        pixels = np.asarray(decode_image(picture_bytes(samples[index]), task.input, full_size=True).rgb)
        change = TAKEN_AGAIN[number % len(TAKEN_AGAIN)]
        again = np.ascontiguousarray(change(pixels, np.random.default_rng(number)))
        one, other = seen(task, pixels, engines), seen(task, again, engines)
        if one is None or other is None:
            continue
        pairs += 1
        laid, region, correlation = laid_on_each_other(one, other)
        if laid.reason is None and region is not None:
            ratios.append(abs(float(np.log(region.ratio))))
        if correlation is not None:
            maps.append(correlation)
    return {
        "model_sha256": bundle.sha256, "pairs": pairs, "registered": len(ratios),
        "ratio": float(np.exp(np.quantile(ratios, SHARE, method="higher"))) if len(ratios) >= 20 else None,
        "map_correlation": float(np.quantile(maps, 1 - SHARE, method="lower")) if len(maps) >= 20 else None,
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every task of pictures that are no pages, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--limit", type=int, default=40)
    parser.add_argument("--task", action="append")
    args = parser.parse_args(arguments)
    told = json.loads(FILE.read_text(encoding="utf-8")) if args.task else {}
    for task in load_image_tasks():
        if task.signal or (args.task and task.id not in args.task):
            continue
        bundle = load_bundle(MODELS_DIR / task.id, task=task.id, contract_sha256=task.contract_sha256)
        told[task.id] = measured(task, bundle, args.data, args.limit)
        print(task.id, told[task.id], flush=True)
    FILE.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
