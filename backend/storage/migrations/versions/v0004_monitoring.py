"""What records of all accounts are compared by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Those that are there are compared by their classes alone."""
    op.add_column("predictions", sa.Column("distance", sa.Double(), nullable=True))
    op.add_column("predictions", sa.Column("quality", sa.JSON(), nullable=True))
    op.create_index("ix_predictions_task_model_version_number", "predictions", ["task", "model_version", "number"])
    op.create_index("ix_refusals_task_day_code", "refusals", ["task", "day", "code"])


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_refusals_task_day_code", "refusals")
    op.drop_index("ix_predictions_task_model_version_number", "predictions")
    for name in ("quality", "distance"):
        op.drop_column("predictions", name)
