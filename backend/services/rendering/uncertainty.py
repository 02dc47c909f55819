"""How far an answer can be leant on: its operating points with the figures measured for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backend.schemas.images import OperatingPointAnswer
from ml_model.diagnosis.decision import Diagnosis
from ml_model.diagnosis.population import Judgement, view_key
from ml_model.inference.bundle import Manifest, OperatingPoint
from ml_model.tasks.registry import ImageTask


def operating_points(
    task: ImageTask, diagnosis: Diagnosis, manifest: Manifest | None, judged: Judgement | None, prevalence: float | None
) -> tuple[OperatingPointAnswer, ...]:
    """The finding that is called from a threshold on, then the task's alerts, each with its figures on test."""
    if manifest is None:
        return ()
    by_code = {r.spec.code: r.probability for r in diagnosis.ranking}
    return tuple(OperatingPointAnswer(**row) for row in _rows(task, by_code, manifest, judged, prevalence))


def _rows(
    task: ImageTask,
    by_code: Mapping[str, float],
    manifest: Manifest,
    judged: Judgement | None,
    prevalence: float | None,
) -> Iterator[dict[str, Any]]:
    test = manifest.metrics.get("test", {})
    aged = test.get("age_given", {}) if judged and judged.age_told_by else {}
    point = judged.operating_point if judged else manifest.operating_point
    if isinstance(point, OperatingPoint):
        name = next(c.name for c in task.classes if c.code == point.positive)
        measured = _of_population(test, judged) or aged or test.get("per_class", {}).get(point.positive, {})
        yield _row(name, (point.positive,), by_code, point.threshold, point.rule, measured, prevalence)
    for rule in (r for r in task.alerts if r.name in manifest.alerts):
        own = manifest.alerts[rule.name]
        measured = {**test.get("alerts", {}), **aged.get("alerts", {})}.get(rule.name, {})
        row = _row(rule.name, own.classes, by_code, own.threshold, own.rule, measured, prevalence)
        yield {**row, "message": rule.message if row["reached"] else None}


def _of_population(test: Mapping[str, Any], judged: Judgement | None) -> Mapping[str, Any]:
    """Figures of the population, or of its view, that the answer was judged for."""
    if judged is None or judged.population is None:
        return {}
    name = view_key(judged.population, judged.view) if judged.view else judged.population
    groups = test.get("by_group", {})
    found: Mapping[str, Any] = groups.get(f"{name}, age and view given") or groups.get(name, {})
    return found


def _row(
    finding: str, classes: Sequence[str], by_code: Mapping[str, float], threshold: float, rule: str,
    measured: Mapping[str, Any], prevalence: float | None,
) -> dict[str, Any]:  # fmt: skip
    probability = min(1.0, sum(by_code[code] for code in classes))
    row: dict[str, Any] = {
        "finding": finding, "classes": tuple(classes), "probability": probability, "threshold": threshold,
        "reached": probability >= threshold, "rule": rule,
        "sensitivity": measured.get("sensitivity"), "specificity": measured.get("specificity"),
    }  # fmt: skip
    if prevalence is not None and row["sensitivity"] and row["specificity"]:
        row |= predictive_values(row["sensitivity"]["value"], row["specificity"]["value"], prevalence)
    return row


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> dict[str, float | None]:
    """By Bayes' rule, all 0-1: how often a call is right, and how often a finding that was not called is absent."""
    called = sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
    not_called = specificity * (1 - prevalence) + (1 - sensitivity) * prevalence  # 1 - called may round to less
    return {
        "prevalence": prevalence,
        "positive_predictive_value": sensitivity * prevalence / called if called > 0 else None,
        "negative_predictive_value": specificity * (1 - prevalence) / not_called if not_called > 0 else None,
    }
