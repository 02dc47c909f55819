"""Tables as the code has them, up and down with data in them, and what happens where there is no database."""

from __future__ import annotations

import io
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from records.databases import fresh_postgres
from records.people import PASSWORD, person
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from backend.app import Application, create_app
from backend.config import Config, ConfigError, ProductionConfig, TestingConfig
from backend.errors import RecordsUnavailable
from backend.storage import database as database_module
from backend.storage.audit import Deed, append, verify
from backend.storage.database import Database, database_url
from backend.storage.secret_key import FILE_NAME as SECRET
from backend.storage.secret_key import secret_of
from backend.storage.tables import Table

MakeApp = Callable[..., Application]


def test_the_migrations_make_the_tables_of_the_code(records_app: Application) -> None:
    with records_app.services.records.open().database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []


def test_a_new_file_that_another_is_at_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        ended = threading.Timer(0.2, other.execute, ["COMMIT"])
        ended.start()
        database = Database(f"sqlite:///{path}")
        with database.engine.connect() as connection:
            assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        database.close()
        ended.join()


def test_several_processes_that_start_at_once_migrate_once(database_address: Callable[[], str], tmp_path: Path) -> None:
    given = database_address().replace("postgresql://", "postgresql+psycopg://")
    url, faults = given or f"sqlite:///{tmp_path / 'at_once.sqlite3'}", []

    def start() -> None:
        database = Database(url)
        try:
            database.migrate()
            with database.writing() as session:
                append(session, Deed("operator", "start", ""))
        except Exception as error:
            faults.append(error)
        database.close()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    database = Database(url)
    with database.reading() as session:
        assert (verify(session).entries, verify(session).fault) == (4, None)
    database.close()


def test_what_is_read_together_is_of_one_moment(database_address: Callable[[], str], tmp_path: Path) -> None:
    """Or a log that is written to while it is looked through would be told as broken."""
    given = database_address().replace("postgresql://", "postgresql+psycopg://")
    database = Database(given or f"sqlite:///{tmp_path / 'one.sqlite3'}")
    database.migrate()
    with database.reading() as session:
        assert verify(session).entries == 0
        with database.writing() as other:
            append(other, Deed("operator", "start", ""))
        assert (verify(session).entries, verify(session).fault) == (0, None)
    with database.reading() as session:
        assert verify(session).entries == 1
    database.close()


def test_the_audit_log_takes_no_change_and_tells_of_one_made_behind_its_back(
    make_records_app: MakeApp, tmp_path: Path
) -> None:
    app = make_records_app(tmp_path)
    person(app)
    database = app.services.records.open().database
    for change in ("UPDATE audit SET action = 'x' WHERE number = 1", "DELETE FROM audit WHERE number = 1"):
        with pytest.raises(DBAPIError, match="append-only"), database.engine.begin() as connection:
            connection.execute(text(change))
    triggers = ("audit_no_update", "audit_no_delete") if database.is_sqlite else ("audit_no_change ON audit",)
    with database.writing() as session:
        for name in triggers:
            session.execute(text(f"DROP TRIGGER {name}"))
    for change, fault in (
        ("UPDATE audit SET action = 'logout' WHERE number = 2", "entry 2 was altered"),
        ("DELETE FROM audit WHERE number = 1", "entry 1 is missing"),
    ):
        with database.writing() as session:
            session.execute(text(change))
        with database.reading() as session:
            assert verify(session).fault == fault
    database.close()


def test_a_log_that_was_cut_off_is_told(make_records_app: MakeApp, tmp_path: Path) -> None:
    app = make_records_app(tmp_path)
    person(app)
    database = app.services.records.open().database
    trigger = "audit_no_delete" if database.is_sqlite else "audit_no_change ON audit"
    with database.writing() as session:
        session.execute(text(f"DROP TRIGGER {trigger}"))
        session.execute(text("DELETE FROM audit WHERE number = 2"))
    with database.reading() as session:
        assert verify(session).fault == "the log ends at entry 1, but 2 were written"
    database.close()


SETTINGS = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "secure_delete": 1}


def test_sqlite_is_set_up_for_many_readers_and_whole_writes(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'one.sqlite3'}")
    with database.engine.connect() as connection:
        told = [connection.execute(text(f"PRAGMA {n}")).scalar() for n in SETTINGS]
    assert dict(zip(SETTINGS, told, strict=True)) == SETTINGS
    assert stat.S_IMODE((tmp_path / "one.sqlite3").stat().st_mode) == 0o600
    database.close()


