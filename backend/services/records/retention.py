"""What goes by itself: files that no row names, and, as the operator says, old records, batches and uploads."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.orm import Session

from backend.storage.audit import OPERATOR, Deed, append
from backend.storage.batch_tables import Batch
from backend.storage.database import Database
from backend.storage.files import FileStore
from backend.storage.tables import Prediction, Refusal, StoredFile

_BATCHES_AT_ONCE = 10  # each has up to thousands of rows
_AT_ONCE = 200  # in one transaction, so that whoever writes meanwhile waits for no more
_SWEPT_AFTER_S = 3600.0  # no request takes so long


@dataclass(frozen=True)
class Expired:
    """How many went."""

    records: int
    files: int
    batches: int = 0


def sweep(database: Database, files: FileStore, older_than_s: float = _SWEPT_AFTER_S) -> int:
    """Remove files that no record names, as a crash leaves them; how many. Raises RecordsUnavailable."""

    def is_known(file_id: uuid.UUID) -> bool:
        with database.reading() as session:
            return session.get(StoredFile, file_id) is not None

    with database.reading() as session:
        any_known = session.scalars(select(StoredFile.id).limit(1)).first() is not None
    return files.sweep(is_known, older_than_s, any_known=any_known)


def expire(database: Database, files: FileStore, before: datetime) -> Expired:
    """Take away records made before then, with their files, batches that were finished before then, and uploads of then
    that no record is of. Each is in the audit log. Raises RecordsUnavailable; what went until then is gone whole."""
    gone = 0
    records, batches = _all(database, _expire_records, before), _all(database, _expire_batches, before)
    while True:
        with database.writing() as session:
            ids = _expire_files(session, before)
        if not ids:
            break
        files.remove(ids)
        gone += len(ids)
    with database.writing() as session:
        session.execute(delete(Refusal).where(Refusal.day < before.date()))
    return Expired(records, gone, batches)


def _all(database: Database, some: Callable[[Session, datetime], int], before: datetime) -> int:
    """Have them go in parts; how many went."""
    gone = 0
    while True:
        with database.writing() as session:
            removed = some(session, before)
        if not removed:
            return gone
        gone += removed


def _expire_records(session: Session, before: datetime) -> int:
    """Some of them. Their files are then of no record, and as old."""
    chosen = select(Prediction.id).where(Prediction.created_at < before)
    ids = list(session.scalars(chosen.order_by(Prediction.number).limit(_AT_ONCE)))
    session.execute(delete(Prediction).where(Prediction.id.in_(ids)))
    append(session, *(Deed(OPERATOR, "expire", str(record_id)) for record_id in ids))
    return len(ids)


def _expire_batches(session: Session, before: datetime) -> int:
    """Some of those that are finished: their fields, and the names of their files. Records have an age of their own."""
    chosen = select(Batch.id).where(Batch.finished_at < before).limit(_BATCHES_AT_ONCE)
    ids = list(session.scalars(chosen))
    session.execute(delete(Batch).where(Batch.id.in_(ids)))
    append(session, *(Deed(OPERATOR, "batch_expire", str(batch_id)) for batch_id in ids))
    return len(ids)


def _expire_files(session: Session, before: datetime) -> list[uuid.UUID]:
    """Some of those that no record is of."""
    of_record = exists().where(or_(Prediction.file_id == StoredFile.id, Prediction.heatmap_id == StoredFile.id))
    chosen = select(StoredFile.id).where(StoredFile.created_at < before, ~of_record).limit(_AT_ONCE)
    ids = list(session.scalars(chosen))
    session.execute(delete(StoredFile).where(StoredFile.id.in_(ids)))
    append(session, *(Deed(OPERATOR, "file_expire", str(file_id)) for file_id in ids))
    return ids
