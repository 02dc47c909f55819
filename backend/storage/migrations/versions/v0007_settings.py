"""Whether an account keeps its answers without being asked each time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Those that are there do not."""
    op.add_column("users", sa.Column("keep_answers", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Back."""
    op.drop_column("users", "keep_answers")
