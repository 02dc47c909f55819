"""One pass over a split with the served decoder and the served runtime, and every figure from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_model.diagnosis.population import view_key
from ml_model.inference.measured import AgeGiven, Brief, ImageTest, Known, Part, Robustness, Subgroup, Summary
from ml_model.inference.measured_findings import FindingMeasured, TriageMeasured
from ml_model.inference.predictor import Prediction
from ml_model.training.data.labels import fully_labelled, label_space, target_masks
from ml_model.training.data.samples import Sample, ages_years, cases_of
from ml_model.training.evaluation.answers import (
    Answered,
    Evaluator,
    Facts,
    age_and_view_known,
    age_known,
    nothing_known,
    own_age_known,
    populations_told,
)
from ml_model.training.evaluation.findings import finding_figures, triage_figures
from ml_model.training.evaluation.metrics import (
    Scored,
    accuracy,
    accuracy_interval,
    balanced_accuracy,
    bootstrap,
    macro_auc,
    summarise,
)
from ml_model.training.evaluation.source_leakage import source_told_by_embedding
from ml_model.training.evaluation.uncertainty_metrics import calibration_of, set_figures, trust_figures

AGE_BANDS = (18, 40, 60, 80)
SUBGROUP_DRAWS = 200
MOST_VALUES = 16  # an attribute with more distinct values is an identifier, not a subgroup


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


def brief(s: Scored, findings: Mapping[str, FindingMeasured], triage: TriageMeasured | None = None) -> Brief:
    """The few figures of a part. `findings` and `triage`: of the same rows."""
    figures: dict[str, Any] = {"accuracy": accuracy_interval(s), "findings": findings, "triage": triage}
    if (~s.truth.all(axis=0) & s.truth.any(axis=0)).any():
        figures["balanced_accuracy"] = bootstrap(s, balanced_accuracy, draws=SUBGROUP_DRAWS)
        figures["macro_auc"] = bootstrap(s, macro_auc, draws=SUBGROUP_DRAWS)
    return Brief(count=len(s.truth), **figures)


def brief_of(answered: Answered, rows: NDArray[np.integer] | NDArray[np.bool_] | None = None) -> Brief:
    """`brief` of answers, or of some rows of them."""
    kept = answered if rows is None else answered.rows(rows)
    told = kept.prediction.probabilities
    found = finding_figures(kept.task, kept.samples, told, kept.decisions)
    return brief(kept.scored, found, triage_figures(kept.task, kept.samples, kept.decisions))


def _subgroup(part: Part, told: Brief, known: Known = "nothing") -> Subgroup:
    """`known`: what the requests said."""
    return Subgroup(**{**dict(part), **dict(told), "known": known})


def derived_categories(answered: Answered) -> Summary:
    """Figures against the classes that the category rule derived from the pixels: all classes, not the labels."""
    task, probabilities = answered.task, answered.prediction.probabilities
    named = [d.diagnosis.class_id for d in answered.decisions]
    truth, predicted = target_masks(answered.samples, task.codes) > 0, np.eye(len(task.codes), dtype=bool)[named]
    groups = np.array([s.group for s in answered.samples])
    return summarise(Scored(truth, predicted, probabilities, groups), task.codes, draws=SUBGROUP_DRAWS)


def case_figures(
    evaluator: Evaluator, samples: Sequence[Sample], prediction: Prediction, facts: Facts = nothing_known
) -> Brief:
    """Figures by breast: the views that one request may hold, those of a side of a patient, are averaged."""
    rows = cases_of(samples)
    merged = replace(
        prediction.rows(np.array([r[0] for r in rows])),
        probabilities=np.stack([prediction.probabilities[r].mean(axis=0) for r in rows]),
    )
    return brief_of(evaluator.answered([samples[r[0]] for r in rows], merged, facts=facts))


def balanced_figures(answered: Answered, weights: Mapping[str, float]) -> Brief:
    """Figures of the class whose probability times its weight is largest, which no answer is named by."""
    space, task = label_space(answered.task), answered.task
    weighted = answered.prediction.probabilities * [weights[code] for code in task.codes]
    predicted = space.projection[weighted.argmax(axis=1)] > 0
    return brief(replace(answered.scored, predicted=predicted), {})


def _with_facts(
    evaluator: Evaluator, samples: Sequence[Sample], prediction: Prediction, groups: Mapping[Part, NDArray[np.int64]]
) -> list[Subgroup]:
    """The populations again when their age is said, and their views when that is said too."""
    apart = evaluator.manifest.findings_by_population
    by_age, by_both = (evaluator.answered(samples, prediction, facts=f) for f in (age_known, age_and_view_known))
    figures = []
    for part, rows in groups.items():
        if part.attribute is None and part.view is None and part.population in apart:
            figures.append(_subgroup(part, brief_of(by_age, rows), "age"))
        elif part.view is not None and view_key(part.population, part.view) in apart:
            figures.append(_subgroup(part, brief_of(by_both, rows), "age_and_view"))
    return figures


def _age_given(evaluator: Evaluator, samples: Sequence[Sample], prediction: Prediction) -> AgeGiven:
    """The figures when a request says the age as well, as a DICOM file does; of the samples whose age is known."""
    known = np.flatnonzero(np.isfinite(ages_years(samples)))
    own, raw = [samples[int(i)] for i in known], prediction.rows(known)
    answered = evaluator.answered(own, raw, facts=own_age_known)
    several, names = evaluator.task.input.max_pictures > 1, label_space(evaluator.task).names
    return AgeGiven(
        **dict(brief_of(answered)),
        **dict(calibration_of(answered.scored)),
        prediction_sets=set_figures(answered.samples, answered.scored, answered.decisions, names),
        by_case=case_figures(evaluator, own, raw, own_age_known) if several else None,
    )


def evaluate(evaluator: Evaluator, samples: Sequence[Sample]) -> ImageTest:
    """Figures on `samples`: pooled, by source and attribute, with the files re-encoded and with them corrupted."""
    task, manifest, space = evaluator.task, evaluator.manifest, label_space(evaluator.task)
    prediction, whole = evaluator.predict(samples), fully_labelled(evaluator.task, samples)
    answered = evaluator.answered(samples, prediction)
    measured = answered.rows(whole)
    figures: dict[str, Any] = {"labels": space.names, **dict(summarise(measured.scored, space.names))}
    figures |= {"findings": (pooled := brief_of(answered)).findings, "triage": pooled.triage}
    figures |= trust_figures(manifest, prediction.rows(whole), measured)
    groups = subgroup_rows(samples)
    parts = []
    for part, rows in groups.items():  # a source whose labels are coarser is measured in its own
        own = answered if whole[rows].all() else replace(answered, source=part.population)
        parts.append(_subgroup(part, brief_of(own, rows)))
    if manifest.populations_apart:
        parts += _with_facts(evaluator, samples, prediction, groups)
        figures["populations_told"] = populations_told(answered, manifest.populations)
    figures["by_group"] = {part.title: part for part in parts}
    if manifest.balanced:
        figures["balanced"] = balanced_figures(measured, manifest.balanced.weights)
    if manifest.age_effect:
        figures["age_given"] = _age_given(evaluator, measured.samples, prediction.rows(whole))
    if any(d.category_rule for d in task.datasets):
        figures["derived_categories"] = derived_categories(answered)
    if shared := source_told_by_embedding(samples, prediction.embedding):
        figures["source_told_by_embedding"] = shared
    if task.input.max_pictures > 1:
        figures["by_case"] = case_figures(evaluator, samples, prediction)
    for kind, changes in evaluator.changes.items():
        figures[kind] = {name: _changed(evaluator, samples, whole, change) for name, change in changes.items()}
    return ImageTest(**figures)


def _changed(evaluator: Evaluator, samples: Sequence[Sample], whole: NDArray[np.bool_], change: Any) -> Robustness:
    """Of the samples (those in `whole` count), each changed before it is answered."""
    again = evaluator.answered(samples, evaluator.predict(samples, change)).scored.rows(whole)
    return Robustness(
        accuracy=round(accuracy(again), 4),
        balanced_accuracy=round(balanced_accuracy(again), 4),
        macro_auc=round(macro_auc(again), 4),
    )
