"""Who works on which file: taken on for a time, handed back, settled once. All of it is in the database.

Whoever takes a file on holds it until the lease ends; after a crash another takes it on then. Settling needs the lease,
in the transaction that keeps the result: a file has one result, whoever was thought dead and was not.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session, aliased

from backend.errors import status_of
from backend.schemas.accounts import Account
from backend.services.batches.states import FAILED, OPEN, RUNNING, WAITING, clear_files, finish_if_done
from backend.storage.batch_tables import Batch, BatchItem
from backend.storage.database import Database
from backend.storage.files import FileStore
from backend.storage.tables import StoredFile, User
from ml_model.errors import MediDiagnoseError

MOST_ATTEMPTS = 5
_GAVE_UP = {
    "state": FAILED, "error_status": 500, "error_code": "gave_up", "lease": None,
    "file_id": None,
    "error": f"the work on this file was begun {MOST_ATTEMPTS} times and never ended; look at the file, or the log",
}  # fmt: skip


class LeaseLost(Exception):
    """Another has taken the file on meanwhile, or nobody waits for it any more."""


@dataclass(frozen=True)
class Claimed:
    """A file, or a frame of it, that is taken on. lease: of all that were taken on at once. attempts: this one
    included."""

    number: int
    batch_id: uuid.UUID
    position: int
    file_id: uuid.UUID | None
    size_bytes: int
    lease: uuid.UUID
    attempts: int
    account: Account
    task: str
    fields: dict[str, Any]
    frame: int | None = None


class Leases:
    """Files of batches that are to be answered."""

    def __init__(self, database: Database, files: FileStore, lease_s: float) -> None:
        self._database, self._files = database, files
        self.lease_s = lease_s

    def claim(self, most: int) -> list[Claimed]:
        """Take on up to `most` files of the oldest batch of the account that was served longest ago.

        One that was begun before is taken on alone: what kills its worker takes no others with it. What was begun too
        often is given up.
        """
        now, lease = datetime.now(UTC), uuid.uuid4()
        due = and_(BatchItem.batch_id == Batch.id, *_due(now))
        waiting = select(Batch).where(Batch.finished_at.is_(None), select(BatchItem.number).where(due).exists())
        # Also of batches that are finished: many small ones are no more turns than a large one.
        others = aliased(Batch)
        last = select(func.max(others.served_at)).where(others.user_id == Batch.user_id).correlate(Batch)
        waiting = waiting.order_by(last.scalar_subquery(), Batch.created_at, Batch.id)
        with self._database.writing() as session:
            batch = session.scalars(waiting.limit(1).with_for_update()).first()
            user = session.get(User, batch.user_id) if batch else None
            if batch is None or user is None:
                return []
            batch.served_at = now
            due_now = session.execute(_items(batch, now, most)).all()
            gone = _give_up(session, batch, [item for item, _ in due_now if item.attempts >= MOST_ATTEMPTS])
            account = Account(user.id, user.username, "user", "", "", user.generation, user.keep_answers)
            taken = []
            for item, size in _together([row for row in due_now if row[0].attempts < MOST_ATTEMPTS]):
                item.state, item.lease, item.attempts = RUNNING, lease, item.attempts + 1
                item.due_at = now + timedelta(seconds=self.lease_s)
                taken.append(
                    Claimed(
                        item.number, batch.id, item.position, item.file_id, size or 0, lease, item.attempts, account,
                        batch.task, batch.fields, item.frame,
                    )
                )  # fmt: skip
        self._files.remove(gone)
        return taken

    def renew(self, claimed: Claimed) -> None:
        """Hold what is still held of the lease for its whole time from now on."""
        until = datetime.now(UTC) + timedelta(seconds=self.lease_s)
        with self._database.writing() as session:
            held = (BatchItem.lease == claimed.lease, BatchItem.state == RUNNING)
            session.execute(update(BatchItem).where(*held).values(due_at=until))

    def put_back(self, claimed: Claimed, after_s: float, *, counted: bool = True) -> None:
        """Have another try, after some seconds. counted: as an attempt."""
        attempts = claimed.attempts if counted else claimed.attempts - 1
        values = {"state": WAITING, "lease": None, "due_at": datetime.now(UTC) + timedelta(seconds=after_s)}
        with self._database.writing() as session:
            session.execute(update(BatchItem).where(*_held(claimed)).values(**values, attempts=attempts))

    def fail(self, claimed: Claimed, error: MediDiagnoseError) -> None:
        """There will be no result. Raises LeaseLost."""
        with self._database.writing() as session:
            settle(session, claimed, **failure(error))

    def due_in_s(self) -> float | None:
        """Seconds until a file can be taken on, 0 where one can now; None where no batch is unfinished."""
        first = (
            select(func.min(BatchItem.due_at))
            .join(Batch, Batch.id == BatchItem.batch_id)
            .where(Batch.finished_at.is_(None), BatchItem.state.in_(OPEN))
        )
        with self._database.reading() as session:
            due = session.execute(first).scalar_one()
        return max(0.0, (due - datetime.now(UTC)).total_seconds()) if due else None

    def unserved(self, for_s: float) -> list[tuple[uuid.UUID, int, bool]]:
        """Batches with files that can be taken on, which nobody did, and no queue was told of, for some seconds: with
        the number of files, and whether a queue was told before."""
        now = datetime.now(UTC)
        since = now - timedelta(seconds=for_s)
        due = select(BatchItem.number).where(BatchItem.batch_id == Batch.id, *_due(now)).exists()
        told = Batch.told_at.is_(None) | ((Batch.told_at < since) & (Batch.served_at < since))
        with self._database.reading() as session:
            found = session.scalars(select(Batch).where(Batch.finished_at.is_(None), due, told))
            return [(one.id, one.total, one.told_at is not None) for one in found]

    def note_told(self, batch_id: uuid.UUID) -> None:
        """A queue holds a message of it."""
        with self._database.writing() as session:
            session.execute(update(Batch).where(Batch.id == batch_id).values(told_at=datetime.now(UTC)))


def _give_up(session: Session, batch: Batch, items: Sequence[BatchItem]) -> list[uuid.UUID]:
    """Those that bring down whoever takes them on. Returns their files, which go once this is kept."""
    if not items:
        return []
    gone = [item.file_id for item in items if item.file_id is not None]
    for item in items:
        for name, value in _GAVE_UP.items():
            setattr(item, name, value)
    session.flush()
    clear_files(session, gone)
    finish_if_done(session, batch)
    return gone


def _together(rows: Sequence[Any]) -> Sequence[Any]:
    """Of items with their sizes: the first alone, where it was begun before, or those that never were."""
    return rows[:1] if rows and rows[0][0].attempts else [row for row in rows if not row[0].attempts]


def settle(session: Session, claimed: Claimed, **values: Any) -> None:
    """What became of a file, once. Raises LeaseLost: nothing of the transaction may be kept then."""
    batch = session.get(Batch, claimed.batch_id, with_for_update=True)
    settled = update(BatchItem).where(*_held(claimed)).values(**values, lease=None, file_id=None)
    if batch is None or session.scalars(settled.returning(BatchItem.number)).first() is None:
        raise LeaseLost
    if claimed.file_id is not None:
        clear_files(session, [claimed.file_id])
    finish_if_done(session, batch)


def failure(error: MediDiagnoseError) -> dict[str, Any]:
    """An item's values for an error."""
    return {"state": FAILED, "error_status": status_of(error), "error_code": error.code, "error": str(error)}


def _due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return BatchItem.state.in_(OPEN), BatchItem.due_at <= now


def _held(claimed: Claimed) -> tuple[ColumnElement[bool], ...]:
    return BatchItem.number == claimed.number, BatchItem.lease == claimed.lease, BatchItem.state == RUNNING


def _items(batch: Batch, now: datetime, most: int) -> Any:
    return (
        select(BatchItem, StoredFile.size_bytes)
        .outerjoin(StoredFile, StoredFile.id == BatchItem.file_id)
        .where(BatchItem.batch_id == batch.id, *_due(now))
        .order_by(BatchItem.position)
        .limit(most)
        .with_for_update(skip_locked=True, of=BatchItem)
    )
