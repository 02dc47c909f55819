"""Backup and restore, on both databases and from one to the other."""

from __future__ import annotations

import hashlib
import json
import random
import stat
import threading
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from records.people import PASSWORD, Person, person
from records.surviving import faults
from records.writers import Told, log_in, small_picture, writing
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from werkzeug.serving import make_server

from backend.admin import main
from backend.app import Application
from backend.errors import RecordsUnavailable
from backend.storage.archive import ArchiveInvalid, NotEmpty, backup, restore
from backend.storage.audit import verify
from backend.storage.database import Database
from backend.storage.files import FILES, FolderStore
from backend.storage.tables import StoredFile, Table

MakeApp = Callable[..., Application]


def store_of(app: Application) -> tuple[Database, FolderStore]:
    opened = app.services.records.open()
    assert isinstance(opened.files, FolderStore)
    return opened.database, opened.files


def again(app: Application, username: str) -> Person:
    """Who has an account there, logged in."""
    client = app.test_client()
    told = client.post("/api/v1/auth/login", json={"username": username, "password": PASSWORD}).get_json()
    return Person(client, username, told["access_token"], told["refresh_token"])


def on_a_file(root: Path) -> tuple[Database, FolderStore]:
    root.mkdir()
    database = Database(f"sqlite:///{root / 'records.sqlite3'}")
    database.migrate()
    return database, FolderStore(root / FILES)


