"""Accounts of people who log in elsewhere: told by issuer and subject, and by nothing else."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.errors import AlreadyExists, Forbidden, Unauthenticated
from backend.schemas.accounts import EMAIL, UserAnswer
from backend.services.records.accounts import user_answer
from backend.storage.audit import Deed, append
from backend.storage.database import Database
from backend.storage.tables import Identity, User

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_MOST_SUBJECT, _MOST_NAME = 255, 40
_NO_HASH, _NO_ADDRESS = "", "users.invalid"  # a domain that never is


class Identities:
    """Links between accounts and who they are at an issuer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def log_in(
        self, issuer: str, claims: Mapping[str, Any], *, makes: bool, request_id: str
    ) -> tuple[UserAnswer, int]:  # fmt: skip
        """The account and the generation of its tokens. makes: whether one is made at the first log-in; its role is
        `user`, whatever is claimed.

        An account of the same address is not taken over: that two are of one person, an address does not prove.
        Raises Unauthenticated, Forbidden, AlreadyExists.
        """
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= _MOST_SUBJECT:
            raise Unauthenticated("the issuer told no subject, or one that is too long")
        try:
            with self._database.writing() as session:
                link = session.get(Identity, (issuer, subject))
                user = session.get_one(User, link.user_id) if link else self._new(session, issuer, claims, makes)
                deeds = [] if link else [Deed(str(user.id), "register", str(user.id), request_id)]
                append(session, *deeds, Deed(str(user.id), "login_oidc", str(user.id), request_id))
        except IntegrityError as error:
            raise AlreadyExists("this account is just being made; log in again") from error
        return user_answer(user), user.generation

    def _new(self, session: Session, issuer: str, claims: Mapping[str, Any], makes: bool) -> User:
        if not makes:
            raise Forbidden("accounts are made by the operator here, and none is linked with this log-in")
        user_id = uuid.uuid4()
        email = _address(claims)
        # One that another account has here, whoever gave it, keeps nobody out: it is that account's alone.
        if not email or session.scalars(select(User.id).where(User.email_key == email.lower())).first() is not None:
            email = f"{user_id.hex}@{_NO_ADDRESS}"
        name = self._free_name(session, claims)
        user = User(
            id=user_id, username=name, username_key=name.lower(), email=email, email_key=email.lower(),
            password_hash=_NO_HASH, role="user", generation=0, keep_answers=False,
            created_at=datetime.now(UTC),
        )  # fmt: skip
        session.add(user)
        session.flush()
        session.add(Identity(issuer=issuer, subject=str(claims["sub"]), user_id=user.id, created_at=user.created_at))
        session.flush()
        return user

    def _free_name(self, session: Session, claims: Mapping[str, Any]) -> str:
        """The one that is preferred, where it is free; else with some letters behind it."""
        wanted = claims.get("preferred_username")
        plain = _NOT_IN_NAMES.sub("-", wanted if isinstance(wanted, str) else "")[:_MOST_NAME].strip("._-")
        named = select(User.id).where(User.username_key == plain.lower())  # no address: those have an @
        taken = len(plain) < 3 or session.scalars(named).first() is not None
        return f"{plain or 'user'}-{secrets.token_hex(4)}" if taken else plain


def _address(claims: Mapping[str, Any]) -> str | None:
    """One that the issuer has verified."""
    email = claims.get("email")
    fits = isinstance(email, str) and claims.get("email_verified") is True and EMAIL.fullmatch(email)
    return email if fits and isinstance(email, str) and len(email) <= 254 else None
