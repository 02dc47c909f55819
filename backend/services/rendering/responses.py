"""The answer to a picture or a recording: the pipeline's result, with the figures measured for its operating points."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.schemas.common import ModelAnswer, ProvenanceAnswer
from backend.schemas.images import (
    AnalyzeAnswer,
    AnalyzeQuery,
    ExplanationAnswer,
    FieldOfViewAnswer,
    InputCheckAnswer,
    IntervalAnswer,
    OperatingPointAnswer,
    PredictionAnswer,
    PredictionSetAnswer,
    RankedAnswer,
    RecommendationAnswer,
    StagingAnswer,
    UrgencyAnswer,
)
from backend.services.loading.bundles import LoadedModel
from backend.services.rendering import messages
from backend.services.rendering.ecg import measurement_answers, recording_answer
from backend.telemetry import RequestContext
from ml_model.diagnosis.case import CaseResult, InputCheck, KindTold
from ml_model.diagnosis.conformal import SET_COVERAGE
from ml_model.diagnosis.decision import Diagnosis, screening_category
from ml_model.diagnosis.population import Judgement
from ml_model.ecg.signal_quality import RecordingCheck
from ml_model.errors import ModelUnavailable
from ml_model.inference.bundle import Manifest, OperatingPoint
from ml_model.inference.measured import Brief, Detection, ImageMetrics, ImageTest, Subgroup
from ml_model.tasks.registry import ImageTask


@dataclass(frozen=True)
class AnswerParts:
    """What an answer holds beside the result of the pipeline. `loaded` is None in demo mode.

    kind_told_by: what decided which kind of picture it is, where that was open or said.
    """

    explanation: ExplanationAnswer
    provenance: ProvenanceAnswer
    loaded: LoadedModel | None
    kind_told_by: KindTold | None = None
    warning: str | None = None


def percent(probability: float) -> str:
    """0.8899 -> "89.0%"."""
    return f"{100 * probability:.1f}%"


def model_answer(task_id: str, loaded: LoadedModel | None, judged: Judgement | None = None) -> ModelAnswer:
    """The `model` part of an answer; all null in demo mode."""
    manifest = loaded.bundle.manifest if loaded else None
    settled = judged or manifest
    point = settled.operating_point if settled else None
    return ModelAnswer.model_validate(
        {
            "task": task_id,
            "source": loaded.source if loaded else None,
            "version": manifest.version if manifest else None,
            "sha256": loaded.bundle.sha256 if loaded else None,
            "trained_on": manifest.trained_on if manifest else None,
            "operating_point": point.model_dump() if point else None,
            "population": judged.population if judged else None,
            "population_told_by": judged.told_by if judged else None,
            "view": judged.view if judged else None,
            "age_told_by": judged.age_told_by if judged else None,
            "evidence": settled.evidence if settled else "insufficient",
        }
    )


def no_model(task_id: str) -> ModelUnavailable:
    """What is raised when there is no model and no example may stand in for it."""
    return ModelUnavailable(
        f"no model is loaded for {task_id} and demo mode is off; train the task or set DEMO_MODE=on for an example"
    )


def require_model(loaded: LoadedModel | None, task_id: str, demo_mode: bool) -> None:
    """Raises ModelUnavailable when there is no model and no example may stand in for it."""
    if loaded is None and not demo_mode:
        raise no_model(task_id)


def _prediction(result: CaseResult, manifest: Manifest | None) -> PredictionAnswer:
    diagnosis, spec = result.decision.diagnosis, result.decision.diagnosis.predicted
    confidence = min(1.0, float(diagnosis.confidence))
    extra: dict[str, Any] = {} if spec.birads is None else {"birads": spec.birads}
    calibration = manifest.screening if manifest else None
    if screened := screening_category(result.task, diagnosis, calibration):
        extra = {"birads": screened[0], "screening_probability": screened[1]}
    return PredictionAnswer(
        class_id=diagnosis.class_id,
        code=spec.code,
        name=spec.name,
        type=spec.type,
        confidence=confidence,
        confidence_percent=percent(confidence),
        abstain=bool(result.decision.abstain_reasons),
        abstain_reason=" ".join(result.decision.abstain_reasons) or None,
        **extra,
    )


def _prediction_set(result: CaseResult, manifest: Manifest | None) -> PredictionSetAnswer:
    multi_label, sets = result.task.multi_label, manifest.prediction_sets if manifest else None
    if sets is None:
        note = messages.UNCALIBRATED_LABELS_NOTE if multi_label else messages.UNCALIBRATED_SET_NOTE
    else:
        note = messages.LABELS_NOTE if multi_label else messages.SET_NOTE
    return PredictionSetAnswer(
        coverage=sets.coverage if sets else SET_COVERAGE, classes=result.decision.prediction_set, note=note
    )


def _input_check(check: InputCheck, told_by: KindTold | None) -> InputCheckAnswer:
    recognition, quality = check.recognition, dataclasses.asdict(check.quality)
    if isinstance(check.quality, RecordingCheck):
        quality["flat_leads"] = check.quality.flat_leads
    return InputCheckAnswer(
        modality=recognition.kind if recognition else None,
        expected=check.expected,
        accepted=check.accepted,
        score=round(recognition.score, 4) if recognition else None,
        quality=quality,
        warnings=check.warnings,
        kind_told_by=told_by,
        **_measured(check),
    )


def _measured(check: InputCheck) -> dict[str, Any]:
    """What only some checks hold."""
    told: dict[str, Any] = {}
    if not isinstance(check.quality, RecordingCheck):
        told["threshold"] = check.recognition.threshold if check.recognition else None
    if check.distance is not None and check.distance_limit is not None:
        told |= {"distance": round(check.distance, 4), "distance_limit": round(check.distance_limit, 4)}
    if check.cropped:
        told["cropped"] = check.cropped
    if check.field_of_view:
        told["field_of_view"] = FieldOfViewAnswer.model_validate(dataclasses.asdict(check.field_of_view))
    return told


def analyze_answer(
    result: CaseResult, parts: AnswerParts, query: AnalyzeQuery, context: RequestContext
) -> AnalyzeAnswer:
    """Everything that is said of one case, in the shape that is sent."""
    task, diagnosis, judgement = result.task, result.decision.diagnosis, result.decision.judgement
    manifest = parts.loaded.bundle.manifest if parts.loaded else None
    spec, advice, demo_mode = diagnosis.predicted, diagnosis.recommendation, result.predictor is None
    recommendation = RecommendationAnswer(
        level=spec.severity, title=advice.title, message=advice.message, actions=advice.actions
    )
    warning = messages.DEMO_WARNING if demo_mode else parts.warning
    optional: dict[str, Any] = {"warning": warning} if warning else {}
    if result.ecg:
        optional["recording"] = recording_answer(result.ecg, context)
        if result.ecg.measured and result.ecg.measured.judged:
            optional["measurements"] = measurement_answers(result.ecg.measured)
    return AnalyzeAnswer(
        **optional,
        success=True,
        prediction=_prediction(result, manifest),
        multi_label=task.multi_label,
        positives=diagnosis.positives,
        all_predictions=tuple(
            RankedAnswer(code=r.spec.code, name=r.spec.name, confidence=min(1.0, float(r.probability)))
            for r in diagnosis.ranking[: query.top_k]
        ),
        severity=spec.severity,
        staging=StagingAnswer(**spec.staging.model_dump()),
        urgency=UrgencyAnswer(**spec.urgency.model_dump()),
        treatment_options=spec.treatment_options,
        recommendations=recommendation.actions if task.recommendations_as_list else recommendation,
        recommendation=recommendation,
        explanation=parts.explanation,
        prediction_set=_prediction_set(result, manifest),
        operating_points=operating_points(task, diagnosis, manifest, judgement, query.prevalence),
        input_check=_input_check(result.input_check, parts.kind_told_by),
        model=model_answer(task.id, parts.loaded, judgement),
        provenance=parts.provenance,
        demo_mode=demo_mode,
        request_id=context.request_id,
        processing_ms=context.elapsed_ms(),
        disclaimer=messages.DISCLAIMER,
    )


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
        "sensitivity": sensitivity and IntervalAnswer(**dict(sensitivity)),
        "specificity": specificity and IntervalAnswer(**dict(specificity)),
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
