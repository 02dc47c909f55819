"""The database: opened, brought to the present tables, and its transactions.

SQLite in WAL mode, in the data folder, unless `DATABASE_URL` names PostgreSQL.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoneFree
from sqlalchemy.orm import Session

from backend.config import Config
from backend.errors import NotFound, RecordsUnavailable
from backend.storage.tables import Table

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
FILE_NAME = "records.sqlite3"
HEAD = "head"
_BUSY_S = 10  # how long one transaction waits for another
_AGAIN_S = 0.01
_SCRUB_S = 0.5  # and the emptying of the log for those who read; writers wait meanwhile
_POOL: dict[str, Any] = {"pool_size": 8, "max_overflow": 32, "pool_timeout": 5}  # more threads wait for a connection
# A peer that is gone is noticed, and a transaction that is waited for or forgotten ends.
_POSTGRES: dict[str, Any] = {
    "connect_timeout": _BUSY_S, "tcp_user_timeout": 1000 * _BUSY_S,
    "options": f"-c timezone=UTC -c lock_timeout={_BUSY_S}s -c idle_in_transaction_session_timeout=30s",
}  # fmt: skip
_PATIENTLY = text(
    "SELECT set_config('lock_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)"
)
_MIGRATION_LOCK = 7_205_190_001  # any number of our own
_WRITES, _ONE_STATE = {"writes": True}, {"isolation_level": "REPEATABLE READ"}
_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def database_url(config: Config) -> str:
    """That of the setting, or of the file in the data folder."""
    return config.database_url or f"sqlite:///{(config.data_dir / FILE_NAME).absolute()}"


class Database:
    """Transactions on one database. Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        if self.is_sqlite:
            _make_private(Path(make_url(url).database or ""))
            self._engine = create_engine(url, connect_args={"timeout": _BUSY_S}, **_POOL)
            event.listen(self._engine, "connect", _set_up_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        else:
            self._engine = create_engine(url, connect_args=_POSTGRES, pool_pre_ping=True, **_POOL)
        self._writing = self._engine.execution_options(**_WRITES)
        # SQLite's transactions read one state anyway; PostgreSQL's, unless told, a new one with each statement.
        self._reading = self._engine if self.is_sqlite else self._engine.execution_options(**_ONE_STATE)

    @property
    def engine(self) -> Engine:
        """For migrations and checks."""
        return self._engine

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One state of the database, from the first look to the last."""
        with _told(), Session(self._reading) as session:
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """One state of all tables, however long it takes to read them."""
        with _told(), self._reading.connect() as connection:
            if not self.is_sqlite:
                connection.execute(_PATIENTLY)
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction: all of it is kept once this ends, or nothing. Raises RecordsUnavailable where it cannot be."""
        with _told(), Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    def migrate(self, target: str = HEAD) -> None:
        """Bring the tables to `target`, up or down; several processes may try at once.

        Raises RecordsUnavailable where the database cannot be used, NotFound where there is no such form of the tables.
        """
        from alembic import command
        from alembic.runtime.migration import MigrationContext
        from alembic.script import ScriptDirectory
        from alembic.script.revision import RevisionError
        from alembic.util import CommandError

        settings = _alembic_settings()
        script = ScriptDirectory.from_config(settings)
        with _told(), self._writing.begin() as connection:
            if not self.is_sqlite:
                connection.execute(_PATIENTLY)
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
            now = MigrationContext.configure(connection).get_current_revision()
            wanted = script.get_current_head() if target == HEAD else None if target == "base" else target
            if now == wanted:
                return
            settings.attributes["connection"] = connection
            try:
                ahead = {step.revision for step in script.iterate_revisions(now, "base")} if now else set()
            except RevisionError as error:
                raise RecordsUnavailable("the database was made by a newer version of this service") from error
            step = command.downgrade if wanted is None or wanted in ahead else command.upgrade
            try:
                step(settings, target)
            except CommandError as error:
                raise NotFound(f"there is no form {target!r:.80} of the tables: head, base, or a revision") from error

    def revision(self, connection: Connection) -> str:
        """Of the tables; empty where there are none."""
        from alembic.runtime.migration import MigrationContext

        return MigrationContext.configure(connection).get_current_revision() or ""

    def scrub(self) -> None:
        """Empty SQLite's log, which holds pages as they were before rows were deleted. Where somebody reads an earlier
        state it stays for now: it is overwritten with time, and emptied by the next `scrub`."""
        if not self.is_sqlite:
            return  # PostgreSQL's autovacuum does it
        path = self._engine.url.database or ""
        with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=_SCRUB_S)) as link:
            link.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()


def insert(session: Session, table: type[Table]) -> Any:
    """INSERT with what both databases do where the row is there: `on_conflict_do_nothing`, `on_conflict_do_update`."""
    return _INSERT[session.get_bind().dialect.name](table)


def _alembic_settings() -> Any:
    from alembic.config import Config as AlembicConfig

    settings = AlembicConfig()
    settings.set_main_option("script_location", str(MIGRATIONS))
    settings.set_main_option("recursive_version_locations", "true")
    settings.set_main_option("path_separator", "os")
    return settings


@contextmanager
def _told() -> Iterator[None]:
    """A database that is not there, full or read-only is an error of ours; a fault of the code stays what it is."""
    try:
        yield
    except NoneFree as error:
        raise RecordsUnavailable("all connections to the database are in use; try again in a moment") from error
    except OperationalError as error:
        raise RecordsUnavailable(f"the database cannot be used now ({_kind(error)}); try again in a moment") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise RecordsUnavailable("the connection to the database was lost; try again in a moment") from error
        raise


def _kind(error: DBAPIError) -> str:
    """In a word: the message of a driver can hold an address or a value."""
    return getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None) or "no connection"


def _make_private(path: Path) -> None:
    """A file that is not there yet is made for this user alone; the log beside it takes its mode."""
    with suppress(OSError):  # opening it says what is wrong
        path.touch(mode=0o600, exist_ok=False)


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # a transaction begins where `_begin_sqlite` says, not where the driver guesses
    _turn_to_wal(connection)
    # Deleted rows are overwritten with zeros, not only let go.
    for setting in ("synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {setting}")


def _turn_to_wal(connection: Any) -> None:
    """Of several that open a new file at once SQLite lets one do so, and has the others wait for nothing."""
    until = time.monotonic() + _BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_AGAIN_S)


def _begin_sqlite(connection: Connection) -> None:
    """Who means to write takes the turn at once: a reader that turns to writing cannot wait for another."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
