"""POST /analyze/<task> for every image task, and the heatmaps of the last answers."""

from __future__ import annotations

import contextlib
from collections.abc import Collection

from flask import Response, current_app, g
from flask_openapi3 import APIBlueprint, Tag

from backend.api.fhir import as_fhir
from backend.endpoint import IDENTIFY, keeper, strict, uploaded_files, wants_fhir
from backend.errors import NotFound, Unauthenticated
from backend.schemas.accounts import Account
from backend.schemas.common import Answer
from backend.schemas.images import ActivationMapAnswer, AnalyzeAnswer, AnalyzeQuery
from backend.schemas.kept import KeptAnalyzeQuery
from backend.schemas.requests import RECORD_FILES
from backend.services.container import Services
from backend.services.rendering.ecg import wfdb_zip
from backend.services.rendering.heatmaps import Heatmap, activation_map_answer, overlay_png
from backend.telemetry import request_context
from ml_model.diagnosis.case import Case
from ml_model.ecg.export import as_csv
from ml_model.inputs.dicom.presentation import Presentation
from ml_model.tasks.registry import ImageTask

IMAGE, RECORD = "image", "record"
PNG = {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}

api = APIBlueprint("analyze", __name__, abp_tags=[Tag(name="Images", description="a picture in, an answer out")])


def image_task(services: Services, task_id: str) -> ImageTask:
    """Raises NotFound with the image tasks that there are."""
    known = {task.id: task for task in services.models.image_tasks}
    if task_id not in known:
        raise NotFound(f"there is no image task {task_id!r:.80}; tasks: {', '.join(known)}")
    return known[task_id]


def uploaded_case(
    services: Services,
    task: ImageTask,
    query: AnalyzeQuery,
    picture_field: str = IMAGE,
    parameters: Collection[str] = (),
) -> Case:
    """What this request sends: pictures, or the files of one recording. parameters: what the address takes in its
    query. Raises EmptyInput and UnknownField."""
    g.task = task.id
    tasks = services.models.tasks
    read = [task, *(t for name in task.also_reads if isinstance(t := tasks[name], ImageTask))]
    fields = {picture_field: max(t.input.max_pictures for t in read), **({RECORD: RECORD_FILES} if task.signal else {})}
    field, files = uploaded_files(fields, parameters)
    sent = tuple((file.filename or "", file.read()) for file in files)
    return Case(
        pictures=() if field == RECORD else tuple(data for _, data in sent),
        recording=sent if field == RECORD else (),
        age_years=query.age_years,
        sex=query.sex,
        view=query.view,
        pixel_size_um=query.pixel_size_um,
        sampling_rate_hz=query.sampling_rate_hz,
        gate=query.gate,
        presentation=Presentation(query.frame, query.window),
    )


@api.post("/analyze/<task>", summary="Analyse one picture", responses={200: AnalyzeAnswer})
@strict
def analyze(services: Services, account: Account | None, task: str, query: KeptAnalyzeQuery) -> Answer | Response:
    """Send the picture as multipart field `image`; the answer names the class, its urgency and what to do. Nothing is
    kept, unless an account asks for it."""
    known, asked = image_task(services, task), query.asked()
    case = uploaded_case(services, known, asked, parameters=KeptAnalyzeQuery.model_fields)
    if (keeps := keeper(account, query)) is None:
        answer = services.images.analyze(known, case, asked, request_context())
    else:
        kept = services.records.open().answers
        answer = kept.picture(keeps, query, known, case, asked, services.images, request_context())
    return as_fhir(services, keeps, answer, case) if wants_fhir() else answer


@api.get("/heatmaps/<answer_id>.png", summary="The overlay of a recent answer", responses={200: PNG})
@strict
def heatmap(services: Services, answer_id: str) -> Response:
    """Kept in memory for the last answers, within 64 MB, for an hour; the address is the answer's `heatmap_url`."""
    return Response(overlay_png(_kept_heatmap(services, answer_id)), mimetype="image/png")


@api.get("/heatmaps/<answer_id>.json", summary="The map of a recent answer", responses={200: ActivationMapAnswer})
@strict
def activation_map(services: Services, answer_id: str) -> ActivationMapAnswer:
    """The numbers behind the overlay, kept as long; the address is the answer's `map_url`."""
    return activation_map_answer(_kept_heatmap(services, answer_id))


def _kept_heatmap(services: Services, answer_id: str) -> Heatmap:
    found = services.images.heatmap(answer_id)
    if found is None or not may_see(found.owner):
        raise NotFound("this heatmap is not kept any more; analyse the picture again, or ask with ?explain=inline")
    return found.content


def may_see(owner: str | None) -> bool:
    """What an account's answer left is shown to nobody else, and that there is something is not told."""
    if owner is None:
        return True
    with contextlib.suppress(Unauthenticated):
        account = current_app.extensions[IDENTIFY](required=False)
        return account is not None and str(account.id) == owner
    return False


@api.get(
    "/signals/<answer_id>.<kind>",
    summary="The signal read off a recent ECG page",
    responses={
        200: {
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "application/zip": {"schema": {"type": "string", "format": "binary"}},
            }
        }
    },
)
@strict
def signal(services: Services, answer_id: str, kind: str) -> Response:
    """CSV (mV, a row per sample) or a zip of WFDB files; the addresses are the answer's `recording` part."""
    found = services.images.signal(answer_id)
    if found is None or kind not in ("csv", "zip") or not may_see(found.owner):
        raise NotFound("this signal is not kept any more; analyse the page again, then ask for .csv or .zip")
    if kind == "csv":
        return Response(as_csv(found.content), mimetype="text/csv")
    return Response(wfdb_zip(found.content), mimetype="application/zip")
