"""POST /analyze/<task> for every image task, and the heatmaps of the last answers."""

from __future__ import annotations

from flask import Response, g
from flask_openapi3 import APIBlueprint, Tag

from backend.errors import NotFound
from backend.parsing import strict, uploaded_file
from backend.schemas import AnalyzeAnswer, AnalyzeQuery, to_json
from backend.services.container import Services, request_context
from backend.services.heatmaps import overlay_png
from ml_model.spec import ImageTask


def answer_upload(services: Services, task: ImageTask, query: AnalyzeQuery) -> AnalyzeAnswer:
    """The answer to the picture in this request, counted."""
    g.task = task.id
    answer = services.images.analyze(task, uploaded_file().read(), query, request_context())
    services.metrics.answers.labels(task.id, answer.demo_mode).inc()
    return answer


def blueprint(services: Services) -> APIBlueprint:
    """The routes that take a picture."""
    api = APIBlueprint("analyze", __name__, abp_tags=[Tag(name="Images", description="a picture in, an answer out")])
    tasks = {task.id: task for task in services.models.tasks.values() if isinstance(task, ImageTask)}

    @api.post("/analyze/<task>", summary="Analyse one picture", responses={200: AnalyzeAnswer})
    @strict
    def analyze(task: str, query: AnalyzeQuery) -> Response:
        """Send the picture as multipart field `image`; the answer names the class, its urgency and what to do."""
        if task not in tasks:
            raise NotFound(f"there is no image task {task!r:.80}; tasks: {', '.join(tasks)}")
        return to_json(answer_upload(services, tasks[task], query))

    @api.get(
        "/heatmaps/<answer_id>.png",
        summary="The overlay of a recent answer",
        responses={200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}},
    )
    @strict
    def heatmap(answer_id: str) -> Response:
        """Kept in memory for the last few hundred answers; the address is the answer's `heatmap_url`."""
        found = services.heatmaps.get(answer_id)
        if found is None:
            raise NotFound("this heatmap is not kept any more; analyse the picture again, or ask with ?explain=inline")
        return Response(overlay_png(found), mimetype="image/png")

    return api
