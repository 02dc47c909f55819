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
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

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
DRAWS = 7  # of each picture
PHOTOGRAPHS, ALTERED = "photographs of one lesion", "the picture altered"
SEVERAL_OF_ONE = {"HAM10000": "lesion"}  # sets with several pictures of one thing, by their groups


def taken_again(pixels: Pixels, rng: Generator, *, draw: int) -> Pixels:
    """Turned by up to 5 degrees, lightened or darkened by a gamma of 0.9 to 1.1, without up to 4 % at a side each way,
    saved as a JPEG of quality 75: all of it at once. draw: which one, from 0."""
    turn, gamma, across, down = rng.uniform(-1, 1, (draw + 1, 4))[draw]
    height, width = pixels.shape[:2]
    x, y = round(0.04 * across * width), round(0.04 * down * height)
    turned = np.clip(rotated(pixels, 5 * turn), 0, 255)
    moved = turned[max(0, y) : height + min(0, y), max(0, x) : width + min(0, x)]
    levels = np.rint(255 * (moved / 255.0) ** (1 + 0.1 * gamma)).astype(np.uint8)
    data = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(levels)).save(data, "JPEG", quality=75)
    return np.asarray(Image.open(data), np.uint8)


def measured(task: ImageTask, pictures: Sequence[Picture], engines: Engines) -> dict[str, Noise]:
    """By code of the finding. pictures: with several of one group where the set has them."""
    answers_of = {p.sample.path: p.answer for p in pictures}
    of_one = [(answers_of[a.path], answers_of[b.path]) for a, b in pairs_of_groups([p.sample for p in pictures])]
    again = [answers_to(task, pictures, [partial(taken_again, draw=draw)], engines) for draw in range(DRAWS)]
    made = [(p.answer, answers[n]) for answers in again for n, p in enumerate(pictures)]
    kind, pairs = (PHOTOGRAPHS, of_one) if len(of_one) >= LEAST_PAIRS else (ALTERED, made)
    found = {}
    for number, rule in enumerate(task.findings):
        changes = [
            abs(change_of(a.decision.findings[number].probability, b.decision.findings[number].probability))
            for a, b in pairs
        ]
        found[rule.code] = Noise(float(np.quantile(changes, SHARE, method="higher")), len(changes), kind)
    return found


def pairs_of_groups(samples: Sequence[Sample]) -> list[tuple[Sample, Sample]]:
    """The first picture of one thing with each other of it, where a set has several of one."""
    groups = defaultdict[str, list[Sample]](list)
    for sample in samples:
        if sample.source in SEVERAL_OF_ONE:
            groups[sample.group].append(sample)
    return [(several[0], other) for several in groups.values() for other in several[1:]]


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
