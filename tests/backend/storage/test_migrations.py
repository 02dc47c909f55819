"""Every migration down and up again, one after the other, with records in the tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from records.people import person
from records.writers import small_picture
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from backend.app import Application
from backend.storage.audit import verify
from backend.storage.database import MIGRATIONS, Database

# Of the first revision, and of every one since.
KEPT = (
    "SELECT id, username, email_key, password_hash, role FROM users ORDER BY username",
    "SELECT id, user_id, kind, format, size_bytes, sha256 FROM files ORDER BY id",
    "SELECT number, id, user_id, file_id, heatmap_id, task, day, scores, result FROM predictions ORDER BY number",
    "SELECT id, prediction_id, agrees, note FROM feedback ORDER BY id",
    "SELECT number, user_id, code FROM refusals ORDER BY number",
    "SELECT number, at, action, hash FROM audit ORDER BY number",
)
STEPS = ScriptDirectory(str(MIGRATIONS), recursive_version_locations=True)
REVISIONS = [step.revision for step in STEPS.walk_revisions()][::-1]


def test_steps_are_numbered_in_the_order_in_which_they_are_taken() -> None:
    assert [f"{number:04}" for number, _ in enumerate(REVISIONS, 1)] == REVISIONS
    files = sorted(path.name[:5] for path in (MIGRATIONS / "versions").rglob("v*.py"))
    assert files == [f"v{revision}" for revision in REVISIONS]


def rows(database: Database) -> list[list[tuple[Any, ...]]]:
    with database.engine.connect() as connection:
        return [[tuple(row) for row in connection.execute(text(asked))] for asked in KEPT]


def revision(database: Database) -> str:
    with database.engine.connect() as connection:
        return database.revision(connection)


def test_down_and_up_again_step_by_step_with_data(make_records_app: Callable[..., Application], tmp_path: Path) -> None:
    app = make_records_app(tmp_path)
    ada = person(app, "clinician")
    kept = ada.predict(small_picture(1), patient_ref="p-1")
    said = ada.call("POST", f"/history/{kept['prediction_id']}/feedback", json={"agrees": True, "note": "größer"})
    assert said.status_code == 201
    database = app.services.records.open().database
    before = rows(database)
    assert [len(table) for table in before] == [1, 2, 1, 1, 0, 5]
    for target in (*REVISIONS[-2::-1], *REVISIONS[1:]):
        database.migrate(target)
        assert (revision(database), rows(database)) == (target, before)
    assert ada.get(f"/history/{kept['prediction_id']}")["result"] == kept["result"]
    assert ada.get("/history?q=größer")["total"] == 1, "what was said is found"
    with database.reading() as session:
        assert verify(session).fault is None
    with pytest.raises(DBAPIError, match="append-only"), database.engine.begin() as connection:
        connection.execute(text("UPDATE audit SET action = 'x' WHERE number = 1"))


def test_down_to_nothing_and_up_again_with_data(make_records_app: Callable[..., Application], tmp_path: Path) -> None:
    app = make_records_app(tmp_path)
    person(app).predict(small_picture(1))
    database = app.services.records.open().database
    database.migrate("base")
    assert set(inspect(database.engine).get_table_names()) <= {"alembic_version"}
    database.migrate()
    database.migrate()  # there is nothing to do
    assert revision(database) == REVISIONS[-1]
    assert person(app).get("/history")["total"] == 0


def test_accounts_of_an_issuer_have_no_password(make_records_app: Callable[..., Application], tmp_path: Path) -> None:
    app = make_records_app(tmp_path)
    ada, opened = person(app, username="ada"), app.services.records.open()
    claims = {"sub": "p", "preferred_username": "bob"}
    opened.identities.log_in("https://issuer.example", claims, makes=True, request_id="")
    database = opened.database

    def hashes() -> list[str]:
        with database.engine.connect() as connection:
            return list(connection.execute(text("SELECT password_hash FROM users ORDER BY username")).scalars())

    before = hashes()
    assert (before[0].startswith("$argon2"), before[1]) == (True, "")
    database.migrate("0010")
    assert hashes()[0] == before[0]
    assert hashes()[1].startswith("$argon2"), "an older version can tell that it is no password"
    database.migrate()
    assert hashes() == before
    assert ada.get("/auth/me")["user"]["username"] == "ada"
