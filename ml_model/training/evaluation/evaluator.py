"""One pass over a split with the served decoder and the served runtime, and every figure from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_model.diagnosis.case import Case
from ml_model.diagnosis.decision import Decision, decide, interpret
from ml_model.diagnosis.pipeline import Engines, diagnose
from ml_model.diagnosis.population import KnownFacts, view_key
from ml_model.inference.bundle import AgeEffect, Manifest, OperatingPoint
from ml_model.inference.calibration import with_age
from ml_model.inference.measured import AgeGiven, Brief, ImageTest, Known, Part, Robustness, Subgroup, Summary
from ml_model.inference.predictor import Prediction, Predictor
from ml_model.tasks.registry import ImageTask
from ml_model.training.augmentation.image_corruptions import PICTURE_CHANGES, Change, changed_bytes
from ml_model.training.data.decoded_cache import picture_bytes
from ml_model.training.data.labels import fully_labelled, label_space, target_masks
from ml_model.training.data.samples import Sample, ages_years
from ml_model.training.evaluation.metrics import (
    Scored,
    accuracy,
    accuracy_interval,
    balanced_accuracy,
    bootstrap,
    called,
    class_auc,
    macro_auc,
    sensitivity_interval,
    specificity_interval,
    summarise,
)
from ml_model.training.evaluation.source_leakage import source_told_by_embedding
from ml_model.training.evaluation.uncertainty_metrics import alert_figures, calibration_of, trust_figures

AGE_BANDS = (18, 40, 60, 80)
SUBGROUP_DRAWS = 200
MERGED = ("probabilities", "embedding", "population", "uncalibrated", "distance")
MOST_VALUES = 16  # an attribute with more distinct values is an identifier, not a subgroup


Facts = Callable[[ImageTask, Sample], KnownFacts]
# One sample, after a change of what is sent of it (None: as stored), to the answer; its arrays have one row.
Answering = Callable[[Sample, Any], Prediction]


def nothing_known(task: ImageTask, sample: Sample) -> KnownFacts:
    """A request with a picture and nothing else."""
    return KnownFacts()


def age_known(task: ImageTask, sample: Sample) -> KnownFacts:
    """A request that also says an age of the sample's population."""
    ages = next(d.ages_years for d in task.datasets if d.name == sample.source)
    return KnownFacts(age_years=ages[0] if ages else None)


def age_and_view_known(task: ImageTask, sample: Sample) -> KnownFacts:
    """A request that says age and projection."""
    return replace(age_known(task, sample), view=sample.attributes.get("view"))


def answering_pictures(task: ImageTask, predictor: Predictor) -> Answering:
    """As the service answers a picture."""
    engines = Engines(pictures=predictor)

    def answer(sample: Sample, change: Change | None) -> Prediction:
        data = picture_bytes(sample)
        case = Case(pictures=(changed_bytes(data, change, task.input) if change else data,), gate="off")
        return diagnose(task, case, engines).outputs

    return answer


@dataclass(frozen=True)
class Evaluator:
    """How samples are answered, and the manifest that holds the rule by which a class is named.

    `changes`: by kind and name, what users and bad devices do to a sample before it is answered.
    """

    task: ImageTask
    answering: Answering
    manifest: Manifest
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: PICTURE_CHANGES)

    def predict(self, samples: Sequence[Sample], change: Any = None) -> Prediction:
        """What a client sending these samples would be answered from; activation maps are left out."""
        with ThreadPoolExecutor(2) as pool:
            each = list(pool.map(lambda sample: self.answering(sample, change), samples))
        merged = {name: np.concatenate([getattr(p, name) for p in each]) for name in MERGED}
        return Prediction(activation_maps=np.zeros((len(each), 0, 0, 0), np.float32), **merged)

    def score(
        self,
        samples: Sequence[Sample],
        prediction: Prediction,
        *,
        source: str | None = None,
        facts: Facts = nothing_known,
    ) -> Scored:
        """Truth and answers in the labels that the data sets, or the one called `source`, can measure.

        The code that names the class in an answer names it here; `facts` tells what a request says of a sample.
        """
        space = label_space(self.task, source)
        truth = target_masks(samples, self.task.codes) @ space.projection > 0
        probabilities = prediction.probabilities.astype(np.float64) @ space.projection
        if self.task.multi_label:
            predicted = called(probabilities, multi_label=True)
        else:
            decisions = self.decisions(samples, prediction, facts)
            predicted = space.projection[[decision.diagnosis.class_id for decision in decisions]] > 0
        return Scored(truth, predicted, probabilities, np.array([s.group for s in samples]))

    def decisions(
        self, samples: Sequence[Sample], prediction: Prediction, facts: Facts = nothing_known
    ) -> list[Decision]:
        """What the pipeline decides of each sample, a row of `prediction` each."""
        return [
            decide(self.task, self.manifest, prediction.rows(np.array([row])), facts(self.task, sample))
            for row, sample in enumerate(samples)
        ]

    def populations_told(self, samples: Sequence[Sample], prediction: Prediction) -> dict[str, dict[str, float]]:
        """By source: the share of its pictures judged for each population, from the picture alone."""
        judged = (decision.judgement for decision in self.decisions(samples, prediction))
        told = [judgement.population if judgement else None for judgement in judged]
        shares: dict[str, dict[str, float]] = {}
        for source in sorted({s.source for s in samples}):
            own = [t for t, s in zip(told, samples, strict=True) if s.source == source]
            counted = {name or "not told": own.count(name) for name in (*self.manifest.populations, None)}
            shares[source] = {name: round(count / len(own), 4) for name, count in counted.items()}
        return shares


