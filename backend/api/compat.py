"""Shapes that single-purpose clients expect, answered by the same engine."""

from __future__ import annotations

from flask import session
from flask_openapi3 import APIBlueprint, Tag

from backend.api.analyze import IMAGE, image_task, uploaded_case
from backend.endpoint import strict
from backend.schemas.accounts import Account
from backend.schemas.images import (
    AnalyzeAnswer,
    AnalyzeQuery,
    HistoryAnswer,
    HistoryEntry,
    LabelAnswer,
    PictureQuery,
    TissueAnswer,
)
from backend.services.container import Services
from backend.services.records.sessions import HISTORY_ID, now
from backend.services.rendering.client_answers import label_answer, tissue_answer
from backend.telemetry import request_context
from ml_model.tasks.registry import ImageTask

BREAST, HISTOPATHOLOGY = "breast", "histopathology"

api = APIBlueprint("compat", __name__, abp_tags=[Tag(name="Single-purpose clients", description="other shapes")])


def _answer(services: Services, task: ImageTask, shown: PictureQuery, picture_field: str = IMAGE) -> AnalyzeAnswer:
    """No heatmap, and no handing over to another task, whose classes such a client does not know."""
    fixed = {"explain": "none", "modality": task.input.modality}
    query = AnalyzeQuery.model_validate(shown.model_dump(exclude_unset=True) | fixed)
    case = uploaded_case(services, task, query, picture_field, PictureQuery.model_fields)
    return services.images.analyze(task, case, query, request_context())


@api.post("/predict/breast-cancer", summary="Breast ultrasound in three labels", responses={200: LabelAnswer})
@strict
def breast_cancer(services: Services, account: Account | None, query: PictureQuery) -> LabelAnswer:
    """Send the ultrasound as multipart field `image`; the categories of the breast model are summed by label."""
    task = image_task(services, BREAST)
    return label_answer(task, _answer(services, task, query))


@api.post("/predict", summary="Breast histology, benign or malignant", responses={200: TissueAnswer})
@strict
def tissue(services: Services, account: Account | None, query: PictureQuery) -> TissueAnswer:
    """Send the picture as multipart field `file`. The answer is noted in the session's history (a cookie)."""
    task = image_task(services, HISTOPATHOLOGY)
    told = tissue_answer(_answer(services, task, query, picture_field="file"))
    if not told.demo_mode:
        entry = HistoryEntry(
            task=task.id,
            prediction=told.prediction,
            settled=told.settled,
            confidence=told.confidence,
            answered_at=now(),
            request_id=told.request_id,
            model_version=told.model.version,
        )
        session[HISTORY_ID] = services.sessions.add(session.get(HISTORY_ID), entry)
    return told


@api.get("/history", summary="This session's predictions", responses={200: HistoryAnswer})
@strict
def history(services: Services) -> HistoryAnswer:
    """Newest first; kept in memory, without the files."""
    entries = services.sessions.of(session.get(HISTORY_ID))
    return HistoryAnswer(success=True, history=entries, count=len(entries))
