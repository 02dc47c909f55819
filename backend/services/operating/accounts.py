"""Accounts in an operator's hands. The audit log has each deed as the operator's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import Session

from backend.errors import NotFound
from backend.schemas.accounts import Role, UserAnswer
from backend.services.records.accounts import take_away, user_answer
from backend.services.records.passwords import Passwords
from backend.storage.audit import OPERATOR, Deed, append, note
from backend.storage.database import Database
from backend.storage.files import FileStore
from backend.storage.tables import Identity, LoginAttempts, StoredFile, User

_AT_ONCE = 500  # accounts that are listed in one transaction


@dataclass(frozen=True)
class Listed:
    """An account in a line. logs_in_by: password, issuer or both. waits: after failed log-ins, by name or address."""

    user: UserAnswer
    logs_in_by: tuple[str, ...]
    files_bytes: int
    waits: bool


def set_role(database: Database, name: str, role: Role) -> UserAnswer:
    """name: of the account, or its address. Raises NotFound, as all of these do."""
    with database.writing() as session:
        user = _named(session, name)
        user.role = role
        append(session, Deed(OPERATOR, f"role_{role}", str(user.id)))
    return user_answer(user)


def set_password(database: Database, passwords: Passwords, name: str, password: str) -> UserAnswer:
    """All tokens up to now count no more, and log-ins under the name need not wait. An account of an issuer can log in
    by this password, too, from then on."""
    password_hash = passwords.hashed(password)
    with database.writing() as session:
        user = _named(session, name)
        user.password_hash, user.generation = password_hash, user.generation + 1
        passwords.succeeded(session, *_name_hashes(passwords, user))
        append(session, Deed(OPERATOR, "password_set", str(user.id)))
    return user_answer(user)


def unlock(database: Database, passwords: Passwords, name: str) -> tuple[UserAnswer, bool]:
    """Failed log-ins under name and address are forgotten. Returns also whether one of the two had to wait."""
    with database.writing() as session:
        user = _named(session, name)
        hashes = _name_hashes(passwords, user)
        waited = session.scalars(_waiting().where(LoginAttempts.name_hash.in_(hashes))).first() is not None
        passwords.succeeded(session, *hashes)
        append(session, Deed(OPERATOR, "unlock", str(user.id)))
    return user_answer(user), waited


def delete(database: Database, files: FileStore, name: str) -> tuple[UserAnswer, int]:
    """With all that is its, as its owner deletes it. Returns also how many files went."""
    with database.writing() as session:
        user = _named(session, name)
        told, gone = user_answer(user), take_away(session, user.id, OPERATOR)
    database.scrub()
    files.remove(gone)
    return told, len(gone)


def listed(database: Database, passwords: Passwords) -> Iterator[Listed]:
    """All, in the order of their names; in parts, so that whoever reads slowly holds nothing."""
    note(database, Deed(OPERATOR, "accounts_list", ""))
    size = select(func.coalesce(func.sum(StoredFile.size_bytes), 0)).where(StoredFile.user_id == User.id)
    told = select(User, exists().where(Identity.user_id == User.id), size.scalar_subquery()).order_by(User.username_key)
    after = ""
    while True:
        with database.reading() as session:
            rows = session.execute(told.where(User.username_key > after).limit(_AT_ONCE)).all()
            waiting = set(session.scalars(_waiting()))
        for user, has_issuer, files_bytes in rows:
            ways = {"password": bool(user.password_hash), "issuer": has_issuer}
            waits = not waiting.isdisjoint(_name_hashes(passwords, user))
            yield Listed(user_answer(user), tuple(way for way, there in ways.items() if there), int(files_bytes), waits)
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1][0].username_key


def _named(session: Session, name: str) -> User:
    """Held until the transaction ends."""
    key = name.strip().lower()
    found = select(User).where(or_(User.username_key == key, User.email_key == key))
    user = session.scalars(found.with_for_update()).first()
    if user is None:
        raise NotFound("there is no account of this name; list-users has all")
    return user


def _name_hashes(passwords: Passwords, user: User) -> tuple[str, str]:
    """Under which failures to log in are counted."""
    return passwords.name_hash(user.username), passwords.name_hash(user.email)


def _waiting() -> Select[str]:
    return select(LoginAttempts.name_hash).where(LoginAttempts.locked_until > datetime.now(UTC))
