"""POST /analyze/<task> for every image task, and the heatmaps of the last answers."""

from __future__ import annotations

from collections.abc import Collection

from flask import Response, g
from flask_openapi3 import APIBlueprint, Tag

from backend.errors import NotFound
from backend.parsing import strict, uploaded_files
from backend.schemas.common import to_json
from backend.schemas.images import ActivationMapAnswer, AnalyzeAnswer, AnalyzeQuery
from backend.services.container import Services, request_context
from backend.services.rendering.ecg import wfdb_zip
from backend.services.rendering.heatmaps import Heatmap, activation_map_answer, overlay_png
from ml_model.diagnosis.case import Case
from ml_model.ecg.export import as_csv
from ml_model.tasks.registry import ImageTask

IMAGE, RECORD = "image", "record"
RECORD_FILES = 2  # a WFDB recording is a header and its signals


def answer_upload(
    services: Services,
    task: ImageTask,
    query: AnalyzeQuery,
    picture_field: str = IMAGE,
    parameters: Collection[str] = (),
) -> AnalyzeAnswer:
    """The answer to the upload in this request, counted: pictures, or the files of one recording.

    parameters: what the address takes in its query.
    """
    g.task = task.id
    fields = {picture_field: _most_pictures(services, task), **({RECORD: RECORD_FILES} if task.signal else {})}
    field, files = uploaded_files(fields, parameters)
    sent = tuple((file.filename or "", file.read()) for file in files)
    case = Case(
        pictures=() if field == RECORD else tuple(data for _, data in sent),
        recording=sent if field == RECORD else (),
        age_years=query.age_years,
        view=query.view,
        pixel_size_um=query.pixel_size_um,
        sampling_rate_hz=query.sampling_rate_hz,
        gate=query.gate,
    )
    answer = services.images.analyze(task, case, query, request_context())
    services.metrics.answers.labels(answer.model.task, answer.demo_mode).inc()
    return answer


def _most_pictures(services: Services, task: ImageTask) -> int:
    """Of the task or of those that it also reads."""
    read = (services.models.tasks[name] for name in (task.id, *task.also_reads))
    return max(t.input.max_pictures for t in read if isinstance(t, ImageTask))


def blueprint(services: Services) -> APIBlueprint:
    """The routes that take a picture."""
    api = APIBlueprint("analyze", __name__, abp_tags=[Tag(name="Images", description="a picture in, an answer out")])
    tasks = {task.id: task for task in services.models.tasks.values() if isinstance(task, ImageTask)}

    def kept_heatmap(answer_id: str) -> Heatmap:
        found = services.heatmaps.get(answer_id)
        if found is None:
            raise NotFound("this heatmap is not kept any more; analyse the picture again, or ask with ?explain=inline")
        return found

    @api.post("/analyze/<task>", summary="Analyse one picture", responses={200: AnalyzeAnswer})
    @strict
    def analyze(task: str, query: AnalyzeQuery) -> Response:
        """Send the picture as multipart field `image`; the answer names the class, its urgency and what to do."""
        if task not in tasks:
            raise NotFound(f"there is no image task {task!r:.80}; tasks: {', '.join(tasks)}")
        return to_json(answer_upload(services, tasks[task], query, parameters=AnalyzeQuery.model_fields))

    @api.get(
        "/heatmaps/<answer_id>.png",
        summary="The overlay of a recent answer",
        responses={200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}},
    )
    @strict
    def heatmap(answer_id: str) -> Response:
        """Kept in memory for the last answers, within 64 MB; the address is the answer's `heatmap_url`."""
        return Response(overlay_png(kept_heatmap(answer_id)), mimetype="image/png")

    @api.get("/heatmaps/<answer_id>.json", summary="The map of a recent answer", responses={200: ActivationMapAnswer})
    @strict
    def activation_map(answer_id: str) -> Response:
        """The numbers behind the overlay, kept as long; the address is the answer's `map_url`."""
        return to_json(activation_map_answer(kept_heatmap(answer_id)))

    @api.get(
        "/signals/<answer_id>.<kind>",
        summary="The signal read off a recent ECG page",
        responses={200: {"content": {"text/csv": {}, "application/zip": {}}}},
    )
    @strict
    def signal(answer_id: str, kind: str) -> Response:
        """CSV (mV, a row per sample) or a zip of WFDB files; the addresses are the answer's `recording` part."""
        found = services.signals.get(answer_id)
        if found is None or kind not in ("csv", "zip"):
            raise NotFound("this signal is not kept any more; analyse the page again, then ask for .csv or .zip")
        if kind == "csv":
            return Response(as_csv(found), mimetype="text/csv")
        return Response(wfdb_zip(found), mimetype="application/zip")

    return api
