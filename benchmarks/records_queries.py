"""History and statistics of an account with 10^5 records among 10^6, on SQLite.

    python benchmarks/records_queries.py [--rows 1000000] [--times 40] [--bar-ms 100] [--folder FOLDER]

Makes the database by SQL (tasks, classes, grades of triage and patients drawn at random over three years; answers of
1,000 bytes), then calls what stands behind GET /history, /stats and /patients/<ref>/timeline, each `times` times, with
the noting in the audit log that belongs to it. Beside the time on the clock stands that of the processor, which other
work on the machine changes less. Exit code 1 where a p95 is over the bar. In a FOLDER the database stays.
"""

from __future__ import annotations

import argparse
import math
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from clients import percentile

from backend.schemas.accounts import Account
from backend.schemas.records import HistoryQuery, StatsQuery
from backend.services.longitudinal.again import AnsweredAgain
from backend.services.longitudinal.course import Course
from backend.services.records.history import History
from backend.services.records.statistics import Statistics
from backend.storage.database import FILE_NAME, Database
from backend.storage.files import FILES, FolderStore
from backend.storage.tables import Prediction, User
from backend.telemetry import RequestContext

USERS = 10
OWN = uuid.UUID(int=1)
TASKS = ("skin", "lung-ct", "histopathology", "chest-xray", "ecg", "bone")
TRIAGE = ("emergency", "urgent", "soon", "routine")
FIRST_DAY, DAYS = "2024-01-01", 1096
_ANY = "abs(random())"


def _chosen(words: tuple[str, ...]) -> str:
    return f"CASE {_ANY} % {len(words)} " + " ".join(f"WHEN {i} THEN '{w}'" for i, w in enumerate(words)) + " END"


# What is looked for, in which words, and how.
SEARCHES: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("what nobody has", "zebra", {}),
    ("what all have", "made", {}),
    ("what all have, in the middle", "made", {"page": 2500}),
    ("what all have, last page", "made", {"page": 4900}),
    ("a task in capitals", "HISTO", {}),
    ("a patient", "p-77", {}),
    ("a note", "visit 123", {}),
    ("three words", "made p-7 skin", {}),
    ("letters that the database does not know", "größer", {}),
    ("a patient among a task's", "p-77", {"task": "skin"}),
    ("a patient, after next_before", "p-77", {"before": 500_000}),
)


# By column: an expression of SQL, of n, which counts the rows. The day rises with n, as numbers do.
VALUES = {
    "id": "lower(hex(randomblob(16)))",
    "user_id": f"printf('%032x', 1 + {_ANY} % {USERS})",
    "task": _chosen(TASKS),
    "patient_ref": f"printf('p-%d', {_ANY} % 500)",
    "created_at": f"datetime('{FIRST_DAY}', printf('+%d minutes', n * {DAYS} * 1440 / :rows)) || '.000000'",
    "day": f"date('{FIRST_DAY}', printf('+%d days', n * {DAYS} / :rows))",
    "class_code": f"printf('class-%d', {_ANY} % 7)",
    "class_name": "'Made up'",
    "confidence": "0.75",
    "triage_level": _chosen(TRIAGE),
    "settled": "1",
    "scores": """'{"class-0": 0.75, "class-1": 0.25}'""",
    "processing_ms": f"5.0 + {_ANY} % 1000 / 100.0",
    "shared": "0",
    "result": """printf('{"made": "%s"}', hex(zeroblob(500)))""",
}

# Of every hundredth record somebody has said something.
FEEDBACK = {
    "id": "lower(hex(randomblob(16)))",
    "prediction_id": "id",
    "user_id": "user_id",
    "agrees": "1",
    "note": f"printf('regular network, no change since visit %d', {_ANY} % 1000)",
    "created_at": "created_at",
    "owner_id": "user_id",
    "record_number": "number",
}
SAID = f"SELECT {', '.join(FEEDBACK.values())} FROM predictions WHERE number % 100 = 0"  # noqa: S608 - words of this file


