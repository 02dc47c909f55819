"""Everything that a bundle's manifest settles from validation, before the test split is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ml_model.inference.bundle import BalancedDecision, Calibration, Manifest, OperatingPoint, write_bundle
from ml_model.inference.calibration import calibrated
from ml_model.inference.measured import ImageMetrics
from ml_model.inference.ood import OOD_FILE
from ml_model.inference.predictor import MODEL_FILE, Prediction, Predictor
from ml_model.inference.publishing import draft_of
from ml_model.training.data.labels import fully_labelled, label_space, target_masks
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.evaluator import Answering, Evaluator
from ml_model.training.job import Job, SignalJob
from ml_model.training.posthoc.age_prior import fit_age_effect
from ml_model.training.posthoc.alerts import alert_points
from ml_model.training.posthoc.calibration import fit_calibration
from ml_model.training.posthoc.conformal import prediction_sets, rescaled_weights
from ml_model.training.posthoc.ood import fit_ood_detector
from ml_model.training.posthoc.operating_points import (
    choose_operating_point,
    population_operating_points,
    screening_calibration,
)

MOST_FAMILIAR = 1500  # training samples that what is familiar is learnt from
Fields = Callable[..., dict[str, Any]]  # of a manifest, from metrics and what was decided
AnsweringBy = Callable[[Predictor], Answering]


def decide(
    job: Job | SignalJob,
    fields: Fields,
    answering: AnsweringBy,
    *,
    balanced: BalancedDecision | None = None,
    populations: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Manifest fields for the model in the draft of `job.out_dir`, which also gets its familiarity.npz.

    balanced: the recipe's decision rule, on the model's own probabilities.
    """
    task, samples = job.task, job.pick("val")
    given, draft = {"populations": populations}, draft_of(job.out_dir)
    unsettled = fields(ImageMetrics(), evidence="insufficient", **given)
    predictor = Predictor(write_bundle(draft, unsettled, [MODEL_FILE]))
    evaluator = Evaluator(task, answering(predictor), predictor.bundle.manifest)
    seen = evaluator.predict(samples)
    projection = label_space(task).projection
    # What is measured is the label; where it is coarser than the classes, its classes are as good as each other.
    masks = (target_masks(samples, task.codes) @ projection @ projection.T > 0).astype(np.float32)
    groups = [s.group for s in samples]
    calibration = fit_calibration(seen.uncalibrated, masks, groups, multi_label=task.multi_label)
    known = evaluator.predict(_of_every_source(job.pick("train"), job.recipe.seed)).embedding
    familiarity, limits = fit_ood_detector(known, seen.embedding, job.recipe.seed)
    familiarity.write(draft / OOD_FILE)
    told = replace(seen, probabilities=calibrated(seen.uncalibrated, calibration))
    aged = fit_age_effect(task.codes, job.pick("train"), samples, told.probabilities) if task.age_counts else None
    decided = {**given, "calibration": calibration, "age_effect": aged, "familiarity": limits}
    return {**decided, **_on_calibrated(job, fields, told, calibration, balanced, decided)}


def _of_every_source(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """At most MOST_FAMILIAR, as many of each source as there are, so that a small one counts as familiar too."""
    sources = sorted({s.source for s in samples})
    each = MOST_FAMILIAR // len(sources)
    rng, chosen = np.random.default_rng(seed), []
    for source in sources:
        own = [s for s in samples if s.source == source]
        chosen += [own[i] for i in rng.permutation(len(own))[:each]]
    return chosen


def _on_calibrated(
    job: Job | SignalJob,
    fields: Fields,
    told: Prediction,
    calibration: Calibration,
    balanced: BalancedDecision | None,
    decided: dict[str, Any],
) -> dict[str, Any]:
    task, samples = job.task, job.pick("val")
    manifest = Manifest(**fields(ImageMetrics(), evidence="insufficient", **decided), files={})
    validation = Evaluator(task, lambda sample, change: told, manifest).score(samples, told)
    if balanced is not None:
        weights = rescaled_weights(balanced.weights, calibration.slope, calibration.intercept)
        balanced = BalancedDecision(weights=weights, rule=balanced.rule)
    whole = fully_labelled(task, samples)
    settled = [sample for sample, kept in zip(samples, whole, strict=True) if kept]
    point: OperatingPoint | BalancedDecision | None = choose_operating_point(task, validation) or balanced
    points, sources = population_operating_points(task, samples, validation), [d.name for d in task.datasets]
    return {
        "operating_point": point,
        "operating_points": points,
        "screening": screening_calibration(task, validation),
        "prediction_sets": prediction_sets(task, settled, validation.rows(whole), [n for n in sources if n in points]),
        "alerts": alert_points(task, samples, told.probabilities),
    }
