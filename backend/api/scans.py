"""Files of any kind: which task reads them is found out."""

from __future__ import annotations

from flask import current_app, g
from flask_openapi3 import APIBlueprint, Tag

from backend.endpoint import COUNT, keeper, strict, uploaded_files
from backend.schemas.accounts import Account
from backend.schemas.scans.answers import MOST_SCANS, AnyScanAnswer, ScanAnswer, ScanQuery, ScansAnswer
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
    names = tuple(field.alias or name for name, field in ScanQuery.model_fields.items())
    _, files = uploaded_files({FILE: MOST_SCANS}, names)
    sent = [(file.filename or "", file.read()) for file in files]
    keeps = keeper(account, query)
    for _ in files[1:] if keeps else ():  # each that is kept is counted
        current_app.extensions[COUNT]()
    told = services.scans.answer(sent, Asking(query, request_context(), keeps))
    if isinstance(told, ScanAnswer):
        g.task = told.model.task
    return told
