"""What clinicians say of answers, what an account takes with it, and the audit log as an admin reads it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Select, and_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.errors import Forbidden, NotFound, Unauthenticated
from backend.schemas.accounts import READERS, Account
from backend.schemas.common import Answer
from backend.schemas.records import AuditAnswer, AuditLine, AuditQuery, FeedbackAnswer, FeedbackBody
from backend.services.loading.bundles import Task
from backend.services.records.accounts import batches_of, user_answer
from backend.services.records.history import feedback_entry, record_answer, visible
from backend.storage.audit import Deed, append, note
from backend.storage.database import Database
from backend.storage.spooled import Spool, Spooled
from backend.storage.tables import AuditEntry, Feedback, Prediction, StoredFile, User
from ml_model.errors import InvalidValue
from ml_model.tasks.registry import ImageTask

_PER_EXPORT, _AUDIT_PER_EXPORT = 500, 1000
_ROWS_AT_ONCE = 50  # an answer can be long
Row = TypeVar("Row")


class FeedbackBook:
    """Agreement and disagreement."""

    def __init__(self, database: Database, tasks: Mapping[str, Task]) -> None:
        self._database = database
        self._tasks = tasks

    def add(self, account: Account, record_id: uuid.UUID, body: FeedbackBody, request_id: str) -> FeedbackAnswer:
        """Of an own record, or one that is shared. Raises Forbidden, NotFound, InvalidValue."""
        with _of_what_is_there(), self._database.writing() as session:
            record = visible(session, account, record_id)
            if account.role not in READERS:
                raise Forbidden(
                    "feedback is a clinician's; an operator gives the role: python -m backend.admin set-role"
                )
            self._check(record, body)
            row = Feedback(
                id=uuid.uuid4(), prediction_id=record.id, user_id=account.id, created_at=datetime.now(UTC),
                owner_id=record.user_id, record_number=record.number, **body.model_dump(),
            )  # fmt: skip
            session.add(row)
            session.flush()
            append(session, Deed(str(account.id), "feedback", str(record_id), request_id))
        return FeedbackAnswer(success=True, feedback=feedback_entry(row))

    def _check(self, record: Prediction, body: FeedbackBody) -> None:
        task = self._tasks.get(record.task)
        codes = task.codes if isinstance(task, ImageTask) else tuple(record.scores)
        if body.agrees and body.right_class not in (None, record.class_code):
            raise InvalidValue("right_class: who agrees names no other class")
        if body.right_class is not None and body.right_class not in codes:
            raise InvalidValue(f"right_class: expected one of {', '.join(codes)}")


@contextmanager
def _of_what_is_there() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise NotFound("the record was deleted meanwhile") from error


class Exports:
    """What is told of an account to itself, and of all to an admin."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, account: Account, before: int | None, spool: Spool, request_id: str) -> Spooled:
        """An `ExportAnswer` as JSON: a page of predictions with their answers, and with the first page all else.

        A few rows are in memory at a time. Raises Unauthenticated, Busy and RecordsUnavailable.
        """
        with self._database.reading() as session, spool.writing() as file:  # whoever writes does not wait for it
            user = session.get(User, account.id)
            if user is None:
                raise Unauthenticated("this account is no more")
            for piece in _as_json(_parts(session, user, before)):
                file.write(piece.encode())
            note(self._database, Deed(str(account.id), "export", str(account.id), request_id))
            return Spooled(file)

    def audit(self, account: Account, query: AuditQuery, request_id: str) -> AuditAnswer:
        """Newest first, to an admin, whose look at it is an entry, too. Raises Forbidden."""
        if account.role != "admin":
            raise Forbidden("the audit log is an admin's")
        chosen = select(AuditEntry)
        if query.before is not None:
            chosen = chosen.where(AuditEntry.number < query.before)
        with self._database.reading() as session:
            rows = list(session.scalars(chosen.order_by(AuditEntry.number.desc()).limit(query.per_page)))
        note(self._database, Deed(str(account.id), "audit", "", request_id))
        lines = tuple(_line(row) for row in rows)
        more = rows[-1].number if len(rows) == query.per_page and rows[-1].number > 1 else None
        return AuditAnswer(success=True, entries=lines, count=len(lines), next_before=more)


def _parts(session: Session, user: User, before: int | None) -> dict[str, Any]:
    """Of an export, by name; what may be long is read as it is written."""
    mine = Prediction.user_id == user.id
    if before is not None:
        mine = and_(mine, Prediction.number < before)
    page = select(Prediction).where(mine).order_by(Prediction.number.desc()).limit(_PER_EXPORT)
    numbers = list(session.scalars(page.with_only_columns(Prediction.number)))
    done = select(AuditEntry).where(AuditEntry.actor_id == str(user.id)).order_by(AuditEntry.number.desc())
    beside: dict[str, Iterator[dict[str, Any]]] = {
        "files": map(_file_line, _streamed(session, select(StoredFile).where(StoredFile.user_id == user.id))),
        "feedback": map(_said, _streamed(session, select(Feedback).where(Feedback.user_id == user.id))),
        "batches": batches_of(session, user.id),
        "audit": map(_plain, map(_line, _streamed(session, done.limit(_AUDIT_PER_EXPORT)))),
    }
    return {
        "success": True,
        "user": _plain(user_answer(user)),
        "predictions": ({**_plain(record_answer(row)), "result": row.result} for row in _streamed(session, page)),
        **(beside if before is None else dict.fromkeys(beside, iter(()))),
        "next_before": numbers[-1] if len(numbers) == _PER_EXPORT else None,
    }


def _streamed(session: Session, asked: Select[Row]) -> Iterator[Row]:
    """A few rows at a time, from when the first is wanted."""
    yield from session.scalars(asked.execution_options(yield_per=_ROWS_AT_ONCE))


def _as_json(parts: dict[str, Any]) -> Iterator[str]:
    """An object, in pieces; an iterator becomes a list, an item at a time."""
    yield "{"
    for place, (name, part) in enumerate(parts.items()):
        yield f'{", " if place else ""}"{name}": '
        if isinstance(part, Iterator):
            yield "["
            yield from (f"{', ' if at else ''}{json.dumps(one, allow_nan=False)}" for at, one in enumerate(part))
            yield "]"
        else:
            yield json.dumps(part, allow_nan=False)
    yield "}\n"


def _plain(answer: Answer) -> dict[str, Any]:
    return answer.model_dump(mode="json")


def _file_line(row: StoredFile) -> dict[str, Any]:
    return {
        "file_id": str(row.id), "kind": row.kind, "format": row.format, "size_bytes": row.size_bytes,
        "sha256": row.sha256, "address": f"/api/v1/files/{row.id}",
    }  # fmt: skip


def _said(row: Feedback) -> dict[str, Any]:
    return {**_plain(feedback_entry(row)), "prediction_id": str(row.prediction_id)}


def _line(row: AuditEntry) -> AuditLine:
    return AuditLine(
        number=row.number, at=row.at, actor_id=row.actor_id, action=row.action, object_id=row.object_id,
        request_id=row.request_id, hash=row.hash,
    )  # fmt: skip
