"""What is known of each picture: whether it waits, was answered, was stored, was passed over, or was given up.

A file of SQLite in the data folder. Pictures and results on their way lie beside it, readable by this user alone.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from backend.settings.reading import ConfigError
from ml_model.errors import MediDiagnoseError

Origin = Literal["archive", "sent"]
State = Literal["waiting", "answered", "stored", "skipped", "dead"]
FOLDER, FILE_NAME = "dicomweb", "ledger.sqlite3"
_LONGEST_WAIT_S = 6 * 3600.0
_TABLES = """
CREATE TABLE IF NOT EXISTS pictures (
    number INTEGER PRIMARY KEY, instance_uid TEXT NOT NULL UNIQUE, series_uid TEXT NOT NULL, study_uid TEXT NOT NULL,
    origin TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, due_at REAL NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '', changed_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS seen (study_uid TEXT PRIMARY KEY, instances INTEGER NOT NULL);
"""
_COLUMNS = "number, instance_uid, series_uid, study_uid, origin, state, attempts, reason"


class PassedOver(MediDiagnoseError):
    """A picture that is not answered, now or later; the message says why, in words of ours and of the standard."""

    code = "passed_over"


@dataclass(frozen=True)
class Entry:
    """One picture, or a series as a whole, whose UID then stands for that of an instance. reason: why it was passed
    over, or what went wrong last."""

    number: int
    instance_uid: str
    series_uid: str
    study_uid: str
    origin: Origin
    state: State
    attempts: int
    reason: str

    @property
    def whole_series(self) -> bool:
        """Whether it is a series."""
        return self.instance_uid == self.series_uid


class Ledger:
    """Of one data folder. Safe to use from several threads and processes."""

    def __init__(self, data_dir: Path) -> None:
        """Raises ConfigError where nothing can be kept there."""
        self.folder = data_dir / FOLDER
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._link() as link:
                link.execute("PRAGMA journal_mode=WAL")
                link.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"DATA_DIR={str(data_dir)!r}: no ledger can be kept there ({error})") from error

    def add(self, uids: tuple[str, str, str], origin: Origin, skipped: str = "") -> bool:
        """Whether it is new. uids: of study, series and instance. skipped: why it is passed over."""
        study, series, instance = uids
        with self._link() as link:
            row = (instance, series, study, origin, "skipped" if skipped else "waiting", skipped, now())
            done = link.execute(
                "INSERT INTO pictures (instance_uid, series_uid, study_uid, origin, state, reason, changed_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                row,
            )
            return done.rowcount == 1

    def seen(self, uid: str) -> int:
        """How many instances a study, or a series of slices, had when it was looked through; -1 where it never was."""
        with self._link() as link:
            found = link.execute("SELECT instances FROM seen WHERE study_uid = ?", (uid,)).fetchone()
        return int(found[0]) if found else -1

    def looked_through(self, uid: str, instances: int) -> None:
        """Of a study after all that is in it was added."""
        with self._link() as link:
            link.execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", (uid, instances))

    def due(self, origin: Origin) -> Entry | None:
        """What is to be done next: what was answered first, then what has waited longest."""
        with self._link() as link:
            row = link.execute(
                f"SELECT {_COLUMNS} FROM pictures WHERE origin = ? AND state IN ('answered', 'waiting') "  # noqa: S608  # nosec B608 - ours
                # No wait outlasts the longest, whatever becomes of the clock.
                "AND NOT due_at BETWEEN ? AND ? ORDER BY state, due_at, number LIMIT 1",
                (origin, now(), now() + _LONGEST_WAIT_S),
            ).fetchone()
        return Entry(*row) if row else None

    def change(self, entry: Entry, state: State, reason: str = "") -> None:
        """A step that succeeded: what failed before is forgotten."""
        with self._link() as link:
            link.execute(
                "UPDATE pictures SET state = ?, reason = ?, attempts = 0, due_at = 0, changed_at = ? WHERE number = ?",
                (state, reason, now(), entry.number),
            )

    def failed(self, entry: Entry, reason: str, most_attempts: int, backoff_s: float) -> None:
        """It is tried again, later each time; after so many attempts it is given up."""
        attempts = entry.attempts + 1
        state = "dead" if attempts >= most_attempts else entry.state
        due_at = now() + min(backoff_s * 2.0 ** (attempts - 1), _LONGEST_WAIT_S)
        with self._link() as link:
            link.execute(
                "UPDATE pictures SET state = ?, reason = ?, attempts = ?, due_at = ?, changed_at = ? WHERE number = ?",
                (state, reason, attempts, due_at, now(), entry.number),
            )

    def listed(self, states: Sequence[State]) -> Iterator[Entry]:
        """In the order in which they came."""
        marks = ", ".join("?" for _ in states)
        with self._link() as link:
            query = f"SELECT {_COLUMNS} FROM pictures WHERE state IN ({marks}) ORDER BY number"  # noqa: S608  # nosec B608 - marks
            rows = link.execute(query, tuple(states)).fetchall()
        yield from (Entry(*row) for row in rows)

    def retry(self, number: int | None) -> int:
        """How many that were given up, or passed over where one is named, are tried again: from their results on, where
        those are there still. number: None: all that were given up."""
        chosen = "state = 'dead'" if number is None else "number = ? AND state IN ('dead', 'skipped')"
        with self._link() as link:
            done = link.execute(
                f"UPDATE pictures SET state = 'answered', attempts = 0, due_at = 0, reason = '' WHERE {chosen}",  # noqa: S608  # nosec B608 - ours
                () if number is None else (number,),
            )
            return done.rowcount

    def is_settled(self, instance_uid: str) -> bool:
        """Whether nothing is to be done with it any more."""
        with self._link() as link:
            query = "SELECT 1 FROM pictures WHERE instance_uid = ? AND state IN ('stored', 'skipped')"
            return link.execute(query, (instance_uid,)).fetchone() is not None

    @contextmanager
    def alone(self, origin: Origin) -> Iterator[None]:
        """While one process works on what came so. Raises ConfigError where another does."""
        link = sqlite3.connect(self.folder / f"{origin}.lock", timeout=0.0)  # SQLite's locks end with their process
        try:
            try:
                link.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                raise ConfigError("another process works on this data folder already; stop it first") from error
            yield
        finally:
            link.close()

    @contextmanager
    def _link(self) -> Iterator[sqlite3.Connection]:
        link = sqlite3.connect(self.folder / FILE_NAME, timeout=30.0)
        try:
            with link:
                yield link
        finally:
            link.close()


def now() -> float:
    """Seconds since 1970: what is due must outlast the process, and with it every other clock."""
    return datetime.now(UTC).timestamp()


def write_whole(path: Path, data: bytes) -> None:
    """A file is there whole or not at all, and stays when the power goes."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_suffix(".part")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
