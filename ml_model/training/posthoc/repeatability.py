"""How much the score of a finding changes when nothing but the picture was taken anew.

    python -m ml_model.training.posthoc.repeatability --data ml_model/Dataset [--limit 80] [--task TASK]

Of validation pictures, as they are answered by the service: the picture against itself sent again in other ways, and of
HAM10000 also against another photograph of the same lesion. Writes `ml_model/tasks/repeatability.json`.
"""

from __future__ import annotations

import io
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from ml_model.diagnosis.case import CaseResult
from ml_model.diagnosis.pipeline import Engines
from ml_model.inference.bundle import MODELS_DIR, load_bundle
from ml_model.inference.predictor import Predictor
from ml_model.input_gate.modality_classifier import BUNDLE_ID, modality_spec
from ml_model.tasks.registry import ImageTask, load_image_tasks
from ml_model.tasks.repeatability import FILE, Noise, change_of
from ml_model.training.augmentation.image_corruptions import rotated
from ml_model.training.commands.command_line import command_parser
from ml_model.training.data.readers import read_task
from ml_model.training.data.samples import Sample
from ml_model.training.input_gate.altered_pictures import Picture, answers_to, read_pictures

Pixels = NDArray[np.uint8]
SHARE = 0.95
LEAST_PAIRS = 20
SEVERAL_OF_ONE = {"HAM10000": "lesion"}  # sets with several pictures of one thing, by their groups


def _turned(pixels: Pixels, _rng: Generator, *, degrees: float) -> Pixels:
    return np.asarray(np.clip(rotated(pixels, degrees), 0, 255), np.uint8)


def _levels(pixels: Pixels, _rng: Generator, *, gamma: float) -> Pixels:
    return np.asarray(np.rint(255 * (pixels / 255.0) ** gamma), np.uint8)


def _moved(pixels: Pixels, _rng: Generator, *, across: float, down: float) -> Pixels:
    """Without a margin at two sides, of that share."""
    height, width = pixels.shape[:2]
    x, y = round(across * width), round(down * height)
    return pixels[max(0, y) : height + min(0, y), max(0, x) : width + min(0, x)]


def _saved(pixels: Pixels, _rng: Generator, *, quality: int) -> Pixels:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=quality)
    return np.asarray(Image.open(data), np.uint8)


TAKEN_AGAIN = (
    partial(_saved, quality=75), partial(_turned, degrees=5), partial(_turned, degrees=-5),
    partial(_levels, gamma=0.9), partial(_levels, gamma=1.1),
    partial(_moved, across=0.04, down=0.04), partial(_moved, across=-0.04, down=-0.04),
)  # fmt: skip


def measured(task: ImageTask, pictures: Sequence[Picture], engines: Engines) -> dict[str, Noise]:
    """By code of the finding. pictures: with several of one group where the set has them."""
    of_one = list(_pairs_of_groups(pictures))
    again = [answers_to(task, pictures, [change], engines) for change in TAKEN_AGAIN]
    made = [(p.answer, answers[n]) for answers in again for n, p in enumerate(pictures)]
    kind, pairs = ("photographs of one lesion", of_one) if len(of_one) >= LEAST_PAIRS else ("the picture altered", made)
    found = {}
    for number, rule in enumerate(task.findings):
        changes = [
            abs(change_of(a.decision.findings[number].probability, b.decision.findings[number].probability))
            for a, b in pairs
        ]
        found[rule.code] = Noise(float(np.quantile(changes, SHARE, method="higher")), len(changes), kind)
    return found


def _pairs_of_groups(pictures: Sequence[Picture]) -> Iterator[tuple[CaseResult, CaseResult]]:
    groups = defaultdict[str, list[Picture]](list)
    for picture in pictures:
        if picture.sample.source in SEVERAL_OF_ONE:
            groups[picture.sample.group].append(picture)
    for several in groups.values():
        for other in several[1:]:
            yield several[0].answer, other.answer


def _chosen(samples: Sequence[Sample], limit: int) -> list[Sample]:
    """Groups with several pictures first where they are of one thing, then any, the same ones each time."""
    order = np.random.default_rng(0).permutation(len(samples)).tolist()
    size = Counter(sample.group for sample in samples if sample.source in SEVERAL_OF_ONE)
    several = [n for n in order if size[samples[n].group] > 1]
    several.sort(key=lambda n: samples[n].group)
    return [samples[n] for n in [*several, *(n for n in order if size[samples[n].group] <= 1)][:limit]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every task of pictures that are no pages."""
    parser = command_parser(__doc__ or "", "--data", "--models", "--limit")
    parser.add_argument("--task", action="append", help="only this one; may be given again")
    options = parser.parse_args(arguments)
    models: Path = options.models or MODELS_DIR
    tasks = tuple(load_image_tasks())
    gate = Predictor(load_bundle(models / BUNDLE_ID, task=BUNDLE_ID, contract_sha256=modality_spec().contract_sha256))
    told = json.loads(FILE.read_text(encoding="utf-8")) if options.task else {}
    for task in tasks:
        if task.signal or (options.task and task.id not in options.task):
            continue
        bundle = load_bundle(models / task.id, task=task.id, contract_sha256=task.contract_sha256)
        engines = Engines(pictures=Predictor(bundle), gate=gate, tasks=tasks)
        samples = [s for s in read_task(options.data, task) if s.split == "val"]
        found = measured(task, read_pictures(task, _chosen(samples, options.limit or 80), engines), engines)
        told[task.id] = {
            "model_sha256": bundle.sha256,
            "findings": {code: vars(noise) for code, noise in found.items()},
        }
        print(task.id, {code: (round(n.limit, 3), n.pairs, n.kind) for code, n in found.items()}, flush=True)
    FILE.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