@pytest.fixture(scope="module")
def filled(records_app: Application, tmp_path_factory: pytest.TempPathFactory) -> tuple[Person, Path]:
    """Somebody with records, and the archive of them."""
    ada = person(records_app, "clinician")
    kept = [ada.predict(small_picture(seed), patient_ref="p-1") for seed in range(3)]
    said = {"agrees": False, "right_class": "nv", "note": "größer als zuvor"}
    assert ada.call("POST", f"/history/{kept[0]['prediction_id']}/feedback", json=said).status_code == 201
    assert ada.call("DELETE", f"/history/{kept[1]['prediction_id']}").status_code == 200
    path = tmp_path_factory.mktemp("archive") / "backup.zip"
    told = backup(*store_of(records_app), path)
    assert (told.rows > 10, told.files >= 4) == (True, True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    return ada, path


def test_what_was_backed_up_is_there_again_and_counts_on(
    filled: tuple[Person, Path], make_records_app: MakeApp, tmp_path: Path
) -> None:
    before, path = filled
    app = make_records_app(tmp_path)
    database, files = store_of(app)
    restore(database, files, path)
    after = again(app, before.username)
    listed = after.get("/history")
    assert listed == before.get("/history")
    assert listed["total"] == 2
    for row in listed["history"]:
        assert after.get(f"/history/{row['id']}") == before.get(f"/history/{row['id']}")
        for address in (row["heatmap_url"].removeprefix("/api/v1"), f"/files/{row['file_id']}"):
            assert after.call("GET", address).data == before.call("GET", address).data
    assert after.get("/auth/me")["files_bytes"] == before.get("/auth/me")["files_bytes"]
    after.predict(small_picture(9))
    assert after.get("/history")["history"][0]["number"] > listed["history"][0]["number"]
    with database.reading() as session:
        assert verify(session).fault is None
    with pytest.raises(NotEmpty, match="--replace"):
        restore(database, files, path)
    assert after.get("/history")["total"] == 3
    restore(database, files, path, replace=True)
    assert again(app, before.username).get("/history")["total"] == 2


def test_it_is_restored_on_the_other_database(filled: tuple[Person, Path], tmp_path: Path) -> None:
    """From PostgreSQL into a file; from a file, again into one."""
    database, files = on_a_file(tmp_path / "other")
    restore(database, files, filled[1])
    with database.reading() as session:
        assert verify(session).fault is None
    database.close()
    assert faults(tmp_path / "other", "", Told()) == []


def test_a_backup_of_a_service_that_works_is_of_one_moment(make_records_app: MakeApp, tmp_path: Path) -> None:
    app, told, path = make_records_app(tmp_path), Told(), tmp_path / "backup.zip"
    server = make_server("127.0.0.1", 0, app, threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    with writing(server.server_port, log_in(server.server_port), told, random.Random(3)):
        while len(told.predictions) < 4:
            threading.Event().wait(0.01)
        backup(*store_of(app), path)
    server.shutdown()
    serving.join()
    server.server_close()
    database, files = on_a_file(tmp_path / "other")
    assert restore(database, files, path).files > 0
    database.close()
    assert faults(tmp_path / "other", "", Told()) == []


def test_a_backup_that_could_not_be_restored_is_not_made(filled: tuple[Person, Path], tmp_path: Path) -> None:
    database, files = on_a_file(tmp_path / "other")
    restore(database, files, filled[1])
    with database.reading() as session:
        damaged, gone = sorted(session.scalars(select(StoredFile.id)))[:2]
    whole = files.get(damaged)
    files.put(damaged, whole[:-1] + b"?")
    with pytest.raises(RecordsUnavailable, match=f"1 files .*, or are not what was kept, {damaged}"):
        backup(database, files, tmp_path / "backup.zip")
    files.put(damaged, whole)
    files.remove([gone])
    with pytest.raises(RecordsUnavailable, match=f"1 files that records name cannot be read, .* {gone}"):
        backup(database, files, tmp_path / "backup.zip")
    database.close()
    assert [one.name for one in tmp_path.iterdir()] == ["other"]


def rewritten(path: Path, to: Path, change: Callable[[str, bytes], bytes | None], **more: bytes) -> Path:
    """The archive with its members changed; None leaves one out."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, "w") as new:
        for name in old.namelist():
            if (data := change(name, old.read(name))) is not None:
                new.writestr(name, data)
        for name, data in more.items():
            new.writestr(name, data)
    return to


def first_of(path: Path, folder: str) -> str:
    with zipfile.ZipFile(path) as archive:
        return next(name for name in archive.namelist() if name.startswith(f"{folder}/"))


def of_nobody(path: Path, to: Path) -> Path:
    """The archive with predictions whose account is not in it, and all checksums right."""
    with zipfile.ZipFile(path) as archive:
        told = json.loads(archive.read("archive.json"))
        rows = [json.loads(line) for line in archive.read("tables/predictions.jsonl").splitlines()]
    orphans = b"".join(json.dumps(row | {"user_id": str(uuid.uuid4())}).encode() + b"\n" for row in rows)
    told["tables"]["predictions"]["sha256"] = hashlib.sha256(orphans).hexdigest()
    changed = {"archive.json": json.dumps(told).encode(), "tables/predictions.jsonl": orphans}
    return rewritten(path, to, lambda name, data: changed.get(name, data))


def test_a_restore_that_fails_leaves_what_there_was(
    filled: tuple[Person, Path], database_address: Callable[[], str], tmp_path: Path
) -> None:
    """The triggers of the audit log too, and so does one that does not fail."""
    database = Database(database_address() or f"sqlite:///{tmp_path / 'records.sqlite3'}")
    database.migrate()
    files = FolderStore(tmp_path / FILES)
    restore(database, files, filled[1])
    tables = Table.metadata.sorted_tables
    with database.snapshot() as connection:
        before = [connection.execute(table.select()).all() for table in tables]
    with pytest.raises(ArchiveInvalid, match="IntegrityError"):
        restore(database, files, of_nobody(filled[1], tmp_path / "orphans.zip"), replace=True)
    for _ in range(2):
        with database.snapshot() as connection:
            assert [connection.execute(table.select()).all() for table in tables] == before
        with pytest.raises(DBAPIError, match="append-only"), database.writing() as session:
            session.execute(text("DELETE FROM audit"))
        restore(database, files, filled[1], replace=True)
        with database.snapshot() as connection:
            before = [connection.execute(table.select()).all() for table in tables]
    database.close()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda name, data: data[:-1] + b"?" if name.startswith("files/") else data, "is not the one that was written"),
        (lambda name, data: None if name.startswith("files/") else data, "KeyError"),
        (lambda name, data: data.replace(b'"clinician"', b'"admin"'), "the rows of users are not those"),
        (lambda name, data: data + data if name == "tables/audit.jsonl" else data, "the rows of audit are not those"),
        (lambda name, data: None if name == "archive.json" else data, "KeyError"),
        (lambda name, data: b'{"format": 1}' if name == "archive.json" else data, "its description is not one of ours"),
        (lambda name, data: data.replace(b'"revision": "', b'"revision": "9'), "its tables are of revision 9"),
        (lambda name, data: data.replace(b'"users"', b'"../x"'), "its tables are not those of this service"),
    ],
)  # fmt: skip
def test_a_damaged_archive_changes_nothing(
    filled: tuple[Person, Path], tmp_path: Path, spoil: Callable[[str, bytes], bytes | None], message: str
) -> None:
    damaged = rewritten(filled[1], tmp_path / "damaged.zip", spoil)
    database, files = on_a_file(tmp_path / "other")
    with pytest.raises(ArchiveInvalid, match=message):
        restore(database, files, damaged)
    with database.reading() as session:
        assert verify(session).entries == 0
    database.close()
    assert not (tmp_path / "other" / FILES).exists()


def test_names_of_an_archive_lead_nowhere(filled: tuple[Person, Path], tmp_path: Path) -> None:
    more = {"../../outside": b"x", "/outside": b"x", "files/../../outside": b"x", "files/..": b"x"}
    path = rewritten(filled[1], tmp_path / "more.zip", lambda _, data: data, **more)
    database, files = on_a_file(tmp_path / "other")
    told = restore(database, files, path)
    database.close()
    assert len(list((tmp_path / "other").rglob("*-*"))) == told.files
    assert list(tmp_path.rglob("outside")) == []
    assert faults(tmp_path / "other", "", Told()) == []


def test_what_is_no_archive_or_cut_off_is_said(filled: tuple[Person, Path], tmp_path: Path) -> None:
    database, files = on_a_file(tmp_path / "other")
    whole = filled[1].read_bytes()
    for content in (b"", b"no archive", whole[: len(whole) // 2], whole[:-40]):
        (tmp_path / "cut.zip").write_bytes(content)
        with pytest.raises(ArchiveInvalid, match="no archive of records, or a damaged one"):
            restore(database, files, tmp_path / "cut.zip")
    database.close()


def test_at_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], filled: tuple[Person, Path]
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("APP_ENV", "testing")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert main(["restore", str(filled[1])]) == 0
    assert main(["restore", str(filled[1])]) == 2
    assert "restore --replace takes them away first" in capsys.readouterr().err
    path = tmp_path / "mine.zip"
    assert main(["backup", str(path)]) == 0
    assert main(["restore", str(path), "--replace"]) == 0
    assert main(["verify-audit"]) == 0
    assert "unbroken" in capsys.readouterr().out
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("archive.json"))["format"] == 1
    assert main(["backup", str(tmp_path / "nowhere" / "mine.zip")]) == 2