def test_waiting_for_a_connection_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.01}.items():
        monkeypatch.setitem(database_module._POOL, name, value)
    database = Database(f"sqlite:///{tmp_path / 'one.sqlite3'}")
    with database.snapshot(), pytest.raises(RecordsUnavailable, match="in use"), database.snapshot():
        pass
    database.close()


def test_postgresql_ends_what_waits_or_is_forgotten_but_for_a_backup(postgres: str) -> None:
    database = Database(fresh_postgres(postgres).replace("postgresql://", "postgresql+psycopg://"))
    names = ("lock_timeout", "idle_in_transaction_session_timeout", "TimeZone")
    with database.writing() as session:
        assert [session.execute(text(f"SHOW {name}")).scalar() for name in names] == ["10s", "30s", "UTC"]
    with database.snapshot() as connection:
        assert [connection.execute(text(f"SHOW {name}")).scalar() for name in names] == ["0", "0", "UTC"]
    database.close()


@pytest.mark.parametrize("address", ["", "postgresql+psycopg://nobody@127.0.0.1:1/none"])
def test_without_a_database_pictures_are_answered_and_records_say_why_not(
    tmp_path: Path, picture: Callable[..., bytes], address: str
) -> None:
    (tmp_path / "a_file").write_text("no folder", encoding="utf-8")
    config = TestingConfig(
        model_dirs=(), user_models_dir=tmp_path, data_dir=tmp_path / "a_file", log=False, input_gate=False,
        database_url=address,
    )  # fmt: skip
    client = create_app(config).test_client()
    body = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
    for path in ("/api/v1/auth/register", "/api/v1/auth/register"):
        reply = client.post(path, json=body)
        assert (reply.status_code, reply.get_json()["code"]) == (503, "records_unavailable")
        assert int(reply.headers["Retry-After"]) > 0
    health = client.get("/health").get_json()
    told = health["problems"] if address else health["notes"]
    assert told["records"].startswith("nothing can be kept: ")
    assert health["status"] == ("degraded" if address else "healthy"), (
        "who asked for no database is not told of a fault"
    )
    assert str(tmp_path) not in told["records"]
    reply = client.post("/analyze/skin", data={"image": (io.BytesIO(picture()), "x")})
    assert reply.status_code == 200


def test_a_newer_database_is_not_touched(tmp_path: Path) -> None:
    config = TestingConfig(data_dir=tmp_path)
    database = Database(database_url(config))
    database.migrate()
    database.close()
    with sqlite3.connect(tmp_path / "records.sqlite3") as link:
        link.execute("UPDATE alembic_version SET version_num = '9999'")
    link.close()
    client = create_app(
        TestingConfig(model_dirs=(), user_models_dir=tmp_path, data_dir=tmp_path, log=False)
    ).test_client()
    body = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
    reply = client.post("/api/v1/auth/register", json=body)
    assert (reply.status_code, "newer version" in reply.get_json()["error"]) == (503, True)


def test_the_secret_of_development_is_kept_for_its_user_alone(tmp_path: Path) -> None:
    first, second = (secret_of(Config(data_dir=tmp_path / "data")) for _ in range(2))
    path = tmp_path / "data" / SECRET
    assert (first == second, len(first)) == (True, 64)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == [SECRET]
    assert secret_of(Config(data_dir=tmp_path / "other")) != first
    for damaged in (b"short", "schl\u00fcssel".encode() * 8, b""):
        path.write_bytes(damaged)
        assert len(secret_of(Config(data_dir=tmp_path / "data"))) == 64
    assert secret_of(TestingConfig(data_dir=tmp_path / "t")) != secret_of(TestingConfig(data_dir=tmp_path / "t"))
    assert not (tmp_path / "t").exists()


def test_one_setting_chooses_the_configuration() -> None:
    assert type(Config.from_env({})) is Config
    assert type(Config.from_env({"APP_ENV": "testing"})) is TestingConfig
    chosen = Config.from_env({"APP_ENV": "production", "SECRET_KEY": "k" * 32})
    assert (type(chosen), chosen.secure_cookies) == (ProductionConfig, True)
    with pytest.raises(ConfigError, match="APP_ENV=production needs one"):
        Config.from_env({"APP_ENV": "production"})
    with pytest.raises(ConfigError, match="expected one of development, testing, production"):
        Config.from_env({"APP_ENV": "staging"})


def test_a_database_by_its_usual_address() -> None:
    told = "me:" + "hidden" + "@host/name"
    given = Config.from_env({"DATABASE_URL": f"postgres://{told}"})
    assert given.database_url == f"postgresql+psycopg://{told}"
    assert "hidden" not in repr(given)
    with pytest.raises(ConfigError) as refused:
        Config.from_env({"DATABASE_URL": f"mysql://{told}"})
    assert "hidden" not in str(refused.value)