def made(folder: Path, rows: int) -> Database:
    """The database, with its indexes built once all rows are there."""
    path = folder / FILE_NAME
    database = Database(f"sqlite:///{path}")
    database.migrate()
    with database.writing() as session:
        for number in range(1, USERS + 1):
            name = f"user{number}"
            session.add(
                User(
                    id=uuid.UUID(int=number),
                    username=name,
                    username_key=name,
                    email=name,
                    email_key=name,
                    password_hash="",
                    role="user",
                    created_at=datetime.now(UTC),
                )  # fmt: skip
            )
    needed = {c.name for c in Prediction.__table__.columns if not (c.nullable or c.primary_key or c.server_default)}
    assert needed <= VALUES.keys(), needed - VALUES.keys()
    counted = "WITH RECURSIVE counted(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counted WHERE n + 1 < :rows)"
    database.close()
    with sqlite3.connect(path) as link:
        for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000", "temp_store = MEMORY"):
            link.execute(f"PRAGMA {setting}")
        found = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'predictions' AND sql NOT NULL"
        indexes = dict(link.execute(found).fetchall())
        for name in indexes:
            link.execute(f"DROP INDEX {name}")
        link.execute(
            f"INSERT INTO predictions ({', '.join(VALUES)}) {counted} SELECT {', '.join(VALUES.values())} FROM counted",  # noqa: S608 - words of this file
            {"rows": rows},
        )
        for sql in indexes.values():
            link.execute(sql)
        # Of every hundredth record a clinician has said something.
        link.execute(f"INSERT INTO feedback ({', '.join(FEEDBACK)}) {SAID}")
    link.close()
    return database


def questions(database: Database, folder: Path) -> dict[str, Callable[[], object]]:
    """By name, what is measured."""
    files = FolderStore(folder / FILES)
    history, statistics = History(database, files), Statistics(database)
    course = Course(database, files, cast("AnsweredAgain", None))  # nothing is answered again
    account = Account(OWN, "user1", "user", "t", "s", 0, keep_answers=False)

    def page(**asked: object) -> Callable[[], object]:
        query = HistoryQuery.model_validate({"per_page": 20, **asked})
        return lambda: history.page(account, query, "r")

    def counts(**asked: object) -> Callable[[], object]:
        return lambda: statistics.of(account, StatsQuery.model_validate(asked))

    total = history.page(account, HistoryQuery(), "r").total
    days = {"from": "2025-03-01", "to": "2025-08-31"}
    filters: dict[str, dict[str, object]] = {
        "task": {"task": "skin"},
        "class_code": {"class_code": "class-3"},
        "triage": {"triage": "urgent"},
        "patient_ref": {"patient_ref": "p-7"},
        "days": days,
        "task and days": {"task": "skin", **days},
        "task, class and triage": {"task": "skin", "class_code": "class-3", "triage": "urgent"},
        "all filters": {"task": "skin", "class_code": "class-3", "triage": "urgent", "patient_ref": "p-7", **days},
    }
    return {
        "first page": page(),
        "page in the middle": page(page=total // 40),
        "last page": page(page=-(-total // 20)),
        "after next_before": page(before=500_000),
        **{f"{name}, first page": page(**asked) for name, asked in filters.items()},
        "task, last page": page(task="skin", page=history.page(account, HistoryQuery(task="skin"), "r").pages),
        "timeline of a patient": lambda: course.timeline(
            account, "p-7", 0, RequestContext("r", "a", 0.0, math.inf, None)
        ),
        **{f"search for {what}": page(q=words, **asked) for what, words, asked in SEARCHES},
        "statistics": counts(),
        "statistics of a task": counts(task="skin"),
        "statistics of half a year": counts(**days),
    }


def main() -> int:
    """Print the figures; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10**6)
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--bar-ms", type=float, default=100.0)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, began = options.folder or Path(name), time.monotonic()
        path = folder / FILE_NAME
        database = Database(f"sqlite:///{path}") if path.exists() else made(folder, options.rows)
        database.migrate()
        size_mb = sum(one.stat().st_size for one in folder.glob("*")) / 1e6
        print(f"{options.rows} rows, {size_mb:.0f} MB, there after {time.monotonic() - began:.0f} s", flush=True)
        missed = [
            asked for asked, run in questions(database, folder).items()
            if not held(asked, run, options.times, options.bar_ms)
        ]  # fmt: skip
        database.close()
    return int(bool(missed))


def held(asked: str, run: Callable[[], object], times: int, bar_ms: float) -> bool:
    """Print the figures of one question."""
    clock, processor = [], []
    for _ in range(times):
        started, worked = time.perf_counter(), time.process_time()
        run()
        processor.append(1000 * (time.process_time() - worked))
        clock.append(1000 * (time.perf_counter() - started))
    p50, p95 = percentile(clock, 0.5), percentile(clock, 0.95)
    print(f"{'held  ' if p95 <= bar_ms else 'MISSED'} {asked}: p50 {p50:.1f} ms, p95 {p95:.1f}; of the processor "
          f"{percentile(processor, 0.5):.1f}, {percentile(processor, 0.95):.1f}", flush=True)  # fmt: skip
    return p95 <= bar_ms


if __name__ == "__main__":
    sys.exit(main())
