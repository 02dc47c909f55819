"""What goes by itself: files that no row names, and, as the operator says, old records, batches and uploads."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, or_, select

from backend.storage.audit import OPERATOR, Deed, append
from backend.storage.batch_tables import Batch
from backend.storage.database import Database
from backend.storage.files import FileStore
from backend.storage.tables import Prediction, Refusal, StoredFile

_BATCHES_AT_ONCE = 10  # each has up to thousands of rows
_AT_ONCE = 200  # in one question or transaction, so that whoever writes meanwhile waits for no more
_Aged = type[Prediction] | type[Batch] | type[StoredFile]
_SWEPT_AFTER_S = 3600.0  # no request takes so long


@dataclass(frozen=True)
class Expired:
    """How many went."""

    records: int
    files: int
    batches: int = 0


def sweep(database: Database, files: FileStore, older_than_s: float = _SWEPT_AFTER_S) -> int:
    """Remove files that no record names, as a crash leaves them; how many. Raises RecordsUnavailable."""

    def known(file_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
        asked, found = list(file_ids), set[uuid.UUID]()
        for start in range(0, len(asked), _AT_ONCE):
            with database.reading() as session:
                these = StoredFile.id.in_(asked[start : start + _AT_ONCE])
                found.update(session.scalars(select(StoredFile.id).where(these)))
        return found

    with database.reading() as session:
        any_known = session.scalars(select(StoredFile.id).limit(1)).first() is not None
    return files.sweep(known, older_than_s, any_known=any_known)


def expire(database: Database, files: FileStore, before: datetime) -> Expired:
    """Take away records made before then, with their files, batches that were finished before then, and uploads of then
    that no record is of. Each is in the audit log. Raises RecordsUnavailable; what went until then is gone whole."""
    records = sum(map(len, _gone(database, Prediction, (Prediction.created_at < before,), "expire")))
    batches = sum(map(len, _gone(database, Batch, (Batch.finished_at < before,), "batch_expire", _BATCHES_AT_ONCE)))
    of_record = exists().where(or_(Prediction.file_id == StoredFile.id, Prediction.heatmap_id == StoredFile.id))
    chosen = (StoredFile.created_at < before, ~of_record.correlate(StoredFile))
    removed = 0
    for ids in _gone(database, StoredFile, chosen, "file_expire"):
        files.remove(ids)
        removed += len(ids)
    with database.writing() as session:
        session.execute(delete(Refusal).where(Refusal.day < before.date()))
    return Expired(records, removed, batches)


def _gone(
    database: Database, table: _Aged, chosen: tuple[ColumnElement[bool], ...], action: str, at_once: int | None = None
) -> Iterator[list[uuid.UUID]]:
    """Take rows away in parts; the ids of each part. Rows are looked for once, by a reader: no index has their age, and
    writers do not wait for it. What was chosen is then held and looked at again: an upload may be a record's now."""
    with database.reading() as session:
        found = list(session.scalars(select(table.id).where(*chosen)))
    most = at_once or _AT_ONCE
    for start in range(0, len(found), most):
        these = table.id.in_(found[start : start + most])
        with database.writing() as session:
            session.execute(select(table.id).where(these).order_by(table.id).with_for_update()).all()
            taken = delete(table).where(these, *chosen).returning(table.id)
            ids = list(session.scalars(taken.execution_options(synchronize_session=False)))
            append(session, *(Deed(OPERATOR, action, str(one)) for one in ids))
        yield ids
