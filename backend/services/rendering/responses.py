"""The answer to a picture or a recording: the pipeline's result, with the figures measured for it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from backend.schemas.common import ModelAnswer, ProvenanceAnswer
from backend.schemas.findings import IntervalAnswer, PredictionSetAnswer
from backend.schemas.images import (
    AnalyzeAnswer,
    AnalyzeQuery,
    DicomAnswer,
    ExplanationAnswer,
    FieldOfViewAnswer,
    InputCheckAnswer,
    PredictionAnswer,
    RankedAnswer,
    RecommendationAnswer,
    StagingAnswer,
    UrgencyAnswer,
)
from backend.services.loading.bundles import LoadedModel
from backend.services.rendering import messages
from backend.services.rendering.ecg import measurement_answers, recording_answer
from backend.services.rendering.findings import (
    finding_answers,
    local_sha256,
    measured_pages,
    operating_point,
    operating_points,
    triage_answer,
)
from backend.telemetry import RequestContext
from ml_model.diagnosis.case import CaseResult, InputCheck, KindTold
from ml_model.diagnosis.conformal import SET_COVERAGE
from ml_model.diagnosis.decision import Decision, screening_category
from ml_model.diagnosis.population import PAGE, Judgement
from ml_model.ecg.signal_quality import RecordingCheck
from ml_model.errors import ModelUnavailable
from ml_model.inference.bundle import Manifest
from ml_model.inference.measured import ImageMetrics
from ml_model.inference.provenance import body_preprocessing_sha256
from ml_model.inputs.dicom.header import DicomFacts
from ml_model.inputs.file_type import input_sha256
from ml_model.tasks.registry import RiskTask, SymptomTask

INCOMPLETE_BIRADS = "0"


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


def model_answer(
    task_id: str,
    loaded: LoadedModel | None,
    judged: Judgement | None = None,
    operating_point: dict[str, Any] | None = None,
    local: str | None = None,
) -> ModelAnswer:
    """The `model` part of an answer; all null in demo mode. operating_point, local: of `findings.operating_point` and
    `findings.local_sha256`."""
    manifest = loaded.bundle.manifest if loaded else None
    settled = judged or manifest
    return ModelAnswer.model_validate(
        {
            "task": task_id,
            "source": loaded.source if loaded else None,
            "version": manifest.version if manifest else None,
            "sha256": loaded.bundle.sha256 if loaded else None,
            "trained_on": manifest.trained_on if manifest else None,
            "operating_point": operating_point,
            **({"local_operating_points": local} if local else {}),
            "population": judged.population if judged else None,
            "population_told_by": judged.told_by if judged else None,
            "view": judged.view if judged else None,
            "judged_as": judged.judged_as if judged else None,
            "age_told_by": judged.age_told_by if judged else None,
            "evidence": settled.evidence if settled else "insufficient",
        }
    )


def no_model(task_id: str) -> ModelUnavailable:
    """What is raised when there is no model and no example may stand in for it."""
    return ModelUnavailable(
        f"no model is loaded for {task_id} and demo mode is off; train the task or set DEMO_MODE=on for an example"
    )


def body_provenance(
    task: SymptomTask | RiskTask, sent: bytes, loaded: LoadedModel | None, engine: str
) -> ProvenanceAnswer:
    """Of an answer to a JSON body. engine: what computed the model, where there is one."""
    return ProvenanceAnswer(
        input_sha256=input_sha256([sent]),
        preprocessing_sha256=body_preprocessing_sha256(task, loaded.bundle.manifest.files if loaded else {}),
        engine=engine if loaded else None,
        request={},
    )


def require_model(loaded: LoadedModel | None, task_id: str, demo_mode: bool) -> None:
    """Raises ModelUnavailable when there is no model and no example may stand in for it."""
    if loaded is None and not demo_mode:
        raise no_model(task_id)


def _prediction(result: CaseResult, manifest: Manifest | None) -> PredictionAnswer:
    diagnosis, spec = result.decision.diagnosis, result.decision.diagnosis.predicted
    confidence = min(1.0, float(diagnosis.confidence))
    extra: dict[str, Any] = {} if spec.birads is None else {"birads": _birads(spec.birads, result.decision)}
    calibration = manifest.screening if manifest else None
    if screened := screening_category(result.task, result.decision, calibration):
        extra = {"birads": screened[0], "screening_probability": screened[1]}
    return PredictionAnswer(
        class_id=diagnosis.class_id,
        code=spec.code,
        name=spec.name,
        type=spec.type,
        confidence=confidence,
        confidence_percent=percent(confidence),
        settled=diagnosis.settled,
        abstain=bool(result.decision.abstain_reasons),
        abstain_reason=" ".join(result.decision.abstain_reasons) or None,
        **extra,
    )


def _birads(named: str, decision: Decision) -> str:
    """The named class's where it is settled or suspected; else that of an assessment that is not complete."""
    code = decision.diagnosis.predicted.code
    suspected = any(code in f.rule.classes for f in decision.findings if f.state == "suspected")
    complete = decision.diagnosis.settled or (suspected and not decision.abstain_reasons)
    return named if complete else INCOMPLETE_BIRADS


