"""An index by which an account's own deeds are found in the audit log."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
_NAME = "ix_audit_actor_id_number"


def upgrade() -> None:
    """Beside the key."""
    op.create_index(_NAME, "audit", ["actor_id", "number"])


def downgrade() -> None:
    """Without it."""
    op.drop_index(_NAME, "audit")