def _band(attribute: str, value: str) -> str:
    """Ages become bands; an empty value is said to be unknown."""
    if value in ("", "nan", "unknown"):
        return "unknown"
    if attribute == "age":
        age = float(value)
        edges = (0, *AGE_BANDS)
        index = sum(age >= edge for edge in AGE_BANDS)
        return f"{edges[index]} and over" if index == len(AGE_BANDS) else f"{edges[index]} to {AGE_BANDS[index] - 1}"
    return value


def subgroup_rows(samples: Sequence[Sample]) -> dict[Part, NDArray[np.int64]]:
    """Row numbers of every source and of every value of every attribute within its source."""
    rows: dict[Part, list[int]] = {}
    values: dict[tuple[str, str], set[Part]] = {}
    for index, sample in enumerate(samples):
        rows.setdefault(Part(population=sample.source), []).append(index)
        for attribute, value in sample.attributes.items():
            part = _part(sample.source, attribute, _band(attribute, value))
            values.setdefault((sample.source, attribute), set()).add(part)
            rows.setdefault(part, []).append(index)
    kept = {Part(population=sample.source) for sample in samples}
    kept = kept.union(*(seen for seen in values.values() if 1 < len(seen) <= MOST_VALUES))
    return {part: np.array(rows[part]) for part in sorted(kept, key=lambda part: part.title)}


def _part(source: str, attribute: str, band: str) -> Part:
    if attribute == "view":
        return Part(population=source, view=band)
    return Part(population=source, attribute=attribute, value=band)


def brief(s: Scored, positive: int | None) -> Brief:
    """The few figures of a subgroup."""
    figures = {"accuracy": accuracy_interval(s)}
    if (~s.truth.all(axis=0) & s.truth.any(axis=0)).any():
        figures["balanced_accuracy"] = bootstrap(s, balanced_accuracy, draws=SUBGROUP_DRAWS)
        figures["macro_auc"] = bootstrap(s, macro_auc, draws=SUBGROUP_DRAWS)
    if positive is not None and s.truth[:, positive].any() and not s.truth[:, positive].all():
        figures["auc"] = bootstrap(s, lambda r: class_auc(r, positive), draws=SUBGROUP_DRAWS)
        figures["sensitivity"] = sensitivity_interval(s, positive)
        figures["specificity"] = specificity_interval(s, positive)
    return Brief(count=len(s.truth), **figures)


def _subgroup(part: Part, s: Scored, positive: int | None, known: Known = "nothing") -> Subgroup:
    """`brief` of a part; `known`: what the requests said."""
    return Subgroup(**{**dict(part), **dict(brief(s, positive)), "known": known})


def derived_categories(task: ImageTask, samples: Sequence[Sample], prediction: Prediction) -> Summary:
    """Figures against the classes that the category rule derived from the pixels: all classes, not the labels."""
    truth = target_masks(samples, task.codes) > 0
    named = [interpret(task, p, None).class_id for p in prediction.probabilities]
    predicted = np.eye(len(task.codes), dtype=bool)[named]
    groups = np.array([s.group for s in samples])
    return summarise(Scored(truth, predicted, prediction.probabilities, groups), task.codes, draws=SUBGROUP_DRAWS)


def case_figures(
    evaluator: Evaluator, samples: Sequence[Sample], prediction: Prediction, positive: int | None
) -> Brief:
    """Figures by breast: the views that one request may hold, those of a side of a patient, are averaged."""
    keys = [f"{s.group}/{s.attributes.get('side', '')}" for s in samples]
    rows = [[i for i, key in enumerate(keys) if key == case] for case in sorted(set(keys))]
    merged = replace(
        prediction, probabilities=np.stack([prediction.probabilities[r].mean(axis=0) for r in rows]),
        population=prediction.population[[r[0] for r in rows]],
    )  # fmt: skip
    firsts = [samples[r[0]] for r in rows]
    return brief(evaluator.score(firsts, merged), positive)


