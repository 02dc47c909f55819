"""How far an answer can be leant on: its operating points with the figures measured for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backend.schemas.images import OperatingPointAnswer
from ml_model.diagnosis.decision import Diagnosis
from ml_model.diagnosis.population import Judgement
from ml_model.inference.bundle import Manifest, OperatingPoint
from ml_model.inference.measured import Brief, Detection, ImageMetrics, ImageTest, Subgroup
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
    test = manifest.metrics.test if isinstance(manifest.metrics, ImageMetrics) else None
    aged = test.age_given if test and judged and judged.age_told_by else None
    point = judged.operating_point if judged else manifest.operating_point
    if isinstance(point, OperatingPoint):
        name = next(c.name for c in task.classes if c.code == point.positive)
        pooled = test.per_class.get(point.positive) if test else None
        measured = _of_population(test, judged) or aged or pooled
        yield _row(name, (point.positive,), by_code, point.threshold, point.rule, measured, prevalence)
    alerts = {**((test and test.alerts) or {}), **((aged and aged.alerts) or {})}
    for rule in (r for r in task.alerts if r.name in manifest.alerts):
        own = manifest.alerts[rule.name]
        row = _row(rule.name, own.classes, by_code, own.threshold, own.rule, alerts.get(rule.name), prevalence)
        yield {**row, "message": rule.message if row["reached"] else None}


def _of_population(test: ImageTest | None, judged: Judgement | None) -> Subgroup | None:
    """Figures of the population, or of its view, that the answer was judged for."""
    if test is None or judged is None or judged.population is None:
        return None
    population, view = judged.population, judged.view
    return test.part(population, view, "age_and_view") or test.part(population, view)


def _row(
    finding: str, classes: Sequence[str], by_code: Mapping[str, float], threshold: float, rule: str,
    measured: Brief | Detection | None, prevalence: float | None,
) -> dict[str, Any]:  # fmt: skip
    probability = min(1.0, sum(by_code[code] for code in classes))
    sensitivity, specificity = (measured.sensitivity, measured.specificity) if measured else (None, None)
    row: dict[str, Any] = {
        "finding": finding, "classes": tuple(classes), "probability": probability, "threshold": threshold,
        "reached": probability >= threshold, "rule": rule,
        "sensitivity": sensitivity and sensitivity.model_dump(),
        "specificity": specificity and specificity.model_dump(),
    }  # fmt: skip
    if prevalence is not None and sensitivity and specificity:
        row |= predictive_values(sensitivity.value, specificity.value, prevalence)
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
