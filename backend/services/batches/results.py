"""What became of a batch's files: as JSON, and as a table that a spreadsheet may open."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, defer

from backend.schemas.batches import BatchAnswer, BatchError, BatchQuery, BatchResult
from backend.services.batches.states import CANCELLED, DONE, FAILED, RUNNING, WAITING
from backend.services.records.keeping import heatmap_address
from backend.storage.batch_tables import Batch, BatchItem
from backend.storage.tables import Prediction

# What a spreadsheet takes for the beginning of a formula.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
_COLUMNS = (
    "position", "name", "sha256", "state", "prediction_id", "class_code", "prediction", "confidence", "settled",
    "triage", "error_code", "error", "frame",
)  # fmt: skip


def results_of(batch_id: uuid.UUID) -> Select[BatchItem, Prediction | None]:
    """Items with their records, by position."""
    return (
        select(BatchItem, Prediction)
        .outerjoin(Prediction, Prediction.id == BatchItem.prediction_id)
        .where(BatchItem.batch_id == batch_id)
        .order_by(BatchItem.position)
        .options(defer(Prediction.result, raiseload=True))
    )


def batch_answer(session: Session, batch: Batch, query: BatchQuery) -> BatchAnswer:
    """Counted anew each time: a file is in one state."""
    by_state = (
        select(BatchItem.state, func.count()).where(BatchItem.batch_id == batch.id).group_by(BatchItem.state)
    )  # fmt: skip
    counts: dict[str, int] = dict(session.execute(by_state).all())
    page = results_of(batch.id).where(BatchItem.position > query.after).limit(query.per_page + 1)
    if query.state is not None:
        page = page.where(BatchItem.state == query.state)
    rows = session.execute(page).all()
    shown = tuple(result_answer(*row) for row in rows[: query.per_page])
    open_files = counts.get(WAITING, 0) + counts.get(RUNNING, 0)
    begun = open_files < batch.total or RUNNING in counts
    return BatchAnswer(
        success=True,
        batch_id=batch.id,
        batch_name=batch.name,
        task=batch.task,
        state="cancelled" if batch.cancelled else "finished" if batch.finished_at else "running" if begun else "queued",
        total=batch.total,
        waiting=counts.get(WAITING, 0),
        running=counts.get(RUNNING, 0),
        done=counts.get(DONE, 0),
        failed=counts.get(FAILED, 0),
        cancelled=counts.get(CANCELLED, 0),
        progress=1.0 - open_files / batch.total,
        created_at=batch.created_at,
        finished_at=batch.finished_at,
        results=shown,
        next_after=shown[-1].position if len(rows) > query.per_page else None,
        warnings=(),
    )


def result_answer(item: BatchItem, record: Prediction | None) -> BatchResult:
    """One file."""
    failed = item.error_code is not None
    told: dict[str, Any] = {
        "position": item.position, "frame": item.frame, "name": item.name, "sha256": item.sha256, "state": item.state,
        "prediction_id": record.id if record else None,
        "class_code": record.class_code if record else None,
        "prediction": record.class_name if record else None,
        "confidence": record.confidence if record else None,
        "settled": record.settled if record else None,
        "triage": record.triage_level if record else None,
        "heatmap_url": heatmap_address(record.id) if record and record.heatmap_id else None,
        "error": BatchError(status=item.error_status or 500, code=item.error_code or "", error=item.error or "")
        if failed else None,
    }  # fmt: skip
    return BatchResult.model_validate(told)


def as_csv(results: Iterable[BatchResult]) -> str:
    """A row a file. What a client or a file's name could make a formula of is marked as text."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(_COLUMNS)
    for one in results:
        told = one.model_dump(mode="json")
        error = told.pop("error") or {}
        told |= {"error_code": error.get("code"), "error": error.get("error")}
        writer.writerow([_cell(told[name]) for name in _COLUMNS])
    return stream.getvalue()


def as_json(results: Iterable[BatchResult]) -> str:
    """A list of the same."""
    return json.dumps({"results": [one.model_dump(mode="json") for one in results]}, allow_nan=False) + "\n"


def _cell(value: object) -> object:
    text = "" if value is None else value
    return f"'{text}" if isinstance(text, str) and text.startswith(_FORMULA) else text
