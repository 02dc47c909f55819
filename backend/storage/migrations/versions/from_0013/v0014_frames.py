"""Which frame of a file of a batch is answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Of those that are there none is said."""
    op.add_column("batch_items", sa.Column("frame", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Without it."""
    op.drop_column("batch_items", "frame")
