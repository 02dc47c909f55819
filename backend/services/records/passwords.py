"""Passwords: hashed with argon2, and few tries at guessing one."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from datetime import UTC, datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import delete
from sqlalchemy.orm import Session

from backend.errors import TooManyAttempts
from backend.storage.database import insert
from backend.storage.tables import LoginAttempts

AT_ONCE = 4  # each takes 64 MiB, and four cores if there are as many: whoever logs in waits, and memory stays
FREE_FAILURES = 5  # in a row; each further one doubles the wait
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1, 900
_FORGOTTEN_AFTER = timedelta(days=1)


class Passwords:
    """Hashes, verifies and counts failures. key: what the names under which somebody failed are hashed with."""

    def __init__(self, key: str, *, cheap: bool) -> None:
        self._key = key.encode()
        self._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1) if cheap else PasswordHasher()
        self._room = threading.BoundedSemaphore(AT_ONCE)
        # Of no password that anybody knows. Where there is no account it is verified: to tell that takes as long.
        self._nobodys = self._hasher.hash(secrets.token_urlsafe(32))

    def hashed(self, password: str) -> str:
        """A hash with its salt and its costs."""
        with self._room:
            return self._hasher.hash(password)

    def fits(self, password_hash: str, password: str) -> bool:
        """Whether it is the password. password_hash: empty where there is no account, or it has no password."""
        try:
            with self._room:
                return self._hasher.verify(password_hash or self._nobodys, password) and bool(password_hash)
        except VerificationError:
            return False

    def name_hash(self, name: str) -> str:
        """Under which failures are counted: who types a password for a name has not left it here."""
        return hmac.new(self._key, name.strip().lower().encode(), hashlib.sha256).hexdigest()

    def check_free(self, session: Session, name_hash: str) -> None:
        """Raises TooManyAttempts while the name waits."""
        found = session.get(LoginAttempts, name_hash)
        left_s = (found.locked_until - datetime.now(UTC)).total_seconds() if found else 0
        if left_s > 0:
            raise TooManyAttempts(
                f"too many failed log-ins in a row under this name; try again in {int(left_s) + 1} s", int(left_s) + 1
            )

    def failed(self, session: Session, name_hash: str) -> None:
        """Count a failure. From the sixth in a row on the name waits, each time twice as long."""
        now = datetime.now(UTC)
        session.execute(delete(LoginAttempts).where(LoginAttempts.locked_until < now - _FORGOTTEN_AFTER))
        # In one statement: of two first failures at once, one makes the row and the other waits for it.
        one = insert(session, LoginAttempts).values(name_hash=name_hash, failures=1, locked_until=now)
        more = {"failures": LoginAttempts.failures + 1}
        session.execute(one.on_conflict_do_update(index_elements=["name_hash"], set_=more))
        found = session.get_one(LoginAttempts, name_hash, populate_existing=True)
        over = min(found.failures - FREE_FAILURES, 30)
        wait_s = min(_FIRST_WAIT_S * 2 ** (over - 1), _LONGEST_WAIT_S) if over > 0 else 0
        found.locked_until = now + timedelta(seconds=wait_s)

    def succeeded(self, session: Session, *name_hashes: str) -> None:
        """Failures before this are forgotten."""
        session.execute(delete(LoginAttempts).where(LoginAttempts.name_hash.in_(name_hashes)))
