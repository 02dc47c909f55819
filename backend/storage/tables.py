"""The tables of records. A change here is a migration there: a test compares the two."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

# Constraints are named by what they are of, so that a migration can name them on both databases.
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
# SQLite counts up in a column of this one type.
Number = BigInteger().with_variant(Integer, "sqlite")


class Moment(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no zone: what it gives back is UTC all the same."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Raises ValueError for a time without a zone."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment needs its zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """In UTC."""
        return value and (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


class Table(DeclarativeBase):
    """Base of all."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {datetime: Moment, float: Double, dict[str, Any]: JSON}


def _owner() -> Mapped[uuid.UUID]:
    return mapped_column(ForeignKey("users.id", ondelete="CASCADE"))


class User(Table):
    """An account. The keys are name and address in lower case. password_hash: empty where it logs in at an issuer only.
    generation: of its tokens, all of which a change of password makes void. keep_answers: those of the open addresses,
    without being asked each time."""

    __tablename__ = "users"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(64))
    username_key: Mapped[str] = mapped_column(String(64), unique=True)
    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    generation: Mapped[int] = mapped_column(default=0)
    keep_answers: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime]


class Identity(Table):
    """Who an account is at an issuer of OpenID Connect."""

    __tablename__ = "identities"

    issuer: Mapped[str] = mapped_column(String(255), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]


class LoginAttempts(Table):
    """Failed log-ins in a row under one name, whether there is such an account or not. name_hash: keyed."""

    __tablename__ = "login_attempts"

    name_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int]
    locked_until: Mapped[datetime] = mapped_column(index=True)


class RevokedToken(Table):
    """A token, or all tokens of one log-in, that are worth nothing any more. expires_at: of the longest lived."""

    __tablename__ = "revoked_tokens"

    token_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class StoredFile(Table):
    """A file in the store, under its id. kind: upload, heatmap, or pending, which is one of a batch as it was sent.
    frames: that the upload held. warnings: of what its pixels may tell."""

    __tablename__ = "files"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID] = _owner()
    kind: Mapped[str] = mapped_column(String(16))
    format: Mapped[str] = mapped_column(String(16))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    frames: Mapped[int]
    warnings: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    created_at: Mapped[datetime]

    __table_args__ = (Index(None, "user_id", "size_bytes"),)


class Prediction(Table):
    """One answer of the pipeline. number: rises with each; a page is told by it. result: the answer as it was sent.
    distance and quality: the few of its figures by which records of all accounts are compared."""

    __tablename__ = "predictions"

    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    id: Mapped[uuid.UUID] = mapped_column(unique=True)
    user_id: Mapped[uuid.UUID] = _owner()
    file_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("files.id", ondelete="SET NULL"), index=True)
    heatmap_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("files.id", ondelete="SET NULL"), index=True)
    task: Mapped[str] = mapped_column(String(64))
    patient_ref: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    day: Mapped[date]
    class_code: Mapped[str] = mapped_column(String(64))
    class_name: Mapped[str] = mapped_column(String(200))
    confidence: Mapped[float]
    triage_level: Mapped[str] = mapped_column(String(16))
    settled: Mapped[bool]
    scores: Mapped[dict[str, Any]]
    model_version: Mapped[str | None] = mapped_column(String(64))
    model_sha256: Mapped[str | None] = mapped_column(String(64))
    processing_ms: Mapped[float]
    shared: Mapped[bool] = mapped_column(default=False)
    result: Mapped[dict[str, Any]]
    distance: Mapped[float | None]
    quality: Mapped[dict[str, Any] | None]

    __table_args__ = (
        Index(None, "user_id", "number"),
        Index(None, "task", "model_version", "number"),
        Index(None, "user_id", "task", "number"),
        Index(None, "user_id", "patient_ref", "number"),
        Index(None, "user_id", "class_code", "number"),
        Index(None, "user_id", "triage_level", "number"),
        Index(None, "user_id", "day", "number"),
        # All that records are searched by, and all that statistics are made of: both are read off an index.
        Index("ix_predictions_search", "user_id", "number", "task", "class_name", "patient_ref"),
        Index("ix_predictions_statistics", "user_id", "day", "task", "class_code", "triage_level", "processing_ms"),
        Index("ix_predictions_classes", "user_id", "task", "class_code", "triage_level", "day"),
    )


class Refusal(Table):
    """A case that was not answered, and why. code: of the error."""

    __tablename__ = "refusals"

    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    user_id: Mapped[uuid.UUID] = _owner()
    day: Mapped[date]
    task: Mapped[str] = mapped_column(String(64))
    code: Mapped[str] = mapped_column(String(64))

    __table_args__ = (Index(None, "user_id", "day", "task", "code"), Index(None, "task", "day", "code"))


class Feedback(Table):
    """What a clinician says of an answer. right_class: the code, where it was another. owner_id, record_number: whose
    the record is, and its number, by which a search finds the notes of an account."""

    __tablename__ = "feedback"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    prediction_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("predictions.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[uuid.UUID] = _owner()
    agrees: Mapped[bool]
    right_class: Mapped[str | None] = mapped_column(String(64))
    note: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    owner_id: Mapped[uuid.UUID]
    record_number: Mapped[int] = mapped_column(Number)

    __table_args__ = (Index(None, "user_id"), Index(None, "owner_id"))


class AuditEntry(Table):
    """Who did what to what. Append-only: the database refuses every change, and each entry's hash holds the one before
    it. No key leads elsewhere, so that what it tells of outlives what it tells of."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor_id: Mapped[str] = mapped_column(String(36))
    action: Mapped[str] = mapped_column(String(32))
    object_id: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(64))
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))

    __table_args__ = (Index(None, "actor_id", "number"),)


class AuditHead(Table):
    """The number and the hash of the newest entry: one row, which whoever appends holds."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))
