"""Files of any kind: which task reads them is found out."""

from __future__ import annotations

from flask import Response, current_app, g
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel

from backend.api.analyze import PNG, may_see
from backend.endpoint import COUNT, keeper, strict, uploaded_files
from backend.errors import NotFound
from backend.schemas.accounts import Account
from backend.schemas.scans.answers import MOST_SCANS, AnyScanAnswer, ScanAnswer, ScanQuery, ScansAnswer
from backend.schemas.scans.regions import ProcessAnswer, ProcessQuery
from backend.services.container import Services
from backend.services.scans.answering import Asking
from backend.telemetry import request_context

FILE = "file"
TAG = Tag(name="Any file", description="the kind is found out")
api = APIBlueprint("scans", __name__, abp_tags=[TAG])


@api.post("/api/analyze", summary="Analyse files of any kind", responses={200: AnyScanAnswer})
@strict
def scan(services: Services, account: Account | None, query: ScanQuery) -> ScanAnswer | ScansAnswer:
    """Send a picture, a DICOM file or an ECG recording as multipart field `file`, or several of them: the kind of each
    is found out, unless `scan_type` says it. Several files get an answer or an error each, but for a WFDB header, which
    goes with the signal file that it names. The same file asked about in the same way is answered from memory, within
    an hour (`cached`). Nothing is kept, unless an account asks for it."""
    sent = _files(MOST_SCANS, ScanQuery)
    keeps = keeper(account, query)
    for _ in sent[1:] if keeps else ():  # each that is kept is counted
        current_app.extensions[COUNT]()
    told = services.scans.answer(sent, Asking(query, request_context(), keeps))
    if isinstance(told, ScanAnswer):
        g.task = told.model.task
    return told


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
    parameters = tuple(field.alias or name for name, field in query.model_fields.items())
    _, files = uploaded_files({FILE: most}, parameters)
    return tuple((file.filename or "", file.read()) for file in files)
