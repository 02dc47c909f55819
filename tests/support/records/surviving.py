"""Whether a database and a folder of files are whole, and hold what clients were told is kept."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

from records.writers import Told
from samples import ROOT
from sqlalchemy import Select, select, text
from sqlalchemy.orm import Session

from backend.config import Config
from backend.storage.audit import verify
from backend.storage.database import Database, database_url
from backend.storage.files import FILES
from backend.storage.tables import AuditEntry, Prediction, StoredFile

_UNDER_WAY = "SELECT count(*) FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()"


def faults(data_dir: Path, address: str, told: Told) -> list[str]:
    """What is lost, half written or not consistent, once nobody writes any more. address: empty for SQLite."""
    settings = {"DATABASE_URL": address, "DATA_DIR": str(data_dir)}
    database = Database(database_url(Config.from_env(settings)))
    try:
        _settle(database)
        with database.reading() as session:
            return [*_of_the_database(session), *_of_files(session, data_dir), *_of_what_was_told(session, told)]
    finally:
        database.close()


def _settle(database: Database) -> None:
    """PostgreSQL notices that a client was killed, and ends what it had under way, a moment later."""
    until = time.monotonic() + 30
    while not database.is_sqlite and time.monotonic() < until:
        with database.engine.connect() as connection:
            if connection.execute(text(_UNDER_WAY)).scalar_one() == 0:
                return
        time.sleep(0.01)


def _of_the_database(session: Session) -> list[str]:
    found = []
    if session.get_bind().dialect.name == "sqlite":
        found += [f"integrity: {row[0]}" for row in session.execute(text("PRAGMA integrity_check")) if row[0] != "ok"]
        found += [f"foreign key: {tuple(row)}" for row in session.execute(text("PRAGMA foreign_key_check"))]
    fault = verify(session).fault
    return found + ([f"audit: {fault}"] if fault else [])


def _of_files(session: Session, data_dir: Path) -> list[str]:
    found = []
    for row in session.scalars(select(StoredFile)):
        path = data_dir / FILES / row.id.hex[:2] / str(row.id)
        if not path.is_file():
            found.append(f"{row.kind} {row.id}: its file is not there")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != row.sha256:
            found.append(f"{row.kind} {row.id}: its file is another")
    return found


def _of_what_was_told(session: Session, told: Told) -> list[str]:
    rows = {str(row.id): row for row in session.scalars(select(Prediction))}
    lost = [f"prediction {one}: lost" for one in told.predictions.keys() - told.doubtful - rows.keys()]
    back = [f"prediction {one}: not deleted" for one in told.deleted & rows.keys()]
    other = [
        f"prediction {one}: altered" for one, result in told.predictions.items()
        if one in rows and rows[one].result != result
    ]  # fmt: skip
    half = [f"prediction {one}: half" for one, row in rows.items() if not (row.file_id and row.heatmap_id)]
    # Each prediction is noted in its own transaction, and so is each deletion.
    deeds = {action: set(session.scalars(_objects_of(action))) for action in ("predict", "delete")}
    noted = sorted((deeds["predict"] - deeds["delete"]) ^ rows.keys())
    files = {str(row.id): row.sha256 for row in session.scalars(select(StoredFile))}
    uploads = [f"upload {one}: lost" for one, sha256 in told.uploads.items() if files.get(one) != sha256]
    return [*lost, *back, *other, *half, *uploads, *(f"prediction {one}: kept and noted by halves" for one in noted)]


def _objects_of(action: str) -> Select[str]:
    return select(AuditEntry.object_id).where(AuditEntry.action == action)


def swept(data_dir: Path, address: str) -> tuple[int, list[str]]:
    """How many files `python -m backend.admin cleanup` removes an hour later, and where files and rows differ then."""
    folder = data_dir / FILES
    before = list(folder.glob("*/*"))
    for path in before:
        os.utime(path, (0, 0))
    environment = {**os.environ, "DATA_DIR": str(data_dir), "DATABASE_URL": address, "APP_ENV": "testing"}
    subprocess.run([sys.executable, "-m", "backend.admin", "cleanup"], cwd=ROOT, env=environment, check=True)
    left = {path.name for path in folder.glob("*/*")}
    database = Database(database_url(Config.from_env({"DATABASE_URL": address, "DATA_DIR": str(data_dir)})))
    with database.reading() as session:
        rows = {str(one) for one in session.scalars(select(StoredFile.id))}
    database.close()
    return len(before) - len(left), sorted(left ^ rows)
