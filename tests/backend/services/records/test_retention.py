"""What is older than the operator keeps it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from records.batches import accepted, finished
from records.people import PASSWORD, Person, person
from sqlalchemy import Connection, event, select, update
from sqlalchemy.orm import Session

from backend.admin import main
from backend.app import Application
from backend.services.records import retention
from backend.services.records.retention import Expired, expire, sweep
from backend.storage.audit import verify
from backend.storage.batch_tables import Batch
from backend.storage.files import FolderStore
from backend.storage.tables import AuditEntry, Prediction, StoredFile

Picture = Callable[..., bytes]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def files_of(ada: Person) -> set[str]:
    return {one["file_id"] for one in ada.get("/auth/export")["files"]}


def test_old_records_go_with_their_files_and_what_is_young_stays(
    records_app: Application, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_AT_ONCE", 2)
    ada, opened = person(records_app), records_app.services.records.open()
    old = [ada.predict(picture(seed=seed))["prediction_id"] for seed in range(3)]
    lonely, reused = ada.upload(picture(seed=4)), ada.upload(picture(seed=5))
    young = ada.call("POST", "/predict", json={"file_id": reused, "task": "skin"}).get_json()["prediction_id"]
    before = files_of(ada)
    with opened.database.writing() as session:
        of_old = Prediction.id.in_(map(uuid.UUID, old))
        session.execute(update(Prediction).where(of_old).values(created_at=LONG_AGO))
        ids = [uuid.UUID(one) for one in before]
        session.execute(update(StoredFile).where(StoredFile.id.in_(ids)).values(created_at=LONG_AGO))
    cutoff = LONG_AGO + timedelta(days=1)
    assert expire(opened.database, opened.files, LONG_AGO) == Expired(0, 0)
    assert expire(opened.database, opened.files, cutoff) == Expired(records=3, files=7)
    assert [one["id"] for one in ada.get("/history")["history"]] == [young]
    left = files_of(ada)
    assert reused in left
    assert lonely not in left
    assert len(left) == 2
    folder = records_app.services.config.data_dir / "files"
    assert not (before - left) & {path.name for path in folder.glob("*/*")}
    with opened.database.reading() as session:
        assert verify(session).fault is None
        told = {one.object_id for one in session.query(AuditEntry).filter(AuditEntry.action == "expire")}
    assert set(old) <= told


def test_writers_wait_for_no_search_and_an_upload_that_is_a_records_by_now_stays(
    records_app: Application, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, opened = person(records_app), records_app.services.records.open()
    database = opened.database
    file_id = ada.upload(picture(seed=6))
    with database.writing() as session:
        of_file = StoredFile.id == uuid.UUID(file_id)
        session.execute(update(StoredFile).where(of_file).values(created_at=LONG_AGO))
    writing, searches, begun = database.writing, list[bool](), list[bool]()

    @contextmanager
    def late() -> Iterator[Session]:
        if not begun:
            begun.append(True)
            ada.call("POST", "/predict", json={"file_id": file_id, "task": "skin"})
        with writing() as session:
            yield session

    def note(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT") and "created_at <" in statement:
            searches.append(connection.get_execution_options().get("writes", False))

    monkeypatch.setattr(database, "writing", late)
    event.listen(database.engine, "before_cursor_execute", note)
    gone = expire(database, opened.files, LONG_AGO + timedelta(days=1))
    event.remove(database.engine, "before_cursor_execute", note)
    assert (gone, searches) == (Expired(0, 0), [False, False])
    assert ada.get("/history")["total"] == 1
    assert ada.call("GET", f"/files/{file_id}").status_code == 200


def test_the_database_is_asked_of_many_files_at_once(records_app: Application, tmp_path: Path) -> None:
    store, asked = FolderStore(tmp_path), list[str]()
    for number in range(8):
        store.put(uuid.UUID(int=number), b"lost")
    engine = records_app.services.records.open().database.engine

    def note(_connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    removed = sweep(records_app.services.records.open().database, store, -60)
    event.remove(engine, "before_cursor_execute", note)
    assert removed == 8
    assert len([one for one in asked if "FROM files" in one]) == 2


def test_batches_go_with_the_names_and_fields_that_they_were_sent_with(
    records_app: Application, picture: Picture
) -> None:
    ada, opened = person(records_app), records_app.services.records.open()
    files = [("smith.jpg", picture(seed=1)), ("jones.txt", b"none")]
    named = {"keep_names": "true", "batch_name": "ward 3", "patient_ref": "p-17", "explain": "none"}
    ids = [accepted(ada, files, **named)["batch_id"] for _ in range(2)]
    times = [finished(ada, one)["finished_at"] for one in ids]
    told = ada.get("/auth/export")["batches"]
    assert [one["batch_id"] for one in told] == ids
    assert told[0]["names"] == {"1": "smith.jpg", "2": "jones.txt"}
    assert (told[0]["batch_name"], told[0]["fields"]["patient_ref"], told[0]["total"]) == ("ward 3", "p-17", 2)
    assert [datetime.fromisoformat(one["finished_at"]) for one in told] == [*map(datetime.fromisoformat, times)]
    assert person(records_app).get("/auth/export")["batches"] == []
    with opened.database.writing() as session:
        session.execute(update(Batch).where(Batch.id == uuid.UUID(ids[0])).values(finished_at=LONG_AGO))
    gone = expire(opened.database, opened.files, LONG_AGO + timedelta(days=1))
    assert gone == Expired(records=0, files=0, batches=1)
    assert [one["batch_id"] for one in ada.get("/auth/export")["batches"]] == ids[1:]
    assert ada.call("GET", f"/batches/{ids[0]}").status_code == 404
    assert ada.get("/history")["total"] == 2, "records have an age of their own"


def test_the_setting_decides_whether_anything_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"DATA_DIR": str(tmp_path), "APP_ENV": "testing", "DATABASE_URL": ""}.items():
        monkeypatch.setenv(name, value)
    assert main(["cleanup"]) == 0
    assert capsys.readouterr().out == "0 files removed\n"
    monkeypatch.setenv("RETENTION_DAYS", "30")
    assert main(["cleanup"]) == 0
    assert capsys.readouterr().out == "0 records, 0 batches and 0 files of more than 30 days removed\n0 files removed\n"
    monkeypatch.setenv("RETENTION_DAYS", "soon")
    assert main(["cleanup"]) == 2
    assert "RETENTION_DAYS='soon'" in capsys.readouterr().err


def test_nothing_of_a_deleted_account_is_left_in_the_database_file(
    make_file_app: Callable[..., Application], picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor in the log beside it, where a row was before it was deleted; nor, after a cleanup, if somebody read then."""
    app = make_file_app()
    database, folder = app.services.records.open().database, app.services.config.data_dir

    def in_files(*words: str) -> list[str]:
        held = b"".join(path.read_bytes() for path in folder.glob("records.sqlite3*"))
        return [word for word in words if word.encode() in held]

    for number, read_meanwhile in enumerate((False, True)):
        ada, words = person(app, "clinician", f"zebra{number}"), (f"zebra{number}", f"case-{number}-77", "striped note")
        record_id = ada.predict(picture(seed=number), patient_ref=words[1])["prediction_id"]
        note = {"agrees": True, "note": words[2] * 100}
        assert ada.call("POST", f"/history/{record_id}/feedback", json=note).status_code == 201
        assert in_files(*words) == [*words]
        with database.snapshot() as connection:
            if read_meanwhile:
                connection.execute(select(AuditEntry.number)).first()
            assert ada.call("DELETE", "/auth/me", json={"password": PASSWORD}).status_code == 200
        assert in_files(*words) == ([*words] if read_meanwhile else [])
    for name, value in {"DATA_DIR": str(folder), "APP_ENV": "testing"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert main(["cleanup"]) == 0
    assert in_files(*words) == []
