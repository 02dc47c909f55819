"""What a file of a batch can be at, and what happens once none is left to be answered."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from backend.storage.batch_tables import Batch, BatchItem
from backend.storage.tables import StoredFile

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
OPEN = (WAITING, RUNNING)


def clear_files(session: Session, file_ids: Collection[uuid.UUID]) -> None:
    """Rows of files that were waiting; the files go once this is kept."""
    session.execute(delete(StoredFile).where(StoredFile.id.in_(file_ids)))


def finish_if_done(session: Session, batch: Batch) -> None:
    """To be called with the batch's row held, so that of two last files one sees the other."""
    left = select(BatchItem.number).where(BatchItem.batch_id == batch.id, BatchItem.state.in_(OPEN)).limit(1)
    if batch.finished_at is None and session.scalars(left).first() is None:
        batch.finished_at = datetime.now(UTC)
