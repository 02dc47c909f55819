"""Batches larger than anything else that is sent: through a file without a name, with an account alone."""

from __future__ import annotations

import http.client
import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from child_processes.processes import Service
from records.people import PASSWORD

Start = Callable[..., AbstractContextManager[Service]]
MEMBER_BYTES, MEMBERS = 25_000_000, 4
BODY_MB = MEMBER_BYTES * MEMBERS / 1e6
BOUNDARY = "a-boundary"


@pytest.fixture(scope="module")
def service(start_service: Start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Path]]:
    data = tmp_path_factory.mktemp("data")
    with start_service("watched_server", DATA_DIR=str(data), APP_ENV="testing", BATCH_MB="101") as running:
        yield running, data


@pytest.fixture(scope="module")
def token(service: tuple[Service, Path]) -> str:
    body = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
    assert call(service[0], "/api/v1/auth/register", json.dumps(body).encode(), "application/json")[0] == 201
    del body["email"]
    told = call(service[0], "/api/v1/auth/login", json.dumps(body).encode(), "application/json")
    return str(told[1]["access_token"])


def call(service: Service, path: str, body: bytes, kind: str, token: str = "") -> tuple[int, Any]:
    link = service.connect()
    headers = {"Content-Type": kind, **({"Authorization": f"Bearer {token}"} if token else {})}
    link.request("POST", path, body, headers)
    reply = link.getresponse()
    found = reply.status, json.loads(reply.read())
    link.close()
    return found


def form(data: bytes) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n'
    return b"".join(
        [(head % ("task", "")).encode(), b"skin\r\n", (head % ("files", '; filename="a.zip"')).encode(), data,
         f"\r\n--{BOUNDARY}--\r\n".encode()]
    )  # fmt: skip


def archive(members: int) -> bytes:
    stream, noise = io.BytesIO(), np.random.default_rng(0).bytes(MEMBER_BYTES)
    with zipfile.ZipFile(stream, "w") as made:
        for number in range(members):
            made.writestr(f"{number}.jpg", noise)
    return stream.getvalue()


def peak_mb(service: Service) -> float:
    text = Path(f"/proc/{service.process.pid}/status").read_text(encoding="utf-8")
    return int(text.split("VmHWM:")[1].split()[0]) / 1024


def test_a_large_zip_is_taken_on_and_not_held_in_memory(service: tuple[Service, Path], token: str) -> None:
    running, data = service
    # What a process builds behind its models is there when a question is answered.
    assert call(running, "/api/chat", json.dumps({"message": "Hello"}).encode(), "application/json")[0] == 200
    before = peak_mb(running)
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    status, told = call(running, "/api/v1/batch-predict", form(archive(MEMBERS)), kind, token)
    assert (status, told["total"]) == (202, MEMBERS), told
    assert peak_mb(running) - before < BODY_MB, "a file at a time"
    assert [path.name for path in data.glob("tmp*")] == [], "the file that it went through has no name"


def begun(service: Service, token: str) -> tuple[http.client.HTTPConnection, bytes]:
    """A batch of 100 MB of which only the head has come, and what is said to that."""
    link = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    link.connect()
    head = f"POST /api/v1/batch-predict HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
    link.sock.sendall(f"{head}Content-Length: 100000000\r\nExpect: 100-continue\r\n\r\n".encode())
    return link, link.sock.recv(65_536)


def test_what_lies_on_the_disk_has_a_bound(service: tuple[Service, Path], token: str) -> None:
    """Twice the largest batch, by what is declared; the rest is told to come later."""
    running, _ = service
    links = [begun(running, token) for _ in range(3)]
    assert [said[9:12] for _, said in links] == [b"100", b"100", b"503"]
    assert b"\r\nRetry-After: " in links[2][1]
    for link, _ in links:
        link.close()
    until = time.monotonic() + 30.0
    while (again := begun(running, token))[1][9:12] != b"100":
        assert time.monotonic() < until, again
        again[0].close()
        time.sleep(0.05)
    again[0].close()


def test_without_an_account_nothing_large_is_read(service: tuple[Service, Path], token: str) -> None:
    """It is refused by its head, before a byte of it comes."""
    running, _ = service
    statuses = []
    for sent, path in (("", "/api/v1/batch-predict"), (token[:-4], "/api/v1/batch-predict"), (token, "/analyze/skin")):
        link = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
        link.putrequest("POST", path)
        link.putheader("Content-Length", "90000000")
        link.putheader("Authorization", f"Bearer {sent}")
        link.endheaders()
        statuses.append(link.getresponse().status)
        link.close()
    assert statuses == [401, 401, 413]


def test_a_batch_over_its_limit_is_refused(service: tuple[Service, Path], token: str) -> None:
    running, _ = service
    link = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    link.putrequest("POST", "/api/batch-predict")
    link.putheader("Content-Length", "200000000")
    link.putheader("Authorization", f"Bearer {token}")
    link.endheaders()
    reply = link.getresponse()
    told = json.loads(reply.read())
    link.close()
    assert (reply.status, told["code"]) == (413, "input_too_large")
    assert "send it in parts" in told["error"]
