"""The tables of batches: many files of one account, each of which gets one answer or one error."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.storage.tables import Number, Table

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Batch(Table):
    """fields: what all its files were sent with. fingerprint: of the request, by which a repeated one is told.
    served_at: when files of it were last taken on, NEVER before that, so that accounts take turns. told_at: when a
    queue was last told."""

    __tablename__ = "batches"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str | None] = mapped_column(String(100))
    task: Mapped[str] = mapped_column(String(64))
    fields: Mapped[dict[str, Any]]
    idempotency_key: Mapped[str | None] = mapped_column(String(128))
    fingerprint: Mapped[str] = mapped_column(String(64))
    total: Mapped[int]
    created_at: Mapped[datetime]
    served_at: Mapped[datetime]
    told_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    cancelled: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (
        UniqueConstraint("user_id", "idempotency_key"),
        Index(None, "finished_at", "served_at"),
        Index(None, "user_id", "served_at"),
    )


class BatchItem(Table):
    """One file, or one frame of it. file_id: as it was sent, until it is settled. due_at: from when on it may be taken
    on, which is the end of the lease of one that is `running`; lease: of whoever took it on last. attempts: how often
    that was."""

    __tablename__ = "batch_items"

    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    batch_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"))
    position: Mapped[int]
    name: Mapped[str | None] = mapped_column(String(255))
    sha256: Mapped[str] = mapped_column(String(64))
    frame: Mapped[int | None]
    file_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("files.id", ondelete="SET NULL"), index=True)
    state: Mapped[str] = mapped_column(String(16))
    due_at: Mapped[datetime]
    lease: Mapped[uuid.UUID | None]
    attempts: Mapped[int]
    prediction_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("predictions.id", ondelete="SET NULL"))
    error_status: Mapped[int | None]
    error_code: Mapped[str | None] = mapped_column(String(64))
    error: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        UniqueConstraint("batch_id", "position"),
        UniqueConstraint("prediction_id"),
        Index(None, "batch_id", "state", "due_at"),
        {"sqlite_autoincrement": True},
    )
