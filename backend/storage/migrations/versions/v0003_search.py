"""An index that holds all that records are searched by."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
_NAME = "ix_predictions_search"


def upgrade() -> None:
    """Beside the others."""
    op.create_index(_NAME, "predictions", ["user_id", "number", "task", "class_name", "patient_ref"])


def downgrade() -> None:
    """Without it."""
    op.drop_index(_NAME, "predictions")
