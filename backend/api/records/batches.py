"""Many files at once."""

from __future__ import annotations

import functools
import re

from flask import Response, g, request
from flask_openapi3 import APIBlueprint, Tag

from backend.api.analyze import image_task
from backend.api.records.predictions import record_id
from backend.endpoint import strict, to_json
from backend.schemas.accounts import Account
from backend.schemas.batches import IDEMPOTENCY_KEY, KEY_PATTERN, AcceptedAnswer, BatchAnswer, BatchQuery, ExportQuery
from backend.services.container import Services
from backend.telemetry import request_context
from ml_model.errors import EmptyInput, InvalidValue

REPLAYED = "Idempotency-Replayed"
_KEY = re.compile(KEY_PATTERN)
EXPORTED = {
    "content": {
        "text/csv": {"schema": {"type": "string"}},
        "application/json": {"schema": {"type": "object"}},
    }
}
TAG = Tag(name="Batches", description="many files, each with a result that is kept or an error")
api = APIBlueprint("batches", __name__, url_prefix="/api/v1", abp_tags=[TAG])


@api.post("/batch-predict", summary="Have many files answered", responses={202: AcceptedAnswer})
@strict
def submit(services: Services, account: Account) -> Response:
    """Multipart: files as `files`, each what POST /analyze/<task> reads of one (a picture, a page, a recording that is
    one file), or one zip of them; beside them `task`, `batch_name`, `patient_ref`, `keep_names`, `frames`
    and what POST /analyze/<task> takes in its query. The same Idempotency-Key with the same content makes one batch,
    however often it is sent."""
    from backend.services.batches.book import Sent

    request.max_content_length = services.config.batch_body_bytes
    if request.mimetype != "multipart/form-data":
        received = request.mimetype or "no Content-Type"
        raise EmptyInput(f"no file was sent (received {received:.80}); send multipart/form-data: curl -F files=@a.jpg")
    boundary = request.mimetype_params.get("boundary", "").encode("latin-1", "replace")
    sent = Sent(request.stream, boundary, _key(), request_context())
    told, repeated = services.records.open().batches.submit(account, sent, functools.partial(image_task, services))
    response = to_json(told, 202)
    response.headers["Location"] = told.status_url
    if repeated:
        response.headers[REPLAYED] = "true"
    return response


def _key() -> str | None:
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidValue(f"{IDEMPOTENCY_KEY}: expected 1 to 128 visible characters of ASCII, such as a UUID")
    return key


@api.get("/batches/<batch_id>", summary="How far a batch is", responses={200: BatchAnswer})
@strict
def one(services: Services, account: Account, batch_id: str, query: BatchQuery) -> BatchAnswer:
    """Counts, and a page of results and errors, also of a batch that is not finished."""
    return services.records.open().batches.one(account, record_id(batch_id), query, g.request_id)


@api.delete("/batches/<batch_id>", summary="Cancel a batch", responses={200: BatchAnswer})
@strict
def cancel(services: Services, account: Account, batch_id: str) -> BatchAnswer:
    """What is not answered yet will not be; results stay, also those of a batch that is finished."""
    return services.records.open().batches.cancel(account, record_id(batch_id), g.request_id)


@api.get("/batches/<batch_id>/export", summary="All results of a batch", responses={200: EXPORTED})
@strict
def export(services: Services, account: Account, batch_id: str, query: ExportQuery) -> Response:
    """A row a file, by position. In the CSV, a cell that a spreadsheet would take for a formula begins with an
    apostrophe."""
    from backend.services.batches.results import as_csv, as_json

    wanted = record_id(batch_id)
    found = services.records.open().batches.all_results(account, wanted, g.request_id)
    text, kind = (as_csv(found), "text/csv") if query.format == "csv" else (as_json(found), "application/json")
    response = Response(text, mimetype=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="batch-{wanted}.{query.format}"'
    return response
