"""Accounts that log in at an issuer have no password, where they had one that nobody knows."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op
from argon2 import PasswordHasher

revision = "0011"
down_revision = "0010"
_NO_HASH = ""
_USERS = sa.table("users", sa.column("id", sa.Uuid()), sa.column("password_hash", sa.String()))
_IDENTITIES = sa.table("identities", sa.column("user_id", sa.Uuid()))


def upgrade() -> None:
    """Until now none of them could have got one of its own."""
    op.execute(_USERS.update().where(_USERS.c.id.in_(sa.select(_IDENTITIES.c.user_id))).values(password_hash=_NO_HASH))


def downgrade() -> None:
    """One that nobody knows."""
    unknown = PasswordHasher().hash(secrets.token_urlsafe(32))
    op.execute(_USERS.update().where(_USERS.c.password_hash == _NO_HASH).values(password_hash=unknown))