def _with_facts(
    evaluator: Evaluator,
    samples: Sequence[Sample],
    prediction: Prediction,
    groups: Mapping[Part, NDArray[np.int64]],
    positive: int | None,
) -> list[Subgroup]:
    """The populations again when their age is said, and their views when that is said too."""
    points = evaluator.manifest.operating_points
    by_age, by_both = (evaluator.score(samples, prediction, facts=f) for f in (age_known, age_and_view_known))
    figures = []
    for part, rows in groups.items():
        if part.attribute is None and part.view is None and part.population in points:
            figures.append(_subgroup(part, by_age.rows(rows), positive, "age"))
        elif part.view is not None and view_key(part.population, part.view) in points:
            figures.append(_subgroup(part, by_both.rows(rows), positive, "age_and_view"))
    return figures


def _age_given(
    evaluator: Evaluator,
    samples: Sequence[Sample],
    prediction: Prediction,
    effect: AgeEffect,
    positive: int | None,
) -> AgeGiven:
    """The figures when a request says the age as well, as a DICOM file does; of the samples whose age is known."""
    ages = ages_years(samples)
    known = np.flatnonzero(np.isfinite(ages))
    own, told = [samples[int(i)] for i in known], prediction.rows(known)
    told = replace(told, probabilities=with_age(told.probabilities, ages[known], effect))
    scored = evaluator.score(own, told)
    return AgeGiven(
        **dict(brief(scored, positive)),
        **dict(calibration_of(scored)),
        alerts=alert_figures(evaluator.task, evaluator.manifest, own, told) if evaluator.manifest.alerts else None,
        by_case=case_figures(evaluator, own, told, positive) if evaluator.task.input.max_pictures > 1 else None,
    )


def evaluate(evaluator: Evaluator, samples: Sequence[Sample]) -> ImageTest:
    """Figures on `samples`: pooled, by source and attribute, with the files re-encoded and with them corrupted."""
    task, space = evaluator.task, label_space(evaluator.task)
    prediction = evaluator.predict(samples)
    scored, whole = evaluator.score(samples, prediction), fully_labelled(evaluator.task, samples)
    point = evaluator.manifest.operating_point
    positive = space.names.index(point.positive) if isinstance(point, OperatingPoint) else None
    measured = [sample for sample, kept in zip(samples, whole, strict=True) if kept]
    figures: dict[str, Any] = {"labels": space.names, **dict(summarise(scored.rows(whole), space.names))}
    decisions = evaluator.decisions(measured, prediction.rows(whole))
    figures |= trust_figures(task, evaluator.manifest, measured, prediction.rows(whole), scored.rows(whole), decisions)
    groups = subgroup_rows(samples)
    parts = []
    for part, rows in groups.items():
        if whole[rows].all():
            parts.append(_subgroup(part, scored.rows(rows), positive))
        else:  # a source whose labels are coarser is measured in its own
            own = evaluator.score(samples, prediction, source=part.population)
            parts.append(_subgroup(part, own.rows(rows), None))
    if evaluator.manifest.operating_points:
        parts += _with_facts(evaluator, samples, prediction, groups, positive)
        figures["populations_told"] = evaluator.populations_told(samples, prediction)
    figures["by_group"] = {part.title: part for part in parts}
    if effect := evaluator.manifest.age_effect:
        figures["age_given"] = _age_given(evaluator, measured, prediction.rows(whole), effect, positive)
    if any(d.category_rule for d in task.datasets):
        figures["derived_categories"] = derived_categories(task, samples, prediction)
    if shared := source_told_by_embedding(samples, prediction.embedding):
        figures["source_told_by_embedding"] = shared
    if task.input.max_pictures > 1:
        figures["by_case"] = case_figures(evaluator, samples, prediction, positive)
    for kind, changes in evaluator.changes.items():
        figures[kind] = {name: _changed(evaluator, samples, whole, change) for name, change in changes.items()}
    return ImageTest(**figures)


def _changed(evaluator: Evaluator, samples: Sequence[Sample], whole: NDArray[np.bool_], change: Any) -> Robustness:
    """Of the samples (those in `whole` count), each changed before it is answered."""
    again = evaluator.score(samples, evaluator.predict(samples, change)).rows(whole)
    return Robustness(
        accuracy=round(accuracy(again), 4),
        balanced_accuracy=round(balanced_accuracy(again), 4),
        macro_auc=round(macro_auc(again), 4),
    )
