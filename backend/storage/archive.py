"""Backup and restore: all rows and files in one zip file that fits every database and every store of files.

    archive.json            the revision of the tables, and of each table the number of rows and the SHA-256
    tables/<name>.jsonl     a row a line
    files/<id>              content; its SHA-256 is in the table of files

Nothing of an archive is ever a path: tables are looked for by the names of ours, files by ids.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import tempfile
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Connection, func, select, text

from backend.errors import RecordsUnavailable
from backend.storage.audit import OPERATOR, Deed, append, note
from backend.storage.database import Database
from backend.storage.files import FileStore
from backend.storage.tables import AuditHead, Moment, StoredFile, Table
from ml_model.errors import MediDiagnoseError

_DESCRIPTION, _FORMAT = "archive.json", 1
_MOST_DESCRIPTION_BYTES, _MOST_LINE_BYTES = 10**6, 64 * 10**6
_ROWS_AT_ONCE = 500
_TRIES = 20
_FILES = Table.metadata.tables[StoredFile.__tablename__]
_BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, KeyError, TypeError, ValueError, NotImplementedError, RuntimeError,
    sa.exc.StatementError,  # rows that contradict each other
)  # fmt: skip
_READ: dict[type, Callable[[Any], Any]] = {
    uuid.UUID: uuid.UUID,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    bytes: base64.b64decode,
}


class ArchiveInvalid(MediDiagnoseError):
    """The file is no archive of ours, is damaged, or does not fit these tables."""

    code = "archive_invalid"


class NotEmpty(MediDiagnoseError):
    """There are records already; nothing is written over them unasked."""

    code = "not_empty"


class _TableToldOf(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    rows: int
    sha256: str


class _Description(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    format: int
    revision: str
    tables: dict[str, _TableToldOf]


@dataclass(frozen=True)
class Archived:
    """How much there is in an archive."""

    rows: int
    files: int


def backup(database: Database, files: FileStore, path: Path) -> Archived:
    """Write everything to `path`, for this user alone; the service may go on. It is there whole, or not at all.

    The rows are of one moment, and every file that they name is there. Raises RecordsUnavailable, OSError.
    """
    note(database, Deed(OPERATOR, "backup", ""))
    handle, written = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            with zipfile.ZipFile(stream, "w") as archive:
                told = _write(database, files, archive)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(written, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(written)
        raise
    return told


def _write(database: Database, files: FileStore, archive: zipfile.ZipFile) -> Archived:
    """Who deletes a record while its file is copied has it left out: then the rows are read anew."""
    copied, unread = set[uuid.UUID](), set[uuid.UUID]()
    for _ in range(_TRIES):
        with database.snapshot() as connection:
            named = {row.id: row.sha256 for row in connection.execute(select(StoredFile.id, StoredFile.sha256))}
            still = {one for one in named.keys() - copied if not _copied(files, archive, one, named[one])}
            if lost := still & unread:
                raise RecordsUnavailable(
                    f"{len(lost)} files that records name cannot be read, or are not what was kept, "
                    f"{min(lost)} among them"
                )
            copied, unread = copied | (named.keys() - still), still
            if not still:
                tables = {table.name: _dump(connection, archive, table) for table in Table.metadata.sorted_tables}
                told = _Description(format=_FORMAT, revision=database.revision(connection), tables=tables)
                archive.writestr(_DESCRIPTION, told.model_dump_json(indent=1))
                return Archived(sum(one.rows for one in tables.values()), len(named))
    raise RecordsUnavailable("records are deleted faster than they can be copied; try again later")


def _copied(files: FileStore, archive: zipfile.ZipFile, file_id: uuid.UUID, sha256: str) -> bool:
    """Only what is as it was kept: an archive with a damaged file would not be restored."""
    try:
        data = files.get(file_id)
    except RecordsUnavailable:
        return False
    if hashlib.sha256(data).hexdigest() != sha256:
        return False
    archive.writestr(f"files/{file_id}", data)
    return True


def _dump(connection: Connection, archive: zipfile.ZipFile, table: sa.Table) -> _TableToldOf:
    count, digest = 0, hashlib.sha256()
    info = zipfile.ZipInfo(_member(table))
    info.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(info, "w", force_zip64=True) as stream:
        for row in connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(select(table)).mappings():
            line = json.dumps({name: _plain(value) for name, value in row.items()}).encode() + b"\n"
            stream.write(line)
            digest.update(line)
            count += 1
    return _TableToldOf(rows=count, sha256=digest.hexdigest())


def _plain(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, date):  # and datetime
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _member(table: sa.Table) -> str:
    return f"tables/{table.name}.jsonl"


def restore(database: Database, files: FileStore, path: Path, *, replace: bool = False) -> Archived:
    """Bring back what an archive holds, once all of it was looked through; the service must not run.

    replace: what there is now goes, in the transaction in which the new comes: where that fails, it stays.
    Raises ArchiveInvalid, NotEmpty, RecordsUnavailable, OSError.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            told = _checked(database, archive)
            if not replace and not _is_empty(database):
                raise NotEmpty("there are records already; restore --replace takes them away first")
            for row in _rows(archive, _FILES):
                files.put(row["id"], _content(archive, row))
            _fill(database, archive, replace)
    except _BROKEN as error:
        raise ArchiveInvalid(f"no archive of records, or a damaged one: {type(error).__name__}") from error
    return told


