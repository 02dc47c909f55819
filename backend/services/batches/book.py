"""Batches as their owner sees them: sent, looked at, cancelled."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from pydantic import ValidationError
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.errors import IdempotencyKeyReused, NotFound, QuotaExceeded, RecordsUnavailable, TooManyBatches
from backend.schemas.accounts import Account
from backend.schemas.batches import (
    IDEMPOTENCY_KEY,
    AcceptedAnswer,
    AcceptedFile,
    BatchAnswer,
    BatchBody,
    BatchQuery,
    BatchResult,
)
from backend.services.batches.executor import Executor
from backend.services.batches.form import FormReader, SentFile, SentForm
from backend.services.batches.frames import FrameReader
from backend.services.batches.results import batch_answer, result_answer, results_of
from backend.services.batches.states import CANCELLED, OPEN, WAITING, clear_files
from backend.services.records.accounts import Room, check_quota, hold, kept
from backend.storage.audit import Deed, append, note
from backend.storage.batch_tables import NEVER, Batch, BatchItem
from backend.storage.database import Database
from backend.storage.files import FileStore
from backend.storage.tables import StoredFile
from backend.telemetry import RequestContext
from ml_model.errors import InvalidValue
from ml_model.inputs.json_body import refuse

PENDING = "pending"  # a file as it was sent, until it is answered
_OTHERWISE = {"batch_name", "frames", "keep_names", "task"}


@dataclass(frozen=True)
class Sent:
    """A request to make a batch. key: of the header Idempotency-Key."""

    stream: IO[bytes]
    boundary: bytes
    key: str | None
    context: RequestContext


class _Unsure(RecordsUnavailable):
    """The database went away, perhaps as it kept the batch."""


@contextmanager
def _sure() -> Iterator[None]:
    try:
        yield
    except RecordsUnavailable as error:
        raise _Unsure(f"{error}; with the same {IDEMPOTENCY_KEY} it is made once, however often it is sent") from error


class _Store:
    """Keeps what is read of a form, as far as the quota goes, or takes it all away again."""

    def __init__(self, files: FileStore, room_bytes: int) -> None:
        self._files, self._room_bytes = files, room_bytes
        self.kept: list[uuid.UUID] = []

    def put(self, data: bytes) -> uuid.UUID:
        """Raises QuotaExceeded, RecordsUnavailable."""
        self._room_bytes -= len(data)
        if self._room_bytes < 0:
            raise QuotaExceeded("these files pass the quota of this account: delete records that are not needed")
        self.kept.append(uuid.uuid4())
        self._files.put(self.kept[-1], data)
        return self.kept[-1]


class _Nowhere:
    """For a request that is only compared with an earlier one."""

    def put(self, data: bytes) -> None:
        """Keeps nothing."""


class BatchBook:
    """What accounts send and ask. most_unfinished: batches of one account. executor: has the batches worked on."""

    def __init__(
        self, database: Database, files: FileStore, quota_bytes: int, frames: FrameReader, spool_dir: Path,
        most_unfinished: int, executor: Executor,
    ) -> None:  # fmt: skip
        self._database, self._files, self._quota_bytes = database, files, quota_bytes
        self._most_unfinished, self._frames = most_unfinished, frames
        self._limits, self._spool_dir, self._executor = frames.limits, spool_dir, executor

    def submit(self, account: Account, sent: Sent, check_task: Callable[[str], object]) -> tuple[AcceptedAnswer, bool]:
        """The batch, and whether the request is a repetition of the one that made it.

        Raises the errors of `FormReader.read` and of `check_task`, UnknownField, InvalidValue, IdempotencyKeyReused,
        QuotaExceeded, TooManyBatches and RecordsUnavailable; nothing is kept then.
        """
        with self._database.reading() as session:
            room = self._quota_bytes - kept(session, account.id).size_bytes
            earlier = _earlier(session, account, sent.key)
            if earlier is None:  # before a large body is read
                _check_unfinished(session, account, self._most_unfinished)
        if earlier is not None:
            form = FormReader(_Nowhere(), self._limits, self._spool_dir).read(sent.stream, sent.boundary)
            return self._repeated(earlier, form), True
        store = _Store(self._files, room)
        try:
            form = FormReader(store, self._limits, self._spool_dir).read(sent.stream, sent.boundary)
            body = _body(form)
            check_task(body.task)
            files = form.files
            if body.frames == "all":
                files = self._frames.each(files, self._files.get, store, sent.context)
            batch = self._insert(account, sent, form.fingerprint(), files, body)
        except _Unsure:
            raise  # the rows may be there: files stay, and are swept without rows
        except IntegrityError as error:
            self._files.remove(store.kept)
            with self._database.reading() as session:
                earlier = _earlier(session, account, sent.key)
            if earlier is None:
                raise NotFound("the account, or the batch that had this key, was deleted meanwhile") from error
            return self._repeated(earlier, form), True
        except BaseException:
            self._files.remove(store.kept)
            raise
        return _accepted(batch, files, self._executor.begin()), False

    def one(self, account: Account, batch_id: uuid.UUID, query: BatchQuery, request_id: str) -> BatchAnswer:
        """How far it is, and a page of results; while files wait, this process works on them too. Raises NotFound."""
        with self._database.reading() as session:
            batch = _own(session, account, batch_id)
            found = batch_answer(session, batch, query)
        note(self._database, Deed(str(account.id), "batch", str(batch_id), request_id))
        if batch.finished_at:
            return found
        self._executor.go_on()
        return found.model_copy(update={"warnings": self._executor.told()})

    def all_results(self, account: Account, batch_id: uuid.UUID, request_id: str) -> list[BatchResult]:
        """Of every file. Raises NotFound."""
        with self._database.reading() as session:
            batch = _own(session, account, batch_id)
            found = [result_answer(*row) for row in session.execute(results_of(batch.id))]
        note(self._database, Deed(str(account.id), "batch_export", str(batch_id), request_id))
        return found

    def cancel(self, account: Account, batch_id: uuid.UUID, request_id: str) -> BatchAnswer:
        """What is not answered yet will not be; results stay. Raises NotFound."""
        gone: list[uuid.UUID] = []
        with self._database.writing() as session:
            batch = _own(session, account, batch_id, lock=True)
            if batch.finished_at is None:
                left = (BatchItem.batch_id == batch_id, BatchItem.state.in_(OPEN))
                gone = [one for one in session.scalars(select(BatchItem.file_id).where(*left)) if one is not None]
                session.execute(update(BatchItem).where(*left).values(state=CANCELLED, file_id=None, lease=None))
                clear_files(session, gone)
                batch.finished_at, batch.cancelled = datetime.now(UTC), True
                session.flush()
            found = batch_answer(session, batch, BatchQuery.model_validate({}))
            append(session, Deed(str(account.id), "batch_cancel", str(batch_id), request_id))
        self._files.remove(gone)
        return found

    def _insert(
        self, account: Account, sent: Sent, fingerprint: str, files: Sequence[SentFile], body: BatchBody
    ) -> Batch:
        """All rows in one transaction. Raises IntegrityError where another request made the batch meanwhile."""
        now = datetime.now(UTC)
        batch = Batch(
            id=uuid.uuid4(), user_id=account.id, name=body.batch_name, task=body.task,
            fields=body.model_dump(mode="json", exclude=_OTHERWISE, exclude_unset=True), idempotency_key=sent.key,
            fingerprint=fingerprint, total=len(files), created_at=now, served_at=NEVER, told_at=None,
            finished_at=None, cancelled=False,
        )  # fmt: skip
        with _sure(), self._database.writing() as session:
            hold(session, account)  # one upload of an account at a time
            _check_unfinished(session, account, self._most_unfinished)
            count = len(files)
            more = Room(count, sum(one.size_bytes for one in files), count)
            check_quota(session, account, more, self._quota_bytes)
            session.add_all(_file_row(account, one, now) for one in files)
            session.flush()
            session.add(batch)
            session.flush()
            session.add_all(_item(batch, number, one, body, now) for number, one in enumerate(files, 1))
            session.flush()
            append(session, Deed(str(account.id), "batch_submit", str(batch.id), sent.context.request_id))
        return batch

    def _repeated(self, earlier: Batch, form: SentForm) -> AcceptedAnswer:
        if earlier.fingerprint != form.fingerprint():
            raise IdempotencyKeyReused(
                "this Idempotency-Key came with other files or fields before; send a new key with a new request"
            )
        with self._database.reading() as session:
            places = session.scalars(
                select(BatchItem.frame).where(BatchItem.batch_id == earlier.id).order_by(BatchItem.position)
            ).all()
        each, files = iter(form.files), list[SentFile]()
        for frame in places:  # a file begins with its first frame
            files.append(replace(files[-1] if (frame or 1) > 1 else next(each), frame=frame))
        return _accepted(earlier, files, self._executor.told())


def batch_address(batch_id: uuid.UUID) -> str:
    """Where its progress is."""
    return f"/api/v1/batches/{batch_id}"


def _body(form: SentForm) -> BatchBody:
    try:
        body = BatchBody.model_validate(form.fields)
    except ValidationError as error:
        refuse(error, "form")
    if body.frames is not None and body.frame is not None:
        raise InvalidValue(f"frame: received {body.frame} beside frames=all; send one of the two")
    return body


def _earlier(session: Session, account: Account, key: str | None) -> Batch | None:
    if key is None:
        return None
    return session.scalars(select(Batch).where(Batch.user_id == account.id, Batch.idempotency_key == key)).first()


def _check_unfinished(session: Session, account: Account, most: int) -> None:
    """Raises TooManyBatches where the account has as many as it may."""
    mine = select(func.count()).select_from(Batch).where(Batch.user_id == account.id, Batch.finished_at.is_(None))
    if (count := session.execute(mine).scalar_one()) >= most:
        raise TooManyBatches(
            f"{count} batches of this account are not finished, and at most {most} may be; send more once one is, or "
            "cancel one: DELETE /api/v1/batches/<id>"
        )


def _own(session: Session, account: Account, batch_id: uuid.UUID, *, lock: bool = False) -> Batch:
    batch = session.get(Batch, batch_id, with_for_update=lock)
    if batch is None or batch.user_id != account.id:
        raise NotFound("there is no such batch of this account")
    return batch


def _file_row(account: Account, sent: SentFile, now: datetime) -> StoredFile:
    return StoredFile(
        id=sent.file_id, user_id=account.id, kind=PENDING, format="", size_bytes=sent.size_bytes, sha256=sent.sha256,
        frames=1, created_at=now,
    )  # fmt: skip


def _item(batch: Batch, position: int, sent: SentFile, body: BatchBody, now: datetime) -> BatchItem:
    return BatchItem(
        batch_id=batch.id, position=position, name=sent.name if body.keep_names else None, sha256=sent.sha256,
        frame=sent.frame, file_id=sent.file_id, state=WAITING, due_at=now, attempts=0,
    )  # fmt: skip


def _accepted(batch: Batch, files: Sequence[SentFile], warnings: tuple[str, ...]) -> AcceptedAnswer:
    return AcceptedAnswer(
        success=True,
        batch_id=batch.id,
        task=batch.task,
        batch_name=batch.name,
        total=batch.total,
        created_at=batch.created_at,
        status_url=batch_address(batch.id),
        files=tuple(
            AcceptedFile(position=number, frame=one.frame, name=one.name, sha256=one.sha256, size_bytes=one.size_bytes)
            for number, one in enumerate(files, 1)
        ),
        warnings=warnings,
    )
