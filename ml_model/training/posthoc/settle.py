"""Everything that a bundle's manifest settles from validation, before the test split is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ml_model.diagnosis.population import AGE_GIVEN, PAGE, view_key
from ml_model.inference.bundle import (
    BalancedDecision,
    FindingThresholds,
    PredictionSets,
    write_bundle,
)
from ml_model.inference.calibration import calibrated
from ml_model.inference.measured import ImageMetrics
from ml_model.inference.ood import OOD_FILE
from ml_model.inference.predictor import MODEL_FILE, Predictor
from ml_model.inference.publishing import draft_of
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.ecg_pages import in_more_looks
from ml_model.training.data.labels import label_space, target_masks
from ml_model.training.data.samples import Sample, ages_years
from ml_model.training.evaluation.answers import Answering, Evaluator
from ml_model.training.job import Job, SignalJob
from ml_model.training.posthoc.age_prior import fit_age_effect
from ml_model.training.posthoc.calibration import fit_calibration
from ml_model.training.posthoc.conformal import COVERAGE, rescaled_weights, set_thresholds
from ml_model.training.posthoc.crossed import Answers, Array, Crossed, crossed_answers, crossed_pages
from ml_model.training.posthoc.findings import enough, finding_thresholds
from ml_model.training.posthoc.ood import fit_ood_detector
from ml_model.training.posthoc.screening import screening_calibration

MOST_FAMILIAR = 1500  # training samples that what is familiar is learnt from
Fields = Callable[..., dict[str, Any]]  # of a manifest, from metrics and what was decided
AnsweringBy = Callable[[Predictor], Answering]
# From a predictor of recordings and samples as pages: those whose signal can be read, with its own probabilities.
PagesBy = Callable[[Predictor, Sequence[Sample]], tuple[Sequence[Sample], Array]]


def decide(
    job: Job | SignalJob,
    fields: Fields,
    answering: AnsweringBy,
    *,
    balanced: BalancedDecision | None = None,
    populations: tuple[str, ...] = (),
    pages: PagesBy | None = None,
) -> dict[str, Any]:
    """Manifest fields for the model in the draft of `job.out_dir`, which also gets its familiarity.npz.

    balanced: the recipe's weights, for the model's own probabilities. pages: how pages of recordings are answered,
    which are then judged apart. Of samples that are pages themselves further looks count for the thresholds.
    """
    task, samples = job.task, job.pick("val")
    given, draft = {"populations": populations}, draft_of(job.out_dir)
    unsettled = fields(ImageMetrics(), evidence="insufficient", **given)
    predictor = Predictor(write_bundle(draft, unsettled, [MODEL_FILE]))
    evaluator = Evaluator(task, answering(predictor), predictor.bundle.manifest)
    seen, masks = evaluator.predict(samples), _possible(task, samples)
    groups = [s.group for s in samples]
    calibration = fit_calibration(seen.uncalibrated, masks, groups, multi_label=task.multi_label)
    known = evaluator.predict(_of_every_source(job.pick("train"), job.recipe.seed)).embedding
    familiarity, limits = fit_ood_detector(known, seen.embedding, job.recipe.seed)
    familiarity.write(draft / OOD_FILE)
    told = calibrated(seen.uncalibrated, calibration)
    aged = fit_age_effect(task.codes, job.pick("train"), samples, told) if task.age_counts else None
    if balanced is not None:
        weights = rescaled_weights(balanced.weights, calibration.slope, calibration.intercept)
        balanced = BalancedDecision(weights=weights, rule=balanced.rule)
    decided = {**given, "calibration": calibration, "age_effect": aged, "familiarity": limits, "balanced": balanced}
    apart = {}
    if pages:
        of_pages = Answers(*pages(predictor, [*samples, *in_more_looks(samples)]))
        apart[PAGE] = crossed_pages(Answers(samples, seen.uncalibrated), masks, calibration.method, of_pages)
    uncalibrated = seen.uncalibrated
    if further := in_more_looks([s for s in samples if s.look]):
        uncalibrated = np.concatenate([uncalibrated, evaluator.predict(further).uncalibrated])
        samples, masks = [*samples, *further], np.concatenate([masks, _possible(task, further)])
    crossed = crossed_answers(task, job.pick("train"), samples, uncalibrated, masks, calibration.method, aged)
    return {**decided, **_settled(job, crossed, apart)}


def _possible(task: ImageTask, samples: Sequence[Sample]) -> Array:
    """(N, classes) 1 for what each label can stand for. What is measured is the label; where it is coarser than the
    classes, its classes are as good as each other."""
    projection = label_space(task).projection
    return (target_masks(samples, task.codes) @ projection @ projection.T > 0).astype(np.float32)


def _of_every_source(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """At most MOST_FAMILIAR, as many of each source as there are, so that a small one counts as familiar too."""
    sources = sorted({s.source for s in samples})
    each = MOST_FAMILIAR // len(sources)
    rng, chosen = np.random.default_rng(seed), []
    for source in sources:
        own = [s for s in samples if s.source == source]
        chosen += [own[i] for i in rng.permutation(len(own))[:each]]
    return chosen


def _settled(job: Job | SignalJob, crossed: Crossed, further: Mapping[str, Answers]) -> dict[str, Any]:
    """Thresholds of findings and prediction sets, from answers that no calibration was fitted to: of all validation
    samples, of what is judged apart among them, and of `further` answers by their key."""
    task = job.task
    everything = crossed.rows(np.ones(len(crossed.samples), bool)), task.min_specificity
    parts = {"": everything, **_judged_apart(task, crossed)}
    parts |= {
        key: (own, task.min_specificity)
        for key, own in further.items()
        if enough(task, own.samples, task.min_specificity)
    }
    settled = {key: _thresholds(task, *part) for key, part in parts.items()}
    findings, sets = settled.pop("")
    return {
        "findings": findings,
        "findings_by_population": {key: own for key, (own, _) in settled.items()},
        "prediction_sets": PredictionSets(
            coverage=COVERAGE, thresholds=sets, by_population={key: own for key, (_, own) in settled.items()}
        ),
        "screening": screening_calibration(task, everything[0].scored(task)),
    }


def _thresholds(
    task: ImageTask, answers: Answers, specificity: float
) -> tuple[dict[str, FindingThresholds], dict[str, float]]:
    """Of findings and of prediction sets. Where more than nine in ten harmless cases shall not be suspected, as
    validation is easier than what comes, as many of each label's cases shall be in their sets."""
    found = finding_thresholds(task, answers.samples, answers.probabilities, specificity)
    return found, set_thresholds(task, answers, found, max(COVERAGE, specificity))


def _judged_apart(task: ImageTask, crossed: Crossed) -> dict[str, tuple[Answers, float]]:
    """By key of `Judgement.judged_as`: the answers, and the specificity aimed at. Populations are those data sets that
    name their ages, where there is more than one, and their views; then, the cases whose age is known. What has too
    few cases for thresholds of its own is left out."""
    named = [d for d in task.datasets if d.ages_years is not None]
    apart = {}
    for dataset in named if len(named) > 1 else ():
        of_set = np.array([task.population_of(s.source) == dataset.name for s in crossed.samples])
        rows_of = {dataset.name: of_set}
        if dataset.views_judged_apart:
            views = np.array([s.attributes.get("view", "") for s in crossed.samples])
            rows_of |= {view_key(dataset.name, v): of_set & (views == v) for v in sorted(set(views[of_set]) - {""})}
        for key, rows in rows_of.items():
            apart[key] = crossed.rows(rows), dataset.min_specificity or task.min_specificity
    if crossed.with_age is not None:
        known = np.isfinite(ages_years(crossed.samples))
        apart[AGE_GIVEN] = replace(crossed, probabilities=crossed.with_age).rows(known), task.min_specificity
    return {key: part for key, part in apart.items() if enough(task, part[0].samples, part[1])}