def _checked(database: Database, archive: zipfile.ZipFile) -> Archived:
    """That everything is there, of these tables, and as it was written."""
    names = archive.namelist()
    if len(set(names)) != len(names):
        raise ArchiveInvalid("a name is in the archive twice")
    if archive.getinfo(_DESCRIPTION).file_size > _MOST_DESCRIPTION_BYTES:
        raise ArchiveInvalid("its description is too long")
    try:
        told = _Description.model_validate_json(archive.read(_DESCRIPTION))
    except ValidationError as error:
        raise ArchiveInvalid("its description is not one of ours") from error
    with database.snapshot() as connection:
        now = database.revision(connection)
    if (told.format, told.revision) != (_FORMAT, now):
        raise ArchiveInvalid(
            f"its tables are of revision {told.revision:.40}, those here of {now}: restore it with the version of the "
            "service that made it, which then brings them forward"
        )
    if told.tables.keys() != {table.name for table in Table.metadata.sorted_tables}:
        raise ArchiveInvalid("its tables are not those of this service")
    for table in Table.metadata.sorted_tables:
        digest, count = hashlib.sha256(), 0
        for line in _lines(archive, table):
            digest.update(line)
            count += 1
        if (count, digest.hexdigest()) != (told.tables[table.name].rows, told.tables[table.name].sha256):
            raise ArchiveInvalid(f"the rows of {table.name} are not those that were written")
    for row in _rows(archive, _FILES):
        _content(archive, row)
    return Archived(sum(one.rows for one in told.tables.values()), told.tables[_FILES.name].rows)


def _lines(archive: zipfile.ZipFile, table: sa.Table) -> Iterator[bytes]:
    with archive.open(_member(table)) as stream:
        while line := stream.readline(_MOST_LINE_BYTES):
            yield line


def _rows(archive: zipfile.ZipFile, table: sa.Table) -> Iterator[dict[str, Any]]:
    for line in _lines(archive, table):
        row = json.loads(line)
        read = {column.name: _READ.get(_kind(column.type)) for column in table.columns}
        yield {name: one(row[name]) if one and row[name] is not None else row[name] for name, one in read.items()}


def _kind(given: sa.types.TypeEngine[Any]) -> type:
    return datetime if isinstance(given, Moment) else given.python_type


def _content(archive: zipfile.ZipFile, row: dict[str, Any]) -> bytes:
    info = archive.getinfo(f"files/{row['id']}")
    data = archive.read(info) if info.file_size == row["size_bytes"] else b""
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        raise ArchiveInvalid(f"the file {row['id']} is not the one that was written")
    return data


def _is_empty(database: Database) -> bool:
    with database.snapshot() as connection:
        return not any(
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in Table.metadata.sorted_tables
            if table.name != AuditHead.__tablename__
        )


def _fill(database: Database, archive: zipfile.ZipFile, replace: bool) -> None:
    """All rows, or none."""
    with database.writing() as session:
        if replace:
            _empty(session.connection(), database.is_sqlite)
        session.execute(sa.delete(AuditHead))
        for table in Table.metadata.sorted_tables:
            waiting: list[dict[str, Any]] = []
            for row in _rows(archive, table):
                waiting.append(row)
                if len(waiting) == _ROWS_AT_ONCE:
                    session.execute(sa.insert(table), waiting)
                    waiting = []
            if waiting:
                session.execute(sa.insert(table), waiting)
            if not database.is_sqlite and (counted := table.autoincrement_column) is not None:
                _count_on(session.connection(), counted)
        append(session, Deed(OPERATOR, "restore", ""))


def _empty(connection: Connection, is_sqlite: bool) -> None:
    """The audit log too, which refuses it otherwise: its triggers are away meanwhile."""
    of_audit = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'")
    steps = [("ALTER TABLE audit DISABLE TRIGGER audit_no_change", "ALTER TABLE audit ENABLE TRIGGER audit_no_change")]
    if is_sqlite:
        steps = [(f"DROP TRIGGER {name}", sql) for name, sql in connection.execute(of_audit)]
    for away, _ in steps:
        connection.exec_driver_sql(away)
    for table in reversed(Table.metadata.sorted_tables):
        connection.execute(sa.delete(table))
    for _, again in steps:
        connection.exec_driver_sql(again)


def _count_on(connection: Connection, counted: sa.Column[Any]) -> None:
    """PostgreSQL counts in a sequence beside the table; `setval` would stay where the transaction fails."""
    sequence = connection.scalar(select(func.pg_get_serial_sequence(counted.table.name, counted.name)))
    following = connection.scalar(select(func.coalesce(func.max(counted), 0) + 1))
    connection.exec_driver_sql(f"ALTER SEQUENCE {sequence} RESTART WITH {following}")
