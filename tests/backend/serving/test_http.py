"""HTTP as it arrives: what is taken, what is refused, and that refusals look like every other answer."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from child_processes.processes import Service
from clients.http_bytes import HOST, everything, exchanged, opened, reply

from backend.telemetry import SECURITY_HEADERS

SLOW = b"POST /slow?s=0 HTTP/1.1\r\n" + HOST
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.fixture(scope="module")
def service(start_service: Callable[..., AbstractContextManager[Service]]) -> Iterator[Service]:
    settings = {"TRUSTED_PROXIES": "127.0.0.9, 10.0.0.0/8", "ALLOWED_HOSTS": "localhost,.clinic.test"}
    with start_service("slow_server", **settings) as running:
        yield running


BROKEN = {
    "header over 256 kB": (b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"a" * 300_000 + b"\r\n\r\n", 431),
    "endless header": (b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"a" * 300_000, 431),
    "300 header lines": (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 300 + b"\r\n", 431),
    "length and coding": (SLOW + CHUNKED + b"Content-Length: 3\r\n\r\n0\r\n\r\n", 400),
    "coding in HTTP/1.0": (b"POST / HTTP/1.0\r\n" + CHUNKED + b"\r\n0\r\n\r\n", 400),
    "two lengths": (SLOW + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    "negative length": (SLOW + b"Content-Length: -3\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "space before a colon": (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    "unknown coding": (SLOW + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "bad chunk": (SLOW + CHUNKED + b"\r\nzz\r\n", 400),
    "a body in crumbs": (SLOW + CHUNKED + b"\r\n" + b"1\r\nx\r\n" * 5000, 400),
    "an address that is none": (b"GET http://[ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "declared as 33 MB": (SLOW + b"Content-Length: 33000000\r\n\r\n", 413),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_gets_its_status_in_the_shape_and_with_the_headers_of_every_answer(
    service: Service, name: str
) -> None:
    sent, expected = BROKEN[name]
    usual = exchanged(service.port, b"GET /nothing HTTP/1.1\r\n" + HOST + b"\r\n")[1]
    status, headers, answer = exchanged(service.port, sent)
    assert status == expected
    assert set(answer) == {"success", "error", "code", "request_id"}
    assert ("32 MB" in answer["error"]) == (expected == 413)
    assert set(headers) == {*usual, "Connection"}
    assert headers["Connection"] == "close"
    assert headers["X-Request-ID"] == answer["request_id"] == str(uuid.UUID(answer["request_id"]))
    assert {n: headers[n] for n in SECURITY_HEADERS} == SECURITY_HEADERS
    assert headers["Access-Control-Allow-Origin"] == "*"


def test_what_is_left_of_an_answer_to_half_a_request_goes_at_once(service: Service) -> None:
    """Not with the connection: the client may go on sending what is dropped for minutes."""
    before = unnamed(service)
    head = b"POST /slow?s=0&file HTTP/1.1\r\n" + HOST + b"Content-Length: 33000000\r\n\r\n"
    with contextlib.closing(opened(service.port, head)) as link:
        assert link.recv(15) == b"HTTP/1.1 200 OK"
        until = time.monotonic() + 5
        while unnamed(service) != before:
            assert time.monotonic() < until
            time.sleep(0.02)
        link.sendall(bytes(9))


def unnamed(service: Service) -> int:
    """Files without a name that it holds."""
    held = Path(f"/proc/{service.process.pid}/fd").iterdir()
    return sum(os.readlink(one).endswith("(deleted)") for one in held)


def test_a_refusal_keeps_the_clients_id_and_is_a_problem_where_that_is_asked_for(service: Service) -> None:
    asked = b"X-Request-ID: mine-1\r\nAccept: application/problem+json\r\n"
    status, headers, answer = exchanged(service.port, SLOW + asked + b"Content-Length: 33000000\r\n\r\n")
    assert (status, answer["request_id"], headers["X-Request-ID"]) == (413, "mine-1", "mine-1")
    assert (headers["Content-Type"], answer["status"]) == ("application/problem+json", 413)
    line = next(json.loads(text) for text in _log_with(service, "mine-1"))
    assert (line["route"], line["status"], line["code"]) == ("/slow", 413, "input_too_large")


def _log_with(service: Service, word: str) -> list[str]:
    deadline = time.monotonic() + 10
    while not (found := [line for line in service.log if word in line]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_requests_in_a_row_are_answered_in_turn_on_one_connection(service: Service) -> None:
    with contextlib.closing(opened(service.port)) as link:
        link.sendall(
            SLOW + b"Content-Length: 3\r\n\r\nabc" + b"\r\nGET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
            + SLOW + CHUNKED + b"\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n" + b"HEAD /health HTTP/1.1\r\n" + HOST + b"\r\n"
            + b"GET /livez HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\nGET /livez HTTP/1.1\r\n"
        )  # fmt: skip
        assert reply(link)[2] == b"3 bytes from 127.0.0.1 by http"
        assert json.loads(reply(link)[2]) == {"status": "alive"}
        assert reply(link)[2] == b"5 bytes from 127.0.0.1 by http"
        status, headers, body = reply(link, "HEAD")
        assert (status, body, int(headers["Content-Length"]) > 100) == (200, b"", True)
        status, headers, _ = reply(link)
        assert (status, headers["Connection"], everything(link)) == (200, "close", b"")


def test_a_hundred_requests_sent_at_once_are_all_answered(service: Service) -> None:
    with contextlib.closing(opened(service.port, (b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n") * 100)) as link:
        assert [reply(link)[0] for _ in range(100)] == [200] * 100


@pytest.mark.parametrize("asked", [b"", b"Connection: keep-alive\r\n"])
def test_http_1_0_is_answered_and_closed(service: Service, asked: bytes) -> None:
    with contextlib.closing(opened(service.port, b"GET /livez HTTP/1.0\r\n" + asked + b"\r\n")) as link:
        answer = everything(link)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b'{"status":"alive"}\n')


def test_the_body_is_asked_for_where_the_client_waits_to_be_asked(service: Service) -> None:
    with contextlib.closing(opened(service.port, SLOW + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")) as link:
        assert link.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        link.sendall(b"abc")
        assert reply(link)[2] == b"3 bytes from 127.0.0.1 by http"
    status = exchanged(service.port, SLOW + b"Expect: 100-continue\r\nContent-Length: 99000000\r\n\r\n")[0]
    assert status == 413, "at once, and not 100"


def test_a_client_that_stops_sending_still_gets_its_answer(service: Service) -> None:
    with contextlib.closing(opened(service.port, b"GET /slow?s=0.2 HTTP/1.1\r\n" + HOST + b"\r\n")) as link:
        link.shutdown(socket.SHUT_WR)
        assert reply(link)[0] == 200
        assert everything(link) == b""
    with contextlib.closing(opened(service.port, SLOW + b"Content-Length: 3\r\n\r\na")) as link:
        link.shutdown(socket.SHUT_WR)
        assert reply(link)[0] == 400


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("localhost", 200), ("LOCALHOST:5000", 200), ("127.0.0.1:5000", 200), ("[::1]:80", 200), ("10.1.2.3", 200),
        ("scan.clinic.test", 200), ("clinic.test", 400), ("evil.example", 400), ("evil.example:127", 400),
        ("localhost.evil.example", 400), ("evilclinic.test", 400),
    ],
)  # fmt: skip
def test_a_name_that_is_not_ours_is_refused(service: Service, name: str, status: int) -> None:
    found, _, answer = exchanged(service.port, f"GET /health HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
    assert (found, answer.get("code")) == (status, None if status == 200 else "host_not_allowed")


@pytest.mark.parametrize(
    ("source", "forwarded", "expected"),
    [
        ("127.0.0.1", b"X-Forwarded-For: 203.0.113.5\r\nX-Forwarded-Proto: https\r\n", "127.0.0.1 by http"),
        ("127.0.0.9", b"X-Forwarded-For: 8.8.8.8, 203.0.113.5\r\nX-Forwarded-Proto: https\r\n", "203.0.113.5 by https"),
        ("127.0.0.9", b"X-Forwarded-For: 203.0.113.5, 10.7.7.7\r\n", "203.0.113.5 by http"),
        ("127.0.0.9", b"X-Forwarded-For: nonsense\r\n", "127.0.0.9 by http"),
        ("127.0.0.9", b"X_Forwarded_For: 203.0.113.5\r\n", "127.0.0.9 by http"),
        ("127.0.0.9", b"", "127.0.0.9 by http"),
    ],
)  # fmt: skip
def test_who_asks_is_believed_of_our_own_proxies_only(
    service: Service, source: str, forwarded: bytes, expected: str
) -> None:
    sent = b"GET /slow?s=0 HTTP/1.1\r\n" + HOST + forwarded + b"\r\n"
    with contextlib.closing(opened(service.port, sent, source)) as link:
        assert reply(link)[2].decode() == f"0 bytes from {expected}"


def test_the_chat_streams_its_reply(service: Service) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)) as link:
        told = {"Host": "localhost", "Content-Type": "application/json", "Accept": "text/event-stream"}
        link.request("POST", "/api/chat", json.dumps({"message": "What is melanoma?"}), told)
        reply = link.getresponse()
        assert (reply.status, reply.getheader("Transfer-Encoding")) == (200, "chunked")
        *_, name, data = reply.read().decode().strip().splitlines()
    assert name == "event: answer"
    assert json.loads(data.removeprefix("data: "))["provider"] == "offline"
