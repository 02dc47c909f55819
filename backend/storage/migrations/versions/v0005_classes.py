"""An index by which classes and grades of triage are counted in its order."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
_NAME = "ix_predictions_classes"


def upgrade() -> None:
    """Beside the others."""
    op.create_index(_NAME, "predictions", ["user_id", "task", "class_code", "triage_level", "day"])


def downgrade() -> None:
    """Without it."""
    op.drop_index(_NAME, "predictions")
