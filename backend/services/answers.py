"""An answer's shape, filled from a diagnosis; nothing is computed here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backend.schemas import ModelAnswer, ProvenanceAnswer
from backend.schemas_image import (
    AnalyzeAnswer,
    AnalyzeQuery,
    ExplanationAnswer,
    InputCheckAnswer,
    LabelAnswer,
    PredictionAnswer,
    RankedAnswer,
    RecommendationAnswer,
    RecordingAnswer,
    StagingAnswer,
    TissueAnswer,
    UrgencyAnswer,
)
from backend.services import texts
from backend.services.context import RequestContext
from backend.services.loading import LoadedModel
from backend.services.reliance import abstention, operating_points, prediction_set
from ml_model.diagnosis.decision import Diagnosis, screening_category
from ml_model.diagnosis.population import Judgement
from ml_model.errors import ModelUnavailable
from ml_model.tasks.labels import label_of, label_probabilities
from ml_model.tasks.registry import ImageTask


@dataclass(frozen=True)
class AnswerParts:
    """What an answer holds beside the diagnosis. `loaded` is None in demo mode."""

    explanation: ExplanationAnswer
    input_check: InputCheckAnswer
    provenance: ProvenanceAnswer
    loaded: LoadedModel | None
    judged: Judgement | None
    recording: RecordingAnswer | None = None


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


def require_model(loaded: LoadedModel | None, task_id: str, demo_mode: bool) -> None:
    """Raises ModelUnavailable when there is no model and no example may stand in for it."""
    if loaded is None and not demo_mode:
        raise ModelUnavailable(
            f"no model is loaded for {task_id} and demo mode is off; train the task or set DEMO_MODE=on for an example"
        )


def _prediction(
    task: ImageTask, diagnosis: Diagnosis, loaded: LoadedModel | None, abstain_reason: str | None
) -> PredictionAnswer:
    spec = diagnosis.predicted
    confidence = min(1.0, float(diagnosis.confidence))
    extra: dict[str, Any] = {} if spec.birads is None else {"birads": spec.birads}
    calibration = loaded.bundle.manifest.screening if loaded else None
    if screened := screening_category(task, diagnosis, calibration):
        extra = {"birads": screened[0], "screening_probability": screened[1]}
    return PredictionAnswer(
        class_id=diagnosis.class_id,
        code=spec.code,
        name=spec.name,
        type=spec.type,
        confidence=confidence,
        confidence_percent=percent(confidence),
        abstain=abstain_reason is not None,
        abstain_reason=abstain_reason,
        **extra,
    )


def analyze_answer(
    task: ImageTask, diagnosis: Diagnosis, parts: AnswerParts, query: AnalyzeQuery, context: RequestContext
) -> AnalyzeAnswer:
    """Everything that is known of one case, in the shape that is sent."""
    spec = diagnosis.predicted
    advice = diagnosis.recommendation
    recommendation = RecommendationAnswer(
        level=spec.severity, title=advice.title, message=advice.message, actions=advice.actions
    )
    ranked = tuple(
        RankedAnswer(code=r.spec.code, name=r.spec.name, confidence=min(1.0, float(r.probability)))
        for r in diagnosis.ranking[: query.top_k]
    )
    demo_mode, manifest = parts.loaded is None, parts.loaded.bundle.manifest if parts.loaded else None
    in_question = prediction_set(task, diagnosis, manifest, parts.judged)
    abstain_reason = abstention(task, in_question, parts.input_check, manifest)
    optional: dict[str, Any] = {"warning": texts.DEMO_WARNING} if demo_mode else {}
    if parts.recording:
        optional["recording"] = parts.recording
    return AnalyzeAnswer(
        **optional,
        success=True,
        prediction=_prediction(task, diagnosis, parts.loaded, abstain_reason),
        multi_label=task.multi_label,
        positives=diagnosis.positives,
        all_predictions=ranked,
        severity=spec.severity,
        staging=StagingAnswer(**spec.staging.model_dump()),
        urgency=UrgencyAnswer(**spec.urgency.model_dump()),
        treatment_options=spec.treatment_options,
        recommendations=recommendation.actions if task.recommendations_as_list else recommendation,
        recommendation=recommendation,
        explanation=parts.explanation,
        prediction_set=in_question,
        operating_points=operating_points(task, diagnosis, manifest, parts.judged, query.prevalence),
        input_check=parts.input_check,
        model=model_answer(task.id, parts.loaded, parts.judged),
        provenance=parts.provenance,
        demo_mode=demo_mode,
        request_id=context.request_id,
        processing_ms=context.elapsed_ms(),
        disclaimer=texts.DISCLAIMER,
    )


def label_answer(task: ImageTask, answer: AnalyzeAnswer) -> LabelAnswer:
    """The same answer in the labels of the task's first data set: the probabilities of each label's classes summed."""
    by_code = {row.code: row.confidence for row in answer.all_predictions}
    totals = label_probabilities(by_code, task.datasets[0].labels)
    named = label_of(task, answer.prediction.code)
    return LabelAnswer(
        **({"warning": answer.warning} if answer.warning else {}),
        success=True,
        risk_level=named.capitalize(),
        probability=totals[named],
        classification=named,
        diagnosis=f"{answer.prediction.name}. {answer.staging.description}",
        class_probabilities=totals,
        model=answer.model,
        provenance=answer.provenance,
        demo_mode=answer.demo_mode,
        request_id=answer.request_id,
        processing_ms=answer.processing_ms,
        disclaimer=answer.disclaimer,
    )


def tissue_answer(answer: AnalyzeAnswer) -> TissueAnswer:
    """The same answer in one word, Benign or Malignant."""
    return TissueAnswer(
        **({"warning": answer.warning} if answer.warning else {}),
        success=True,
        prediction=answer.prediction.type.capitalize(),
        confidence=answer.prediction.confidence,
        model=answer.model,
        provenance=answer.provenance,
        demo_mode=answer.demo_mode,
        request_id=answer.request_id,
        processing_ms=answer.processing_ms,
        disclaimer=answer.disclaimer,
    )
