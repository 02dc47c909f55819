"""How many pictures of other kinds the models' own measure of familiarity refuses, the gate before it left out.

    python -m ml_model.training.commands.ood_evaluation --data ml_model/Dataset [--models ml_model/models]

Needs every task's data set and the photographs of the input gate. Writes the shares into manifests and cards.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ml_model.diagnosis.case import Case
from ml_model.diagnosis.pipeline import Engines, diagnose
from ml_model.errors import PoorQuality
from ml_model.inference.bundle import MANIFEST, MODELS_DIR, load_bundle
from ml_model.inference.measured import Refused
from ml_model.inference.predictor import Predictor
from ml_model.input_gate.modality_classifier import OTHER
from ml_model.tasks.registry import ImageTask, load_image_tasks
from ml_model.training.commands.command_line import command_parser
from ml_model.training.data.decoded_cache import picture_bytes
from ml_model.training.data.samples import Sample
from ml_model.training.recipe import Recipe
from ml_model.training.startup import start_keras

MOST_OF_A_KIND = 60


def some_of_each_kind(samples: Sequence[Sample], most: int = MOST_OF_A_KIND) -> dict[str, list[Sample]]:
    """By kind of picture, and by sort where it is none that is read here, at most so many of the test pictures."""
    found: dict[str, list[Sample]] = {}
    for sample in (s for s in samples if s.split == "test"):
        found.setdefault(sample.source if sample.label == OTHER else sample.label, []).append(sample)
    rng = np.random.default_rng(0)
    return {kind: [own[i] for i in rng.permutation(len(own))[:most]] for kind, own in sorted(found.items())}


def refused_by_distance(task: ImageTask, predictor: Predictor, kinds: dict[str, list[Sample]]) -> dict[str, Refused]:
    """By kind other than the task's own: how many pictures, and the share that lies beyond the bundle's limit."""
    limits, engines = predictor.bundle.manifest.familiarity, Engines(pictures=predictor)
    if limits is None:
        return {}
    found = {}
    for kind, samples in kinds.items():
        if kind == task.input.modality:
            continue
        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(lambda sample: _distance(task, sample, engines), samples))
        distances = [distance for distance in told if distance is not None]
        if distances:
            refused = sum(distance >= limits.refuse_from for distance in distances) / len(distances)
            found[kind] = Refused(count=len(distances), refused=round(refused, 4))
    return found


def _distance(task: ImageTask, sample: Sample, engines: Engines) -> float | None:
    """None for a picture that is too small to be looked at."""
    try:
        return diagnose(task, Case(pictures=(picture_bytes(sample),), gate="off"), engines).input_check.distance
    except PoorQuality:
        return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every bundle of pictures below `--models`."""
    options = command_parser(__doc__ or "", "--data", "--models").parse_args(arguments)
    start_keras()
    from ml_model.training.input_gate.data import gate_samples
    from ml_model.training.job import Job
    from ml_model.training.pipeline import add_metrics

    models = options.models or MODELS_DIR
    with tempfile.TemporaryDirectory() as folder:
        kinds = some_of_each_kind(gate_samples(options.data, Path(folder)))
        for task in load_image_tasks():
            path = models / task.id
            if not (path / MANIFEST).is_file():
                continue
            predictor = Predictor(load_bundle(path, task=task.id, contract_sha256=task.contract_sha256))
            refused = refused_by_distance(task, predictor, kinds)
            nothing = np.zeros((0, task.input.height_px, task.input.width_px, 3), np.uint8)
            job = Job(task=task, recipe=Recipe(task.id, ()), samples=(), pixels=nothing, out_dir=path)
            add_metrics(job, strangers=refused)
            print(task.id, {kind: row.refused for kind, row in refused.items()}, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
