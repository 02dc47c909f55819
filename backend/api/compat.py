"""Shapes that single-purpose clients expect, answered by the same engine."""

from __future__ import annotations

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from backend.api.analyze import answer_upload
from backend.errors import NotFound
from backend.parsing import strict
from backend.schemas import AnalyzeQuery, LabelAnswer, to_json
from backend.services.container import Services
from backend.services.diagnosis import label_answer
from ml_model.spec import ImageTask

BREAST = "breast"


def blueprint(services: Services) -> APIBlueprint:
    """The routes of older clients."""
    api = APIBlueprint("compat", __name__, abp_tags=[Tag(name="Single-purpose clients", description="other shapes")])

    @api.post("/predict/breast-cancer", summary="Breast ultrasound in three labels", responses={200: LabelAnswer})
    @strict
    def breast_cancer() -> Response:
        """Send the ultrasound as multipart field `image`; the categories of the breast model are summed by label."""
        task = services.models.tasks.get(BREAST)
        if not isinstance(task, ImageTask):
            raise NotFound(f"there is no image task {BREAST!r} here; tasks: {', '.join(services.models.tasks)}")
        answer = answer_upload(services, task, AnalyzeQuery.model_validate({"explain": "none"}))
        return to_json(label_answer(task, answer))

    return api
