"""The audit log: who saw, made or deleted what. Append-only, each entry chained to the one before it by its hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.storage.database import Database
from backend.storage.tables import AuditEntry, AuditHead

OPERATOR = "operator"
_PAGE = select(AuditEntry).order_by(AuditEntry.number).limit(1000)


@dataclass(frozen=True)
class Deed:
    """What is noted: identifiers alone, never what they stand for. actor_id: an account, or OPERATOR."""

    actor_id: str
    action: str
    object_id: str
    request_id: str = ""


@dataclass(frozen=True)
class Verified:
    """fault: what is wrong with the first entry that is; None where all is well. Whoever notes `head` elsewhere can
    tell that the whole log was written anew or cut off at its end."""

    entries: int
    head: str
    fault: str | None


def append(session: Session, *deeds: Deed) -> None:
    """Note what was done, in the transaction that does it. Others who append wait until that ends: call it last."""
    head = session.execute(select(AuditHead).with_for_update()).scalar_one()
    at = datetime.now(UTC)
    for deed in deeds:
        entry = AuditEntry(number=head.number + 1, at=at, previous_hash=head.hash, **vars(deed))
        entry.hash = _hash(entry)
        session.add(entry)
        head.number, head.hash = entry.number, entry.hash


def note(database: Database, deed: Deed) -> None:
    """In a transaction of its own: of what was looked at, and changed nothing. Raises RecordsUnavailable."""
    with database.writing() as session:
        append(session, deed)


def verify(session: Session) -> Verified:
    """Look through the whole chain."""
    head = session.execute(select(AuditHead)).scalar_one()
    number, previous = 0, "0" * 64
    while page := session.scalars(_PAGE.where(AuditEntry.number > number)).all():
        for entry in page:
            if fault := _fault(entry, number + 1, previous):
                return Verified(number, previous, fault)
            number, previous = entry.number, entry.hash
    fault = None
    if (head.number, head.hash) != (number, previous):
        fault = f"the log ends at entry {number}, but {head.number} were written"
    return Verified(number, previous, fault)


def _fault(entry: AuditEntry, number: int, previous: str) -> str | None:
    if entry.number != number:
        return f"entry {number} is missing"
    if entry.previous_hash != previous:
        return f"entry {number} does not follow the one before it"
    return None if entry.hash == _hash(entry) else f"entry {number} was altered"


def _hash(entry: AuditEntry) -> str:
    told = (entry.number, entry.at.isoformat(), entry.actor_id, entry.action, entry.object_id, entry.request_id)
    return hashlib.sha256(json.dumps([*told, entry.previous_hash]).encode()).hexdigest()
