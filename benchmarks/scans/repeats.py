"""How much region of interest and activation map change when nothing but the picture was taken anew.

    python benchmarks/scans/repeats.py ml_model/Dataset [--limit 40] [--task TASK]

Validation pictures against themselves taken again, of HAM10000 against other photographs of the same lesion, as
`/patients/<ref>/timeline` compares two studies, where they lie on each other; and how many pictures of other people
would be laid on each other, too. Writes `backend/services/longitudinal/repeats.json`.
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
from ml_model.training.posthoc.repeatability import (
    ALTERED,
    LEAST_PAIRS,
    PHOTOGRAPHS,
    SHARE,
    pairs_of_groups,
    taken_again,
)

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
    several = pairs_of_groups(samples)
    chosen = [samples[n] for n in np.random.default_rng(0).permutation(len(samples))[:limit]]
    real = len(several) >= limit
    ratios, maps, alike, of_others, pairs, last = list[float](), list[float](), 0, 0, 0, None
    for number, (sample, second) in enumerate(several if real else [(one, one) for one in chosen]):
        pixels, again = (
            np.asarray(decode_image(picture_bytes(one), task.input, full_size=True).rgb) for one in (sample, second)
        )
        if not real:
            again = taken_again(pixels, np.random.default_rng(number), draw=0)
        one, other = seen(task, pixels, engines), seen(task, again, engines)
        if one is None or other is None:
            continue
        pairs += 1
        laid = laid_on_each_other(one, other)
        alike += laid.reason is None
        if laid.region is not None:
            ratios.append(abs(float(np.log(laid.region.ratio))))
        if laid.map_correlation is not None:
            maps.append(laid.map_correlation)
        if last is not None and last[1] != sample.group:
            of_others += laid_on_each_other(last[0], one).reason is None
        last = one, sample.group
    enough = len(ratios) >= LEAST_PAIRS, len(maps) >= LEAST_PAIRS
    return {
        "model_sha256": bundle.sha256, "kind": PHOTOGRAPHS if real else ALTERED, "pairs": pairs,
        "registered": alike, "others_registered": of_others,
        "ratio": float(np.exp(np.quantile(ratios, SHARE, method="higher"))) if enough[0] else None,
        "map_correlation": float(np.quantile(maps, 1 - SHARE, method="lower")) if enough[1] else None,
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
