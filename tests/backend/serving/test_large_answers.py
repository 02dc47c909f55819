"""Answers that are sent from a file: whole, in little memory, and gone with whoever does not take them."""

from __future__ import annotations

import http.client
import io
import json
import os
import socket
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from child_processes.processes import Service
from records.people import PASSWORD
from sqlalchemy import select

from backend.storage.database import FILE_NAME, Database
from backend.storage.files import FILES, FolderStore
from backend.storage.spooled import MOST_FILES
from backend.storage.tables import Feedback, Prediction, StoredFile, User

PICTURES, PICTURE_BYTES = 120, 400_000
IN_ALL = PICTURES * PICTURE_BYTES
PATH = "/api/v1/feedback/dataset?task=skin"


@dataclass(frozen=True)
class Site:
    """A service with a data set of 48 MB, of one clinician."""

    service: Service
    token: str
    data: Path

    def ask(self, method: str = "GET") -> http.client.HTTPConnection:
        link = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=60)
        link.request(method, PATH, headers={"Authorization": f"Bearer {self.token}"})
        return link

    def begun(self) -> socket.socket:
        """The connection of a client that takes the first bytes and no more."""
        link = self.ask()
        assert link.sock.recv(15) == b"HTTP/1.1 200 OK"
        return link.sock

    def memory_mb(self, name: str) -> float:
        text = Path(f"/proc/{self.service.process.pid}/status").read_text(encoding="utf-8")
        return int(text.split(f"{name}:")[1].split()[0]) / 1024

    def unnamed(self) -> int:
        """Files without a name that it holds in the data folder."""
        found = 0
        for one in Path(f"/proc/{self.service.process.pid}/fd").iterdir():
            try:
                link = os.readlink(one)
            except FileNotFoundError:
                continue
            found += link.startswith(str(self.data)) and link.endswith("(deleted)")
        return found

    def wait_for_unnamed(self, count: int) -> None:
        until = time.monotonic() + 60
        while self.unnamed() != count:
            assert time.monotonic() < until, self.unnamed()
            time.sleep(0.02)


def post(service: Service, path: str, body: dict[str, Any]) -> dict[str, Any]:
    link = service.connect()
    link.request("POST", f"/api/v1/auth/{path}", json.dumps(body), {"Content-Type": "application/json"})
    told: dict[str, Any] = json.loads(link.getresponse().read())
    link.close()
    assert told["success"], told
    return told


def fill(data: Path) -> None:
    """Records with feedback and pictures, as the service keeps them."""
    database, files, now = Database(f"sqlite:///{data / FILE_NAME}"), FolderStore(data / FILES), datetime.now(UTC)
    noise = np.random.default_rng(0)
    with database.writing() as session:
        user = session.scalars(select(User)).one()
        user.role = "clinician"
        for number in range(PICTURES):
            file_id, record_id = uuid.uuid4(), uuid.uuid4()
            files.put(file_id, noise.bytes(PICTURE_BYTES))
            session.add(
                StoredFile(
                    id=file_id, user_id=user.id, kind="upload", format="JPEG", size_bytes=PICTURE_BYTES,
                    sha256=f"{number:064}", frames=1, warnings=[], created_at=now,
                )
            )  # fmt: skip
            session.flush()
            record = Prediction(
                id=record_id, user_id=user.id, task="skin", created_at=now, day=now.date(), class_code="nv",
                class_name="x", confidence=1.0, triage_level="none", settled=True, scores={}, processing_ms=1.0,
                result={}, file_id=file_id,
            )  # fmt: skip
            session.add(record)
            session.flush()
            said = Feedback(
                id=uuid.uuid4(), prediction_id=record_id, user_id=user.id, agrees=True, created_at=now,
                owner_id=user.id, record_number=record.number,
            )  # fmt: skip
            session.add(said)
    database.close()


@pytest.fixture(scope="module")
def site(
    start_service: Callable[..., AbstractContextManager[Service]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    data = tmp_path_factory.mktemp("data")
    with start_service("watched_server", DATA_DIR=str(data), APP_ENV="testing", HEADER_DEADLINE_S="4") as service:
        post(service, "register", {"username": "ada", "email": "ada@example.org", "password": PASSWORD})
        fill(data)
        token = post(service, "login", {"username": "ada", "password": PASSWORD})["access_token"]
        yield Site(service, token, data)


def test_a_large_data_set_is_sent_whole_and_not_held_in_memory(site: Site) -> None:
    before = site.memory_mb("VmHWM")
    link = site.ask()
    reply = link.getresponse()
    content = reply.read()
    assert (reply.status, len(content)) == (200, int(reply.headers["Content-Length"]))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == PICTURES + 1
    grown_mb = site.memory_mb("VmHWM") - before
    assert grown_mb < IN_ALL / 1e6 / 3, "a picture at a time, and a piece at a time"
    link.request("GET", "/livez")
    assert link.getresponse().status == 200, "the connection is good for another request"
    link.close()
    site.wait_for_unnamed(0)


def test_whoever_goes_away_leaves_nothing_on_the_disk(site: Site) -> None:
    """And others are told to come later until then."""
    with ExitStack() as stack:
        links = [stack.enter_context(site.begun()) for _ in range(MOST_FILES)]
        assert site.unnamed() == MOST_FILES
        refused = site.ask()
        reply = refused.getresponse()
        assert (reply.status, json.loads(reply.read())["code"], reply.headers["Retry-After"]) == (
            503,
            "overloaded",
            "1",
        )
        refused.close()
        assert site.service.get("/livez")[0] == 200
        for link in links[:-1]:
            link.close()
        site.wait_for_unnamed(1)
    site.wait_for_unnamed(0)


def test_only_the_head_is_sent_where_only_that_was_asked_for(site: Site) -> None:
    link = site.ask("HEAD")
    reply = link.getresponse()
    assert (reply.status, reply.read()) == (200, b"")
    assert int(reply.headers["Content-Length"]) > IN_ALL
    link.close()
    site.wait_for_unnamed(0)
