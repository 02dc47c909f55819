"""Whose a record is that something is said of, and its number: a search looks through the notes of one account."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
_TABLE, _INDEX = "feedback", "ix_feedback_owner_id"
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_COLUMNS: dict[str, sa.types.TypeEngine[Any]] = {"owner_id": sa.Uuid(), "record_number": _NUMBER}
_SAID = sa.table(_TABLE, sa.column("prediction_id"), *map(sa.column, _COLUMNS))
_RECORDS = sa.table("predictions", sa.column("id"), sa.column("user_id"), sa.column("number"))


def upgrade() -> None:
    """What is there gets them from its record."""
    for name, kind in _COLUMNS.items():
        op.add_column(_TABLE, sa.Column(name, kind, nullable=True))
    of_record = _RECORDS.c.id == _SAID.c.prediction_id
    known = {name: sa.select(_RECORDS.c[there]).where(of_record).scalar_subquery()
             for name, there in zip(_COLUMNS, ("user_id", "number"), strict=True)}  # fmt: skip
    op.execute(_SAID.update().values(known))
    with op.batch_alter_table(_TABLE) as table:  # which SQLite makes anew
        for name, kind in _COLUMNS.items():
            table.alter_column(name, existing_type=kind, nullable=False)
    op.create_index(_INDEX, _TABLE, ["owner_id"])


def downgrade() -> None:
    """A search asks the record."""
    op.drop_index(_INDEX, _TABLE)
    for name in _COLUMNS:
        op.drop_column(_TABLE, name)
