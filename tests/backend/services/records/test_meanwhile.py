"""What is deleted, or asked twice, while a request is under way: a refusal with its code, and nothing half-kept."""

from __future__ import annotations

import io
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from records.batches import send
from records.people import PASSWORD, Person, person
from sqlalchemy import select

from backend.app import Application
from backend.services.records import accounts
from backend.services.records.passwords import AT_ONCE, Passwords
from backend.storage.tables import LoginAttempts
from ml_model.errors import PoorQuality

Picture = Callable[..., bytes]


@pytest.fixture
def meanwhile(records_app: Application, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has something done before a case is answered, or refused."""
    images = records_app.services.images
    analyze = images.analyze

    def plan(done: Callable[[], object], refused: Exception | None = None) -> None:
        def late(*given: Any) -> Any:
            done()
            if refused:
                raise refused
            return analyze(*given)

        monkeypatch.setattr(images, "analyze", late)

    return plan


def leave(who: Person) -> None:
    other = who.client.application.test_client()
    told = {"Authorization": f"Bearer {who.access_token}"}
    assert other.delete("/api/v1/auth/me", json={"password": PASSWORD}, headers=told).status_code == 200


def files(app: Application) -> set[str]:
    return {path.name for path in (app.services.config.data_dir / "files").glob("*/*")}


def test_an_upload_that_is_deleted_before_its_answer_is_kept(
    records_app: Application, meanwhile: Callable[..., None], picture: Picture
) -> None:
    ada, before = person(records_app), files(records_app)
    file_id = ada.upload(picture(seed=61))
    meanwhile(lambda: ada.call("DELETE", f"/files/{file_id}"))
    reply = ada.call("POST", "/predict", json={"file_id": file_id, "task": "skin"})
    assert (reply.status_code, reply.get_json()["code"]) == (404, "not_found"), reply.text
    assert (ada.get("/history")["total"], files(records_app)) == (0, before)


@pytest.mark.parametrize(("refused", "status"), [(None, 401), (PoorQuality("too dark"), 422)])
def test_an_account_that_goes_before_its_answer_is_kept(
    records_app: Application, meanwhile: Callable[..., None], picture: Picture, refused: Exception | None, status: int
) -> None:
    ada, before = person(records_app), files(records_app)
    meanwhile(lambda: leave(ada), refused)
    reply = ada.call("POST", "/predict", data={"file": (io.BytesIO(picture(seed=62)), "x"), "task": "skin"})
    assert reply.status_code == status, reply.text
    assert files(records_app) == before


def test_two_first_failures_at_once_are_counted_both(records_app: Application) -> None:
    opened = records_app.services.records.open()
    database, passwords = opened.database, opened.accounts._passwords
    name_hash, faults = uuid.uuid4().hex, list[Exception]()

    def fail() -> None:
        try:
            with database.writing() as session:
                passwords.failed(session, name_hash)
        except Exception as error:
            faults.append(error)

    other = threading.Thread(target=fail)
    with database.writing() as session:
        passwords.failed(session, name_hash)
        session.flush()
        other.start()
        other.join(0.3)  # it waits for this transaction by now
    other.join()
    with database.reading() as session:
        counted = session.scalars(select(LoginAttempts.failures).where(LoginAttempts.name_hash == name_hash)).one()
    assert (faults, counted) == ([], 2)


class Hasher:
    """In place of argon2: counts who is at it at once."""

    def __init__(self) -> None:
        self.now, self.most, self.lock = 0, 0, threading.Lock()

    def hash(self, _password: str) -> str:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.01)
        with self.lock:
            self.now -= 1
        return "hash"

    def verify(self, _hash: str, password: str) -> bool:
        return bool(self.hash(password))


def test_only_so_many_passwords_are_hashed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords, hasher = Passwords("key", cheap=True), Hasher()
    monkeypatch.setattr(passwords, "_hasher", hasher)
    work = [lambda: passwords.hashed(PASSWORD), lambda: passwords.fits("hash", PASSWORD)] * 6
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= hasher.most <= AT_ONCE


def test_an_account_has_so_many_records(
    make_file_app: Callable[..., Application], monkeypatch: pytest.MonkeyPatch, picture: Picture
) -> None:
    monkeypatch.setattr(accounts, "_LEAST_RECORDS", 2)
    monkeypatch.setattr(accounts, "_RECORD_BYTES", 10**7)
    ada, sent = person(make_file_app(quota_bytes=10**7)), picture(seed=63)
    for _ in range(2):
        ada.predict(sent)
    headers = {"Authorization": f"Bearer {ada.access_token}"}
    kept = ada.client.post("/analyze/skin?keep=true", data={"image": (io.BytesIO(sent), "x")}, headers=headers)
    assert (kept.status_code, kept.get_json()["code"]) == (413, "quota_exceeded"), kept.text
    assert ada.get("/history")["total"] == 2


def test_an_account_has_twice_as_many_files(
    make_file_app: Callable[..., Application], monkeypatch: pytest.MonkeyPatch, picture: Picture
) -> None:
    """Small ones pass no quota of bytes, and each takes a block of the disk."""
    monkeypatch.setattr(accounts, "_LEAST_RECORDS", 1)
    monkeypatch.setattr(accounts, "_RECORD_BYTES", 10**7)
    app, sent = make_file_app(quota_bytes=10**7), picture(seed=64)
    ada = person(app)
    ada.upload(sent)
    batch = send(ada, [("a", b"x"), ("b", b"y")])
    ada.upload(sent)
    for reply in (batch, ada.call("POST", "/upload", data={"file": (io.BytesIO(sent), "x")})):
        assert (reply.status_code, reply.get_json()["code"]) == (413, "quota_exceeded"), reply.text
    assert len(files(app)) == 2
