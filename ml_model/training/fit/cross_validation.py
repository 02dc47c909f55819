"""Grouped cross-validation of one small data set of a task: what draws on it is trained anew for each fold."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml_model.inference.measured import Crossed, Summary
from ml_model.training.data.labels import label_space, target_masks
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.metrics import Scored, called, summarise
from ml_model.training.fit.checkpoints import open_checkpoints
from ml_model.training.fit.image_trainer import phase_stages, train
from ml_model.training.job import Job
from ml_model.training.models.onnx_export import served_outputs
from ml_model.training.models.serving_model import served_model

RESULT = "cross_validation.json"
HELD_OUT = "held out"
BATCH = 16


def fold_numbers(samples: Sequence[Sample], source: str, folds: int, seed: int) -> NDArray[np.int64]:
    """(N,) fold of every sample of `source`, by group and stratified by label; -1 for those of other sources."""
    rows = np.array([i for i, s in enumerate(samples) if s.source == source])
    numbers = np.full(len(samples), -1, np.int64)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    labels, groups = [samples[r].label for r in rows], [samples[r].group for r in rows]
    for fold, (_, held_out) in enumerate(splitter.split(rows, labels, groups)):
        numbers[rows[held_out]] = fold
    return numbers


def with_fold(samples: Sequence[Sample], numbers: NDArray[np.int64], fold: int) -> list[Sample]:
    """The fold is held out; the rest of its data set is trained on, whatever split it had."""
    splits = ["train" if n >= 0 else s.split for n, s in zip(numbers, samples, strict=True)]
    splits = [HELD_OUT if n == fold else split for n, split in zip(numbers, splits, strict=True)]
    return [replace(s, split=split) for s, split in zip(samples, splits, strict=True)]


def cross_validate(job: Job, folds: int) -> Crossed:
    """Figures over all pictures of the recipe's `cross_validated` set, each answered by a model without its group.

    The phases before the first that draws on that set are taken from `job.out_dir`. Writes cross_validation.json
    there. Raises ValueError when the recipe names no set to cross-validate.
    """
    source, recipe = job.recipe.cross_validated, job.recipe
    if source is None:
        raise ValueError(f"{recipe.task}: the recipe names no data set to cross-validate")
    numbers = fold_numbers(job.samples, source, folds, recipe.seed)
    probabilities = np.zeros((len(job.samples), len(job.task.codes)))
    colour = np.zeros_like(probabilities)
    for fold in range(folds):
        samples = with_fold(job.samples, numbers, fold)
        one = replace(job, samples=samples, out_dir=job.out_dir / f"fold{fold}", resume=True)
        _copy_earlier_phases(job, one)
        rows = np.flatnonzero(numbers == fold)
        probabilities[rows] = answers(one, rows)
        colour[rows] = _colour_only(one, rows)
    kept = numbers >= 0
    figures = Crossed(
        source=source,
        folds=folds,
        model=_figures(job, probabilities, kept),
        colour_only=_figures(job, colour, kept),
    )
    (job.out_dir / RESULT).write_text(figures.model_dump_json(indent=1), encoding="utf-8")
    return figures


def _copy_earlier_phases(job: Job, one: Job) -> None:
    """Phases that do not draw on the set serve every fold; `train` has checked that they are the job's own."""
    there = open_checkpoints(one.out_dir, resume=True)
    for phase, stage in zip(job.recipe.phases, phase_stages(one, there), strict=True):
        if not phase.sources or job.recipe.cross_validated in phase.sources:
            return
        stage.bind()
        shutil.copy(job.out_dir / there.name / stage.weights.name, there)


def answers(job: Job, rows: NDArray[np.int64]) -> NDArray[np.floating]:
    """Probabilities (rows, classes) as they are served, of the model trained on the rest."""
    served, flips = served_model(job, train(job)), job.recipe.test_time_flips
    batches = (job.pixels[rows[start : start + BATCH]] for start in range(0, len(rows), BATCH))
    outputs = (served_outputs(served, b, multi_label=job.task.multi_label, flips=flips) for b in batches)
    return np.concatenate([np.asarray(probabilities) for probabilities, _, _ in outputs])


def _colour_only(job: Job, rows: NDArray[np.int64]) -> NDArray[np.floating]:
    """What mean and deviation of the three channels tell by themselves."""
    of_source = {job.samples[r].source for r in rows}
    known = [r for r in job.rows("train") if job.samples[r].source in of_source]
    targets = target_masks([job.samples[r] for r in known], job.task.codes).argmax(axis=1)
    regression = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    regression.fit(_colours(job, known), targets)
    found = np.zeros((len(rows), len(job.task.codes)))
    found[:, regression.classes_] = regression.predict_proba(_colours(job, rows))
    return found


def _colours(job: Job, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float64]:
    pictures = (job.pixels[r].reshape(-1, 3) for r in rows)
    return np.stack([np.concatenate([p.mean(axis=0), p.std(axis=0)]) for p in pictures])


def _figures(job: Job, probabilities: NDArray[np.floating], kept: NDArray[np.bool_]) -> Summary:
    samples = [s for s, k in zip(job.samples, kept, strict=True) if k]
    space = label_space(job.task)
    truth = target_masks(samples, job.task.codes) @ space.projection > 0
    p = probabilities[kept] @ space.projection
    groups = np.array([s.group for s in samples])
    return summarise(Scored(truth, called(p, job.task.multi_label), p, groups), space.names, draws=300)


def cross_validation_result(out_dir: Path) -> Crossed | None:
    """What `cross_validate` wrote there, if it did."""
    path = out_dir / RESULT
    return Crossed.model_validate_json(path.read_bytes()) if path.is_file() else None
