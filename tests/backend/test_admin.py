"""An operator's terminal."""

from __future__ import annotations

import io
import os
import sqlite3
import uuid
from pathlib import Path

import pytest

from backend.admin import main
from backend.storage.files import FolderStore


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("APP_ENV", "testing")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return tmp_path


def create(monkeypatch: pytest.MonkeyPatch, password: str, *more: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    return main(["create-user", "root", "root@example.org", *more])


def test_the_first_admin_and_the_log_of_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert create(monkeypatch, "short", "--role", "admin") == 2
    told = capsys.readouterr().err
    assert told.startswith("password: ")
    assert "short" not in told.replace("should", ""), "a password is not shown"
    assert create(monkeypatch, "a long sentence", "--role", "admin") == 0
    assert create(monkeypatch, "a long sentence") == 2
    assert "an account has this username" in capsys.readouterr().err
    assert main(["set-role", "ROOT", "clinician"]) == 0
    assert main(["set-role", "nobody", "admin"]) == 2
    capsys.readouterr()
    assert main(["verify-audit"]) == 0
    assert capsys.readouterr().out.startswith("2 entries, unbroken; head ")
    with sqlite3.connect(folder / "records.sqlite3") as link:
        link.execute("DROP TRIGGER audit_no_update")
        link.execute("UPDATE audit SET actor_id = 'nobody' WHERE number = 1")
    link.close()
    assert main(["verify-audit"]) == 1
    assert capsys.readouterr().out == "BROKEN after 0 good entries: entry 1 was altered\n"


def test_what_a_crash_left_is_swept_and_what_is_young_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store, old, young = FolderStore(folder / "files"), uuid.uuid4(), uuid.uuid4()
    for file_id in (old, young):
        store.put(file_id, b"content")
    half = next((folder / "files").glob(f"*/{old}")).with_name(f"{old}.x.part")
    half.write_bytes(b"x")
    for path in (half, half.with_name(str(old))):
        os.utime(path, (0, 0))
    assert main(["cleanup"]) == 0
    assert capsys.readouterr().out == "2 files removed\n"
    assert [path.name for path in (folder / "files").glob("*/*")] == [str(young)]
    assert store.get(young) == b"content"


def test_down_to_nothing_and_up_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert create(monkeypatch, "a long sentence") == 0
    assert main(["migrate", "9999"]) == 2
    assert capsys.readouterr().err.startswith("not done: there is no form '9999' of the tables")
    assert main(["migrate", "base"]) == 0
    assert main(["migrate"]) == 0
    assert create(monkeypatch, "a long sentence") == 0


def test_what_cannot_be_done_is_said_in_a_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:" + "hidden" + "@127.0.0.1:1/none")
    assert main(["verify-audit"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("not done: the database cannot be used now")
    assert "hidden" not in told
