"""An index by which failed log-ins of long ago are found at each new one."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
_NAME = "ix_login_attempts_locked_until"


def upgrade() -> None:
    """Beside the key."""
    op.create_index(_NAME, "login_attempts", ["locked_until"])


def downgrade() -> None:
    """Without it."""
    op.drop_index(_NAME, "login_attempts")
