"""An image answer in the shapes of single-purpose clients, and as it is kept; nothing is computed here."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from backend.schemas.images import AnalyzeAnswer, LabelAnswer, TissueAnswer
from backend.schemas.records import PredictedAnswer
from backend.services.rendering.messages import DEMO_WARNING
from ml_model.tasks.labels import label_of, label_probabilities
from ml_model.tasks.registry import ImageTask


def _open(answer: AnalyzeAnswer) -> dict[str, str]:
    """What stands first: that it is an example, and that the word below it is not settled."""
    told = [DEMO_WARNING] if answer.demo_mode else [answer.warning] if answer.warning else []
    if not answer.prediction.settled:
        told.append(f"NOT SETTLED: {answer.headline}. {answer.triage.text}")
    return {"warning": " ".join(told)} if told else {}


def label_answer(task: ImageTask, answer: AnalyzeAnswer) -> LabelAnswer:
    """The same answer in the labels of the task's first data set: the probabilities of each label's classes summed."""
    by_code = {row.code: row.confidence for row in answer.all_predictions}
    totals = label_probabilities(by_code, task.datasets[0].labels)
    named = label_of(task, answer.prediction.code)
    return LabelAnswer(
        **_open(answer),
        success=True,
        risk_level=named.capitalize(),
        probability=totals[named],
        classification=named,
        settled=answer.prediction.settled,
        triage=answer.triage,
        diagnosis=f"{answer.headline}. {answer.staging.description}",
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
        **_open(answer),
        success=True,
        prediction=answer.prediction.type.capitalize(),
        settled=answer.prediction.settled,
        triage=answer.triage,
        confidence=answer.prediction.confidence,
        model=answer.model,
        provenance=answer.provenance,
        demo_mode=answer.demo_mode,
        request_id=answer.request_id,
        processing_ms=answer.processing_ms,
        disclaimer=answer.disclaimer,
    )


def predicted_answer(
    answer: AnalyzeAnswer, result: dict[str, Any], prediction_id: UUID | None, file_id: UUID | None,
    patient_ref: str | None, warnings: tuple[str, ...],
) -> PredictedAnswer:  # fmt: skip
    """The same answer with what is kept of it. result: as it is kept; warnings: of the file."""
    return PredictedAnswer(
        **_open(answer),
        success=True,
        prediction_id=prediction_id,
        task=answer.model.task,
        prediction=answer.prediction.name,
        class_code=answer.prediction.code,
        confidence=answer.prediction.confidence,
        confidence_scores={one.name: one.confidence for one in answer.all_predictions},
        settled=answer.prediction.settled,
        headline=answer.headline,
        triage=answer.triage,
        heatmap_url=result["explanation"]["heatmap_url"],
        file_id=file_id,
        patient_ref=patient_ref,
        processing_time=answer.processing_ms / 1000,
        warnings=tuple(dict.fromkeys((*warnings, *answer.input_check.warnings))),
        result=result,
        demo_mode=answer.demo_mode,
        request_id=answer.request_id,
    )
