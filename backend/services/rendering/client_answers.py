"""An image answer in the shapes of single-purpose clients; nothing is computed here."""

from __future__ import annotations

from backend.schemas.images import AnalyzeAnswer, LabelAnswer, TissueAnswer
from ml_model.tasks.labels import label_of, label_probabilities
from ml_model.tasks.registry import ImageTask


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
