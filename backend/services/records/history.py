"""What is kept, as its owner sees it: pages, single records, a patient's course; and what goes."""

from __future__ import annotations

import re
import uuid
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, defer

from backend.errors import Forbidden, NotFound
from backend.schemas.accounts import READERS, Account
from backend.schemas.records import (
    MOST_FEEDBACK,
    FeedbackEntry,
    HistoryQuery,
    RecordAnswer,
    RecordsAnswer,
    ShareAnswer,
    StatsQuery,
    WholeRecordAnswer,
)
from backend.services.records.accounts import hold
from backend.services.records.keeping import heatmap_address
from backend.storage.audit import Deed, append, note
from backend.storage.database import Database
from backend.storage.files import FileStore
from backend.storage.tables import Feedback, Prediction, StoredFile

_MEANINGFUL, _ESCAPED = re.compile(r"[%_/]"), r"/\g<0>"  # to LIKE
_NONE = "there is no such record of this account"


class History:
    """The records that an account may see: its own, and of clinicians those that are shared with them."""

    def __init__(self, database: Database, files: FileStore) -> None:
        self._database = database
        self._files = files

    def page(self, account: Account, query: HistoryQuery, request_id: str) -> RecordsAnswer:
        """Newest first."""
        chosen = _chosen(account, query, in_sqlite=self._database.is_sqlite)
        with self._database.reading() as session:
            if query.q is None:
                total = _count(session, chosen)
                numbers = list(session.scalars(_numbers(chosen, query, total)))
            else:
                total, numbers = _searched(session, chosen, query)
            rows = list(session.scalars(_without_results(Prediction.number.in_(numbers))))
        rows.sort(key=lambda row: -row.number)
        more = bool(rows) and (len(rows) == query.per_page)
        note(self._database, Deed(str(account.id), "list", "", request_id))
        return RecordsAnswer(
            success=True,
            history=tuple(record_answer(row) for row in rows),
            count=len(rows),
            total=total,
            page=None if query.before is not None else query.page,
            per_page=query.per_page,
            pages=-(-total // query.per_page),
            next_before=rows[-1].number if more else None,
        )

    def one(self, account: Account, record_id: uuid.UUID, request_id: str) -> WholeRecordAnswer:
        """With its answer. Raises NotFound."""
        with self._database.reading() as session:
            row = visible(session, account, record_id)
            said = list(session.scalars(_newest_said(row.id)))[::-1]
        note(self._database, Deed(str(account.id), "view", str(record_id), request_id))
        return WholeRecordAnswer(
            success=True, record=record_answer(row), scores=row.scores, result=row.result,
            feedback=tuple(feedback_entry(one) for one in said),
        )  # fmt: skip

    def heatmap(self, account: Account, record_id: uuid.UUID, request_id: str) -> bytes:
        """The overlay, PNG. Raises NotFound."""
        with self._database.reading() as session:
            row = visible(session, account, record_id)
        if row.heatmap_id is None:
            raise NotFound("this record has no heatmap")
        note(self._database, Deed(str(account.id), "heatmap", str(record_id), request_id))
        return self._files.get(row.heatmap_id)

    def file(self, account: Account, file_id: uuid.UUID, request_id: str) -> tuple[str, bytes]:
        """Format and content of an own upload. Raises NotFound."""
        return self.own_file(account, file_id, "file", request_id).format, self._files.get(file_id)

    def own_file(self, account: Account, file_id: uuid.UUID, deed: str, request_id: str) -> StoredFile:
        """An own upload without its content. deed: what is done with it, for the audit log. Raises NotFound."""
        with self._database.reading() as session:
            row = session.get(StoredFile, file_id)
        if row is None or row.user_id != account.id:
            raise NotFound("there is no such file of this account")
        note(self._database, Deed(str(account.id), deed, str(file_id), request_id))
        return row

    def delete_file(self, account: Account, file_id: uuid.UUID, request_id: str) -> None:
        """Take an upload away that no record is of. Raises NotFound, Forbidden."""
        with self._database.writing() as session:
            row = session.get(StoredFile, file_id, with_for_update=True)
            if row is None or row.user_id != account.id:
                raise NotFound("there is no such file of this account")
            of_file = or_(Prediction.file_id == file_id, Prediction.heatmap_id == file_id)
            if session.scalars(select(Prediction.number).where(of_file)).first() is not None:
                raise Forbidden("a record is of this file; DELETE the record and the file goes with it")
            session.delete(row)
            session.flush()
            append(session, Deed(str(account.id), "file_delete", str(file_id), request_id))
        self._files.remove([file_id])

    def delete(self, account: Account, record_id: uuid.UUID, request_id: str) -> None:
        """Take an own record away, with its heatmap, and its file unless another record is of it. Raises NotFound."""
        with self._database.writing() as session:
            hold(session, account)  # so that of two records of one file not each leaves it to the other
            row = _own(session, account, record_id)
            gone = [one for one in (row.file_id, row.heatmap_id) if one is not None]
            # Held: a record that is just being kept of a file is seen below, or does not find the file.
            files = list(session.scalars(_held(gone)))
            session.delete(row)
            session.flush()
            if row.file_id and session.scalars(_of_file(row.file_id)).first() is not None:
                gone.remove(row.file_id)
            for file in files:
                if file.id in gone:
                    session.delete(file)
            session.flush()
            append(session, Deed(str(account.id), "delete", str(record_id), request_id))
        self._files.remove(gone)

    def share(self, account: Account, record_id: uuid.UUID, shared: bool, request_id: str) -> ShareAnswer:
        """Whether clinicians see a record: its owner or an admin says so. Raises NotFound."""
        with self._database.writing() as session:
            row = session.scalars(_without_results(Prediction.id == record_id).with_for_update()).first()
            if row is None or (row.user_id != account.id and account.role != "admin"):
                raise NotFound(_NONE)
            row.shared = shared
            append(session, Deed(str(account.id), "share" if shared else "unshare", str(record_id), request_id))
        return ShareAnswer(success=True, id=record_id, shared=shared)


def chosen_days(account: Account, query: HistoryQuery | StatsQuery) -> list[ColumnElement[bool]]:
    """The own records of some days and one task."""
    found: list[ColumnElement[bool]] = [Prediction.user_id == account.id]
    if query.task is not None:
        found.append(Prediction.task == query.task)
    if query.from_ is not None:
        found.append(Prediction.day >= query.from_)
    if query.to is not None:
        found.append(Prediction.day <= query.to)
    return found


def _chosen(account: Account, query: HistoryQuery, *, in_sqlite: bool) -> list[ColumnElement[bool]]:
    filters: tuple[tuple[InstrumentedAttribute[Any], str | None], ...] = (
        (Prediction.patient_ref, query.patient_ref),
        (Prediction.class_code, query.class_code),
        (Prediction.triage_level, query.triage),
    )
    found = chosen_days(account, query) + [column == value for column, value in filters if value is not None]
    return found if query.q is None else [*found, _found_by(account, query.q, in_sqlite=in_sqlite)]


def _found_by(account: Account, text: str, *, in_sqlite: bool) -> ColumnElement[bool]:
    """Records that have every word of the text in a class, a task, a patient reference or a clinician's note.

    Parts of words count, and capitals do not. Signs that mean something to the database are looked for as they are.
    """
    return and_(*(_has(account, word, in_sqlite) for word in dict.fromkeys(text.split())))


def _has(account: Account, word: str, in_sqlite: bool) -> ColumnElement[bool]:
    own = [Prediction.class_name, *([Prediction.task, Prediction.patient_ref] if word.isascii() else [])]  # as they are
    of_own = Feedback.owner_id == account.id
    noted = select(Feedback.record_number).where(of_own, _within(Feedback.note, word, in_sqlite))
    return or_(*(_within(column, word, in_sqlite) for column in own), Prediction.number.in_(noted))


def _within(column: InstrumentedAttribute[Any], word: str, in_sqlite: bool) -> ColumnElement[bool]:
    """SQLite, and PostgreSQL by its locale, know the capitals of A to Z alone: of others all three ways to write it."""
    forms = {word} if word.isascii() else {word, word.lower(), word.upper(), word.capitalize()}
    like = column.like if in_sqlite else column.ilike  # SQLite's own passes over capitals
    return or_(*(like(f"%{_MEANINGFUL.sub(_ESCAPED, form)}%", escape="/") for form in forms))


def _searched(session: Session, chosen: list[ColumnElement[bool]], query: HistoryQuery) -> tuple[int, list[int]]:
    """How many records there are, and the numbers of one page. No index has parts of words, so that each record is
    looked at: but once, where the page ends them, and else the page is soon full."""
    start, page = (query.page - 1) * query.per_page, select(Prediction.number).where(*chosen)
    if query.before is not None:
        start, page = 0, page.where(Prediction.number < query.before)
    numbers = list(session.scalars(page.order_by(Prediction.number.desc()).offset(start).limit(query.per_page)))
    if query.before is None and len(numbers) < query.per_page and (numbers or start == 0):
        return start + len(numbers), numbers
    return _count(session, chosen), numbers


def _count(session: Session, chosen: list[ColumnElement[bool]]) -> int:
    return session.execute(select(func.count()).select_from(Prediction).where(*chosen)).scalar_one()


def _numbers(chosen: list[ColumnElement[bool]], query: HistoryQuery, total: int) -> Select[int]:
    """Of one page, read off an index. A page behind the middle is counted from the end, so that the last costs as much
    as the first."""
    found = select(Prediction.number).where(*chosen)
    if query.before is not None:
        return found.where(Prediction.number < query.before).order_by(Prediction.number.desc()).limit(query.per_page)
    start = (query.page - 1) * query.per_page
    end = min(start + query.per_page, total)
    if start >= end:
        return found.limit(0)
    if start <= total // 2:
        return found.order_by(Prediction.number.desc()).offset(start).limit(end - start)
    return found.order_by(Prediction.number).offset(total - end).limit(end - start)


def _without_results(*chosen: ColumnElement[bool]) -> Select[Prediction]:
    return select(Prediction).where(*chosen).options(defer(Prediction.result, raiseload=True))


def _newest_said(record_id: uuid.UUID) -> Select[Feedback]:
    newest = select(Feedback).where(Feedback.prediction_id == record_id).order_by(Feedback.created_at.desc())
    return newest.limit(MOST_FEEDBACK)


def _of_file(file_id: uuid.UUID) -> Select[int]:
    return select(Prediction.number).where(Prediction.file_id == file_id).limit(1)


def _held(file_ids: list[uuid.UUID]) -> Select[StoredFile]:
    return select(StoredFile).where(StoredFile.id.in_(file_ids)).order_by(StoredFile.id).with_for_update()


def _own(session: Session, account: Account, record_id: uuid.UUID) -> Prediction:
    row = session.scalars(select(Prediction).where(Prediction.id == record_id).with_for_update()).first()
    if row is None or row.user_id != account.id:
        raise NotFound(_NONE)
    return row


def visible(session: Session, account: Account, record_id: uuid.UUID) -> Prediction:
    """A record that the account may see. Raises NotFound: that there is one of another's is not told."""
    row = session.scalars(select(Prediction).where(Prediction.id == record_id)).first()
    if row is None or (row.user_id != account.id and not (row.shared and account.role in READERS)):
        raise NotFound(_NONE)
    return row


def record_answer(row: Prediction) -> RecordAnswer:
    """One record in a line."""
    return RecordAnswer.model_validate(
        {
            "id": row.id, "number": row.number, "task": row.task, "patient_ref": row.patient_ref,
            "created_at": row.created_at, "class_code": row.class_code, "prediction": row.class_name,
            "confidence": row.confidence, "settled": row.settled, "triage": row.triage_level, "file_id": row.file_id,
            "heatmap_url": heatmap_address(row.id) if row.heatmap_id else None, "model_version": row.model_version,
            "model_sha256": row.model_sha256, "processing_ms": row.processing_ms, "shared": row.shared,
        }
    )  # fmt: skip


def feedback_entry(row: Feedback) -> FeedbackEntry:
    """As it is told."""
    told = {"agrees": row.agrees, "right_class": row.right_class, "note": row.note, "created_at": row.created_at}
    return FeedbackEntry.model_validate({"id": row.id, "by": row.user_id, **told})
