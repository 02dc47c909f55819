"""Uploads, and predictions that are kept."""

from __future__ import annotations

from uuid import UUID

from flask import Response, g, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import ValidationError

from backend.api.analyze import PNG, RECORD, image_task
from backend.endpoint import body_bytes, strict, to_json, uploaded_files
from backend.errors import NotFound
from backend.schemas.accounts import Account, DoneAnswer
from backend.schemas.images import PictureQuery
from backend.schemas.records import DEFAULT_TASK, PredictBody, PredictedAnswer, UploadAnswer, UploadQuery
from backend.schemas.requests import RECORD_FILES
from backend.services.container import Services
from backend.telemetry import request_context
from ml_model.errors import EmptyInput, UnknownField
from ml_model.inputs.dicom.presentation import Presentation
from ml_model.inputs.json_body import read_body, refuse

FILE = "file"
UNCHANGED = {"description": "the picture whose ETag came as If-None-Match is still the same"}
BINARY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
TAG = Tag(name="Records", description="what is kept of an account's cases")
api = APIBlueprint("kept", __name__, url_prefix="/api/v1", abp_tags=[TAG])


def record_id(text: str) -> UUID:
    """An id of the address. Raises NotFound where it is none: there is nothing of that name."""
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound("there is no such record: the address has no id of one") from error


@api.post("/upload", summary="Keep a picture or a recording", responses={201: UploadAnswer})
@strict
def upload(services: Services, account: Account, query: UploadQuery) -> Response:
    """Multipart field `file`: PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF or DICOM. The copy that is kept has the pixels and
    the orientation, and nothing else (of AVIF as PNG); a DICOM file is de-identified by PS3.15's basic profile, its
    UIDs kept. Or `record`: the files of an ECG recording, as POST /analyze/heart takes them; its signal is kept."""
    field, files = uploaded_files({FILE: 1, RECORD: RECORD_FILES}, UploadQuery.model_fields)
    known = [task.id for task in services.models.image_tasks]
    task = image_task(services, DEFAULT_TASK if DEFAULT_TASK in known else known[0] if known else DEFAULT_TASK)
    keeping = services.records.open().keeping
    parts = tuple((file.filename or "", file.read()) for file in files)
    sent: bytes | tuple[tuple[str, bytes], ...] = parts if field == RECORD else parts[0][1]
    told = keeping.upload(account, sent, task, request_context(), query.sampling_rate_hz)
    return to_json(told, 201)


@api.post("/predict", summary="Answer a picture or a recording and keep the answer", responses={200: PredictedAnswer})
@strict
def predict(services: Services, account: Account) -> PredictedAnswer:
    """JSON with `file_id` of an upload, or a form with a picture, or a recording that is one file, as `file`; beside it
    `task`, `patient_ref` and what POST /analyze/<task> takes in its query. A recording of two files is uploaded first.
    What cannot be kept (a page of PDF) is answered, and its record has no file."""
    body, sent = _asked()
    task = image_task(services, body.task)
    g.task = task.id
    keeping = services.records.open().keeping
    return keeping.predict(account, body, sent, task, services.images, request_context())


def _asked() -> tuple[PredictBody, bytes | None]:
    """The case, and the picture where it was sent along. Raises EmptyInput, UnknownField, InvalidValue."""
    if request.mimetype != "multipart/form-data":
        return read_body(body_bytes(), PredictBody), None
    files, texts = request.files, request.form
    if unknown := next((name for name in files if name != FILE), None):
        raise UnknownField(
            f"unknown file field {unknown!r:.80}; send the picture as {FILE}, a recording to POST /api/v1/upload"
        )
    if twice := next((name for name, values in texts.lists() if len(values) > 1), None):
        raise UnknownField(f"the field {twice!r:.80} is there twice; send each once")
    sent = files.getlist(FILE)
    if len(sent) != 1 or "file_id" in texts:
        raise EmptyInput(f"send exactly one picture as {FILE}, or its file_id as JSON")
    try:
        return PredictBody.model_validate(texts.to_dict()), sent[0].read()
    except ValidationError as error:
        refuse(error, "form")


@api.get("/files/<file_id>", summary="A file that is kept", responses={200: BINARY})
@strict
def file(services: Services, account: Account, file_id: str) -> Response:
    """As it is kept; the header says which format it is."""
    form, data = services.records.open().history.file(account, record_id(file_id), g.request_id)
    response = Response(data, mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="{record_id(file_id)}.{form.lower()}"'
    return response


@api.get("/render/<file_id>", summary="A frame of an upload (PNG)", responses={200: PNG, 304: UNCHANGED})
@strict
def render(services: Services, account: Account, file_id: str, query: PictureQuery) -> Response:
    """Any frame of an own upload at any window, whole and upright, its longer side of 2,048 pixels at most: what an
    answer with the same parameters is of. The browser may keep it, nobody between."""
    viewer, asked, shown = services.records.open().viewer, record_id(file_id), Presentation(query.frame, query.window)
    context = request_context()
    tag = viewer.tag(account, asked, shown, context.request_id)
    response = Response(mimetype="image/png")
    if tag in request.if_none_match:
        response.status_code = 304
    else:
        response.data = viewer.png(asked, shown, context)
    response.set_etag(tag)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@api.delete("/files/<file_id>", summary="Delete an upload", responses={200: DoneAnswer})
@strict
def delete_file(services: Services, account: Account, file_id: str) -> DoneAnswer:
    """One that no record is of; that of a record goes with the record."""
    services.records.open().history.delete_file(account, record_id(file_id), g.request_id)
    return DoneAnswer(success=True)
