"""Shapes that single-purpose clients expect, answered by the same engine."""

from __future__ import annotations

from flask import Response, session
from flask_openapi3 import APIBlueprint, Tag

from backend.api.analyze import answer_upload
from backend.errors import NotFound
from backend.parsing import strict
from backend.schemas.common import to_json
from backend.schemas.images import AnalyzeQuery, HistoryAnswer, HistoryEntry, LabelAnswer, TissueAnswer
from backend.services.container import Services
from backend.services.records.sessions import HISTORY_ID, now
from backend.services.rendering.responses import label_answer, tissue_answer
from ml_model.tasks.registry import ImageTask

BREAST, HISTOPATHOLOGY = "breast", "histopathology"


def _own_kind_only(task: ImageTask) -> AnalyzeQuery:
    """No heatmap, and no handing over to another task, whose classes such a client does not know."""
    return AnalyzeQuery.model_validate({"explain": "none", "modality": task.input.modality})


def blueprint(services: Services) -> APIBlueprint:
    """The routes of older clients."""

    def image_task(task_id: str) -> ImageTask:
        task = services.models.tasks.get(task_id)
        if not isinstance(task, ImageTask):
            raise NotFound(f"there is no image task {task_id!r} here; tasks: {', '.join(services.models.tasks)}")
        return task

    api = APIBlueprint("compat", __name__, abp_tags=[Tag(name="Single-purpose clients", description="other shapes")])

    @api.post("/predict/breast-cancer", summary="Breast ultrasound in three labels", responses={200: LabelAnswer})
    @strict
    def breast_cancer() -> Response:
        """Send the ultrasound as multipart field `image`; the categories of the breast model are summed by label."""
        task = image_task(BREAST)
        answer = answer_upload(services, task, _own_kind_only(task))
        return to_json(label_answer(task, answer))

    @api.post("/predict", summary="Breast histology, benign or malignant", responses={200: TissueAnswer})
    @strict
    def tissue() -> Response:
        """Send the picture as multipart field `file`. The answer is noted in the session's history (a cookie)."""
        task = image_task(HISTOPATHOLOGY)
        answer = answer_upload(services, task, _own_kind_only(task), picture_field="file")
        told = tissue_answer(answer)
        if not answer.demo_mode:
            entry = HistoryEntry(
                task=task.id,
                prediction=told.prediction,
                confidence=told.confidence,
                answered_at=now(),
                request_id=told.request_id,
                model_version=told.model.version,
            )
            session[HISTORY_ID] = services.sessions.add(session.get(HISTORY_ID), entry)
        return to_json(told)

    @api.get("/history", summary="This session's predictions", responses={200: HistoryAnswer})
    @strict
    def history() -> Response:
        """Newest first; kept in memory, without the files."""
        entries = services.sessions.of(session.get(HISTORY_ID))
        return to_json(HistoryAnswer(success=True, history=entries, count=len(entries)))

    return api
