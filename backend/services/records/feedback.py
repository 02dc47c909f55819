"""What clinicians say of answers, what an account takes with it, and the audit log as an admin reads it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.errors import Forbidden, NotFound, Unauthenticated
from backend.schemas.accounts import READERS, Account, ExportAnswer
from backend.schemas.records import AuditAnswer, AuditLine, AuditQuery, FeedbackAnswer, FeedbackBody
from backend.services.loading.bundles import Task
from backend.services.records.accounts import batches_of, user_answer
from backend.services.records.history import feedback_entry, record_answer, visible
from backend.storage.audit import Deed, append, note
from backend.storage.database import Database
from backend.storage.tables import AuditEntry, Feedback, Prediction, StoredFile, User
from ml_model.errors import InvalidValue
from ml_model.tasks.registry import ImageTask

_PER_EXPORT, _AUDIT_PER_EXPORT = 500, 1000
_Listed = tuple[dict[str, Any], ...]


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
                **body.model_dump(),
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

    def of(self, account: Account, before: int | None, request_id: str) -> ExportAnswer:
        """All that is kept: predictions with their answers, a page at a time, and with the first page all else."""
        mine = select(Prediction).where(Prediction.user_id == account.id)
        if before is not None:
            mine = mine.where(Prediction.number < before)
        beside: dict[str, _Listed] = dict.fromkeys(("files", "feedback", "batches", "audit"), ())
        with self._database.reading() as session:  # whoever writes does not wait for it
            user = session.get(User, account.id)
            rows = list(session.scalars(mine.order_by(Prediction.number.desc()).limit(_PER_EXPORT)))
            if before is None:
                beside = _beside_predictions(session, account.id)
        if user is None:
            raise Unauthenticated("this account is no more")
        note(self._database, Deed(str(account.id), "export", str(account.id), request_id))
        return ExportAnswer(
            success=True,
            user=user_answer(user),
            predictions=tuple({**record_answer(row).model_dump(mode="json"), "result": row.result} for row in rows),
            next_before=rows[-1].number if len(rows) == _PER_EXPORT else None,
            **beside,
        )

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


def _beside_predictions(session: Session, user_id: uuid.UUID) -> dict[str, _Listed]:
    """What an export has but once."""
    files = session.scalars(select(StoredFile).where(StoredFile.user_id == user_id))
    said = session.scalars(select(Feedback).where(Feedback.user_id == user_id))
    done = select(AuditEntry).where(AuditEntry.actor_id == str(user_id)).order_by(AuditEntry.number.desc())
    return {
        "files": tuple(
            {"file_id": str(one.id), "kind": one.kind, "format": one.format, "size_bytes": one.size_bytes,
             "sha256": one.sha256, "address": f"/api/v1/files/{one.id}"} for one in files
        ),
        "feedback": tuple(
            {**feedback_entry(one).model_dump(mode="json"), "prediction_id": str(one.prediction_id)} for one in said
        ),
        "batches": batches_of(session, user_id),
        "audit": tuple(
            _line(one).model_dump(mode="json") for one in session.scalars(done.limit(_AUDIT_PER_EXPORT))
        ),
    }  # fmt: skip


def _line(row: AuditEntry) -> AuditLine:
    return AuditLine(
        number=row.number, at=row.at, actor_id=row.actor_id, action=row.action, object_id=row.object_id,
        request_id=row.request_id, hash=row.hash,
    )  # fmt: skip
