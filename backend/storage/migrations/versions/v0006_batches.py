"""Batches and their files."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Two tables."""
    op.create_table(
        "batches",
        _column("id", sa.Uuid()),
        _column("user_id", sa.Uuid()),
        _column("name", sa.String(100), null=True),
        _column("task", sa.String(64)),
        _column("fields", sa.JSON()),
        _column("idempotency_key", sa.String(128), null=True),
        _column("fingerprint", sa.String(64)),
        _column("total", sa.Integer()),
        _column("created_at", _MOMENT),
        _column("served_at", _MOMENT),
        _column("told_at", _MOMENT, null=True),
        _column("finished_at", _MOMENT, null=True),
        _column("cancelled", sa.Boolean()),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_batches_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
        sa.UniqueConstraint("user_id", "idempotency_key", name="uq_batches_user_id_idempotency_key"),
    )
    op.create_index("ix_batches_finished_at_served_at", "batches", ["finished_at", "served_at"])
    _items()


def downgrade() -> None:
    """Files that were waiting stay in the store until they are swept."""
    op.drop_table("batch_items")
    op.drop_table("batches")
    op.execute("DELETE FROM files WHERE kind = 'pending'")


def _column(name: str, kind: sa.types.TypeEngine[Any], *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=null)


def _items() -> None:
    keys = [
        sa.ForeignKeyConstraint([name], [f"{table}.id"], name=f"fk_batch_items_{name}", ondelete=then)
        for name, table, then in (
            ("batch_id", "batches", "CASCADE"), ("file_id", "files", "SET NULL"),
            ("prediction_id", "predictions", "SET NULL"),
        )
    ]  # fmt: skip
    op.create_table(
        "batch_items",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        _column("batch_id", sa.Uuid()),
        _column("position", sa.Integer()),
        _column("name", sa.String(255), null=True),
        _column("sha256", sa.String(64)),
        _column("file_id", sa.Uuid(), null=True),
        _column("state", sa.String(16)),
        _column("due_at", _MOMENT),
        _column("lease", sa.Uuid(), null=True),
        _column("attempts", sa.Integer()),
        _column("prediction_id", sa.Uuid(), null=True),
        _column("error_status", sa.Integer(), null=True),
        _column("error_code", sa.String(64), null=True),
        _column("error", sa.Text(), null=True),
        *keys,
        sa.PrimaryKeyConstraint("number", name="pk_batch_items"),
        sa.UniqueConstraint("batch_id", "position", name="uq_batch_items_batch_id_position"),
        sa.UniqueConstraint("prediction_id", name="uq_batch_items_prediction_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_batch_items_file_id", "batch_items", ["file_id"])
    op.create_index("ix_batch_items_batch_id_state_due_at", "batch_items", ["batch_id", "state", "due_at"])
