"""Accounts, files, predictions, feedback and the audit log."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_MOMENT = sa.DateTime(timezone=True)
_REFUSED = "the audit log is append-only"
_TABLES = (
    "audit_head", "audit", "feedback", "refusals", "predictions", "files", "revoked_tokens", "login_attempts", "users",
)  # fmt: skip


def upgrade() -> None:
    """From nothing."""
    _accounts()
    _files()
    _predictions()
    _refusals_and_feedback()
    _audit()


def downgrade() -> None:
    """To nothing."""
    for event in ("update", "delete"):
        if op.get_bind().dialect.name == "sqlite":
            op.execute(f"DROP TRIGGER audit_no_{event}")
    for name in _TABLES:
        op.drop_table(name)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION audit_refuse()")


def _column(name: str, kind: sa.types.TypeEngine[Any], *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=null)


def _owner(table: str) -> tuple[sa.Column[Any], sa.ForeignKeyConstraint]:
    key = sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=f"fk_{table}_user_id", ondelete="CASCADE")
    return _column("user_id", sa.Uuid()), key


def _index(table: str, *columns: str) -> None:
    op.create_index("_".join(("ix", table, *columns)), table, list(columns))


def _accounts() -> None:
    op.create_table(
        "users",
        _column("id", sa.Uuid()),
        _column("username", sa.String(64)),
        _column("username_key", sa.String(64)),
        _column("email", sa.String(254)),
        _column("email_key", sa.String(254)),
        _column("password_hash", sa.String(255)),
        _column("role", sa.String(16)),
        _column("generation", sa.Integer()),
        _column("created_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("username_key", name="uq_users_username_key"),
        sa.UniqueConstraint("email_key", name="uq_users_email_key"),
    )
    op.create_table(
        "login_attempts",
        _column("name_hash", sa.String(64)),
        _column("failures", sa.Integer()),
        _column("locked_until", _MOMENT),
        sa.PrimaryKeyConstraint("name_hash", name="pk_login_attempts"),
    )
    op.create_table(
        "revoked_tokens",
        _column("token_id", sa.String(64)),
        _column("expires_at", _MOMENT),
        sa.PrimaryKeyConstraint("token_id", name="pk_revoked_tokens"),
    )
    _index("revoked_tokens", "expires_at")


def _files() -> None:
    op.create_table(
        "files",
        _column("id", sa.Uuid()),
        *_owner("files"),
        _column("kind", sa.String(16)),
        _column("format", sa.String(16)),
        _column("size_bytes", sa.BigInteger()),
        _column("sha256", sa.String(64)),
        _column("frames", sa.Integer()),
        _column("created_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_files"),
    )
    _index("files", "user_id", "size_bytes")


def _predictions() -> None:
    keys = [
        sa.ForeignKeyConstraint([name], ["files.id"], name=f"fk_predictions_{name}", ondelete="SET NULL")
        for name in ("file_id", "heatmap_id")
    ]
    op.create_table(
        "predictions",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        _column("id", sa.Uuid()),
        *_owner("predictions"),
        _column("file_id", sa.Uuid(), null=True),
        _column("heatmap_id", sa.Uuid(), null=True),
        _column("task", sa.String(64)),
        _column("patient_ref", sa.String(64), null=True),
        _column("created_at", _MOMENT),
        _column("day", sa.Date()),
        _column("class_code", sa.String(64)),
        _column("class_name", sa.String(200)),
        _column("confidence", sa.Double()),
        _column("triage_level", sa.String(16)),
        _column("settled", sa.Boolean()),
        _column("scores", sa.JSON()),
        _column("model_version", sa.String(64), null=True),
        _column("model_sha256", sa.String(64), null=True),
        _column("processing_ms", sa.Double()),
        _column("shared", sa.Boolean()),
        _column("result", sa.JSON()),
        *keys,
        sa.PrimaryKeyConstraint("number", name="pk_predictions"),
        sa.UniqueConstraint("id", name="uq_predictions_id"),
        sqlite_autoincrement=True,  # a number that was taken away is never given again
    )
    for filtered in ((), ("task",), ("patient_ref",), ("class_code",), ("triage_level",), ("day",)):
        _index("predictions", "user_id", *filtered, "number")
    for name in ("file_id", "heatmap_id"):
        _index("predictions", name)
    told = ["user_id", "day", "task", "class_code", "triage_level", "processing_ms"]
    op.create_index("ix_predictions_statistics", "predictions", told)


def _refusals_and_feedback() -> None:
    op.create_table(
        "refusals",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        *_owner("refusals"),
        _column("day", sa.Date()),
        _column("task", sa.String(64)),
        _column("code", sa.String(64)),
        sa.PrimaryKeyConstraint("number", name="pk_refusals"),
    )
    _index("refusals", "user_id", "day", "task", "code")
    op.create_table(
        "feedback",
        _column("id", sa.Uuid()),
        _column("prediction_id", sa.Uuid()),
        *_owner("feedback"),
        _column("agrees", sa.Boolean()),
        _column("right_class", sa.String(64), null=True),
        _column("note", sa.Text(), null=True),
        _column("created_at", _MOMENT),
        sa.ForeignKeyConstraint(
            ["prediction_id"], ["predictions.id"], name="fk_feedback_prediction_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
    )
    _index("feedback", "prediction_id")
    _index("feedback", "user_id")


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("number", _NUMBER, autoincrement=False, nullable=False),
        _column("at", _MOMENT),
        _column("actor_id", sa.String(36)),
        _column("action", sa.String(32)),
        _column("object_id", sa.String(64)),
        _column("request_id", sa.String(64)),
        _column("previous_hash", sa.String(64)),
        _column("hash", sa.String(64)),
        sa.PrimaryKeyConstraint("number", name="pk_audit"),
    )
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        _column("number", sa.BigInteger()),
        _column("hash", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    op.bulk_insert(head, [{"id": 1, "number": 0, "hash": "0" * 64}])
    if op.get_bind().dialect.name == "sqlite":
        for event in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER audit_no_{event} BEFORE {event} ON audit BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSED}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
    )
