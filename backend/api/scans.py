"""Files of any kind: which task reads them is found out."""

from __future__ import annotations

from flask import Response, current_app, g, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel

from backend.api.analyze import PNG, may_see
from backend.api.fhir import as_fhir
from backend.endpoint import COUNT, keeper, strict, to_json, uploaded_files, wants_fhir
from backend.errors import NotAcceptable, NotFound, on_disk
from backend.schemas.accounts import Account
from backend.schemas.common import Answer
from backend.schemas.scans.answers import MOST_SCANS, AnyScanAnswer, ScanAnswer, ScanQuery
from backend.schemas.scans.regions import ProcessAnswer, ProcessQuery
from backend.schemas.scans.series import SeriesAnswer, SeriesQuery
from backend.services.container import Services
from backend.services.scans.answering import Asking
from backend.telemetry import request_context
from ml_model.diagnosis.case import Case
from ml_model.diagnosis.routing import sent_together

FILE = "file"
TAG = Tag(name="Any file", description="the kind is found out")
api = APIBlueprint("scans", __name__, abp_tags=[TAG])


@api.post("/api/analyze", summary="Analyse files of any kind", responses={200: AnyScanAnswer})
@strict
def scan(services: Services, account: Account | None, query: ScanQuery) -> Answer | Response:
    """Send a picture, a DICOM file or an ECG recording as multipart field `file`, or several of them: the kind of each
    is found out, unless `scan_type` says it. Several files get an answer or an error each, but for a WFDB header, which
    goes with the signal file that it names. The same file asked about in the same way is answered from memory, within
    an hour (`cached`). Nothing is kept, unless an account asks for it."""
    sent = _files(MOST_SCANS, ScanQuery)
    if wants_fhir() and len(sent_together(sent)) > 1:
        raise NotAcceptable("a FHIR bundle is of one case: send each file alone, or ask for application/json")
    keeps = keeper(account, query)
    for _ in sent[1:] if keeps else ():  # each that is kept is counted
        current_app.extensions[COUNT]()
    told = services.scans.answer(sent, Asking(query, request_context(), keeps))
    if isinstance(told, ScanAnswer):
        g.task = told.model.task
        if wants_fhir():
            return as_fhir(services, keeps, told, Case(pictures=tuple(data for _, data in sent)))
    return told


@api.post("/api/analyze/series", summary="Analyse a series of slices", responses={202: SeriesAnswer})
@strict
def series(services: Services, account: Account | None, query: SeriesQuery) -> Response:
    """Send a zip of the DICOM files of one CT or MR series as multipart field `file`, or one DICOM file of several
    frames: evenly spread slices are answered one by one in the background, and the gravest counts. The answer says
    where to ask how far it is. At most 32 MB without an account, with one as much as a batch may have."""
    if account is not None:
        request.max_content_length = services.config.batch_body_bytes
        services.config.data_dir.mkdir(parents=True, exist_ok=True)
        request.file_dir = services.config.data_dir  # type: ignore[attr-defined]  # ours is an UploadRequest
    with on_disk():
        _, files = uploaded_files({FILE: 1}, _parameters(SeriesQuery))
    told = services.series.begin(files[0].stream, query, request_context())
    response = to_json(told, 202)
    response.headers["Location"] = told.status_url
    return response


@api.get("/api/analyze/series/<answer_id>", summary="How far a series is", responses={200: SeriesAnswer})
@strict
def series_state(services: Services, answer_id: str) -> SeriesAnswer:
    """The slices that are answered so far, and once all are the gravest one's answer; kept in memory for an hour."""
    found = services.series.look(answer_id, request_context())
    if found is None or not may_see(found.owner):
        raise NotFound("this series is not known any more; send it again")
    return found.content


@api.post(
    "/process-image", summary="The region of interest of a picture, and views of it", responses={200: ProcessAnswer}
)
@strict
def process_image(services: Services, account: Account | None, query: ProcessQuery) -> ProcessAnswer:
    """Send a picture as multipart field `file`; its kind is found out, unless `scan_type` says it. Where the activation
    map is strong, the region is outlined by the picture's own levels: contours, box and area, in mm where the file says
    the pixel spacing. The views are kept as heatmaps are. Nothing is kept as a record."""
    told = services.processing.process(_files(1, ProcessQuery), query, request_context())
    g.task = told.model.task
    return told


@api.get("/regions/<answer_id>/<part>.png", summary="A view of a recent picture", responses={200: PNG})
@strict
def region_view(services: Services, answer_id: str, part: str) -> Response:
    """What was cut out, the mask, the outline or the evened contrast; kept in memory for the last pictures, within 64
    MB, for an hour."""
    found = services.processing.view(answer_id, part)
    if found is None or not may_see(found.owner):
        raise NotFound("this view is not kept any more; send the picture again, or ask with ?images=inline")
    return Response(found.content, mimetype="image/png")


def _files(most: int, query: type[BaseModel]) -> tuple[tuple[str, bytes], ...]:
    """Name and content of each that was sent. Raises EmptyInput and UnknownField."""
    _, files = uploaded_files({FILE: most}, _parameters(query))
    return tuple((file.filename or "", file.read()) for file in files)


def _parameters(query: type[BaseModel]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in query.model_fields.items())
