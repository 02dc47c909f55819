"""What was told of a file when it was taken in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Of those that are there nothing was told."""
    op.add_column("files", sa.Column("warnings", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    """Back."""
    op.drop_column("files", "warnings")
