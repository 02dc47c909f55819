"""An index by which it is found when an account had its last turn."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
_NAME = "ix_batches_user_id_served_at"


def upgrade() -> None:
    """Beside the others."""
    op.create_index(_NAME, "batches", ["user_id", "served_at"])


def downgrade() -> None:
    """Without it."""
    op.drop_index(_NAME, "batches")