def _prediction_set(result: CaseResult, manifest: Manifest | None) -> PredictionSetAnswer:
    multi_label, sets = result.task.multi_label, manifest.prediction_sets if manifest else None
    if sets is None:
        note = messages.UNCALIBRATED_LABELS_NOTE if multi_label else messages.UNCALIBRATED_SET_NOTE
    elif local_sha256(result.decision):
        note = messages.LOCAL_SET_NOTE
    else:
        note = messages.LABELS_NOTE if multi_label else messages.SET_NOTE
    return PredictionSetAnswer(
        coverage=sets.coverage if sets else SET_COVERAGE,
        measured=_coverage(manifest, result.decision) if sets and manifest else {},
        classes=result.decision.prediction_set,
        note=note,
    )


def _coverage(manifest: Manifest, decision: Decision) -> dict[str, IntervalAnswer]:
    """By label, what the promise came to on test; with the age where that moved the answer, of pages where it was read
    off one. Nothing with a site's own thresholds: what they rule out is in no set."""
    metrics, judged = manifest.metrics, decision.judgement
    if local_sha256(decision) or not isinstance(metrics, ImageMetrics) or (test := metrics.test) is None:
        return {}
    aged = test.age_given if judged and judged.age_told_by else None
    pages = measured_pages(metrics) if judged and judged.judged_as == PAGE else None
    measured = (pages or aged or test).prediction_sets
    by_label = measured.by_label.items() if measured else ()
    return {name: IntervalAnswer(**dict(row.coverage_interval)) for name, row in by_label if row.coverage_interval}


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
    parts = tuple(crop and (crop[0], crop[1], crop[2] - crop[0], crop[3] - crop[1]) for crop in check.crops)
    if any(parts[:1]):
        told["cropped"] = parts[0]
    if any(parts) and len(parts) > 1:
        told["cropped_pictures"] = parts
    if check.field_of_view:
        told["field_of_view"] = FieldOfViewAnswer.model_validate(dataclasses.asdict(check.field_of_view))
    if any(check.dicom):
        told["dicom"] = tuple(facts and _dicom(facts) for facts in check.dicom)
    return told


def _dicom(facts: DicomFacts) -> DicomAnswer:
    return DicomAnswer(
        modality=facts.modality, body_part=facts.body_part, view=facts.view_position, laterality=facts.laterality,
        pixel_spacing_mm=facts.pixel_spacing_mm, frame=facts.frame, frames=facts.frames,
    )  # fmt: skip


def _staging(result: CaseResult) -> StagingAnswer:
    """Of a settled class only; otherwise one line says why none is given."""
    diagnosis, line = result.decision.diagnosis, result.task.unsettled.staging
    if diagnosis.settled:
        return StagingAnswer(**diagnosis.predicted.staging.model_dump())
    return StagingAnswer(stage=messages.NOT_SETTLED, description=line, prognosis=messages.NOT_SETTLED)


def _treatment(result: CaseResult) -> tuple[str, ...]:
    judged = result.decision.judgement
    if result.decision.diagnosis.settled:
        return result.decision.diagnosis.predicted.treatment_options
    if judged is None or judged.evidence == "insufficient":
        return (result.task.weak_evidence.message,)
    return (result.task.unsettled.treatment,)


def _optional(result: CaseResult, warning: str | None, context: RequestContext) -> dict[str, Any]:
    """What only some answers hold."""
    told: dict[str, Any] = {"warning": warning} if warning else {}
    if result.ecg:
        told["recording"] = recording_answer(result.ecg, context)
        if result.ecg.measured and result.ecg.measured.judged:
            told["measurements"] = measurement_answers(result.ecg.measured)
    return told


def analyze_answer(
    result: CaseResult, parts: AnswerParts, query: AnalyzeQuery, context: RequestContext
) -> AnalyzeAnswer:
    """Everything that is said of one case, in the shape that is sent."""
    task, decision, judgement = result.task, result.decision, result.decision.judgement
    diagnosis, triage = decision.diagnosis, decision.triage
    manifest = parts.loaded.bundle.manifest if parts.loaded else None
    advice, demo_mode = triage.advice, result.predictor is None
    recommendation = RecommendationAnswer(
        level=triage.severity, title=advice.title, message=advice.message, actions=advice.actions
    )
    found = finding_answers(task, decision, manifest, query.prevalence)
    return AnalyzeAnswer(
        **_optional(result, messages.DEMO_WARNING if demo_mode else parts.warning, context),
        success=True,
        headline=decision.headline,
        triage=triage_answer(triage),
        findings=found,
        prediction=_prediction(result, manifest),
        multi_label=task.multi_label,
        positives=diagnosis.positives,
        all_predictions=tuple(
            RankedAnswer(code=r.spec.code, name=r.spec.name, confidence=min(1.0, float(r.probability)))
            for r in diagnosis.ranking[: query.top_k]
        ),
        severity=triage.severity,
        staging=_staging(result),
        urgency=UrgencyAnswer(**triage.urgency.model_dump()),
        treatment_options=_treatment(result),
        recommendations=recommendation.actions if task.recommendations_as_list else recommendation,
        recommendation=recommendation,
        explanation=parts.explanation,
        prediction_set=_prediction_set(result, manifest),
        operating_points=operating_points(found),
        input_check=_input_check(result.input_check, parts.kind_told_by),
        model=model_answer(task.id, parts.loaded, judgement, operating_point(task, decision), local_sha256(decision)),
        provenance=parts.provenance,
        demo_mode=demo_mode,
        request_id=context.request_id,
        processing_ms=context.elapsed_ms(),
        disclaimer=messages.DISCLAIMER,
    )
