"""Clients that come and do not go on: they are ended in time, and the others do not notice them."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest
from child_processes.processes import Service
from clients.http_bytes import HOST, everything, exchanged, opened, reply

HEADER_DEADLINE_S, OF_ONE, IN_ALL = 2, 60, 100
HEAD = b"POST /slow?s=0 HTTP/1.1\r\n" + HOST
WHOLE = HEAD + b"Content-Length: 3\r\n\r\nabc"


@pytest.fixture(scope="module")
def service(start_service: Callable[..., AbstractContextManager[Service]]) -> Iterator[Service]:
    settings = {"HEADER_DEADLINE_S": HEADER_DEADLINE_S, "CONNECTIONS": IN_ALL, "CONNECTIONS_PER_ADDRESS": OF_ONE}
    with start_service("slow_server", UPLOAD_MEMORY_MB="40", **{k: str(v) for k, v in settings.items()}) as running:
        yield running


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", None),
        (b"GET / HTTP/1.1\r\nHos", "request_timeout"),
        (HEAD + b"Content-Length: 100\r\n\r\n" + bytes(50), "request_timeout"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", "request_timeout"),
    ],
)
def test_who_stops_in_the_middle_is_told_and_ended(service: Service, sent: bytes, code: str | None) -> None:
    began = time.monotonic()
    with contextlib.closing(opened(service.port, sent)) as link:
        received = everything(link)
    assert HEADER_DEADLINE_S - 0.2 < time.monotonic() - began < HEADER_DEADLINE_S + 10
    if code is None:
        assert received == b""
    else:
        head, _, body = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 ")
        assert json.loads(body)["code"] == code


@pytest.mark.parametrize("before", [b"GET / HTTP/1.1\r\nA: ", HEAD + b"Content-Length: 1000\r\n\r\n"])
def test_a_byte_now_and_then_does_not_buy_time(service: Service, before: bytes) -> None:
    with contextlib.closing(opened(service.port, before)) as link:
        began = time.monotonic()
        link.settimeout(0.1)
        answer = b""
        while not answer:
            assert time.monotonic() - began < HEADER_DEADLINE_S + 10
            link.sendall(b"a")
            with contextlib.suppress(TimeoutError):
                answer = link.recv(4096)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_steady_upload_may_take_longer_than_a_pause(service: Service) -> None:
    parts, size = 12, 10_000  # 20,000 bytes in a second
    with contextlib.closing(opened(service.port, HEAD + f"Content-Length: {parts * size}\r\n\r\n".encode())) as link:
        for _ in range(parts):
            time.sleep(0.25)
            link.sendall(bytes(size))
        assert reply(link)[2] == f"{parts * size} bytes from 127.0.0.1 by http".encode()


@pytest.mark.parametrize("source", ["127.0.0.2", "127.0.0.1"])
def test_two_hundred_that_dribble_lock_nobody_out(service: Service, source: str) -> None:
    """More than there may be of one address and in all: the longest waiting have to go."""
    with ExitStack() as stack:

        def dribbler() -> socket.socket:
            return stack.enter_context(contextlib.closing(opened(service.port, b"GET / HTTP/1.1\r\nA: ", source)))

        first = dribbler()
        time.sleep(0.5)  # what is not even read yet is closed without an answer
        last = [dribbler() for _ in range(199)][-1]
        last.sendall(b"b\r\n" + HOST + b"\r\n")
        assert reply(last)[0] == 200, "the newest may go on"
        for _ in range(10):
            assert exchanged(service.port, b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n")[0] == 200
            with contextlib.closing(opened(service.port, WHOLE)) as link:
                assert reply(link)[0] == 200
        status, headers, body = reply(first)
        assert (status, json.loads(body)["code"], headers["Retry-After"]) == (503, "overloaded", "1")


def test_uploads_that_fill_the_memory_end_the_oldest_of_them(service: Service) -> None:
    """Two of 21 MB where 40 MB may be held: the second is answered."""
    head = HEAD + b"Content-Length: 22000000\r\n\r\n"
    with contextlib.closing(opened(service.port, head + bytes(21_000_000))) as first:
        time.sleep(0.3)
        with contextlib.closing(opened(service.port, head + bytes(22_000_000))) as second:
            assert reply(second)[2] == b"22000000 bytes from 127.0.0.1 by http"
        status, _, body = reply(first)
        assert (status, json.loads(body)["code"]) == (503, "overloaded")
    with contextlib.closing(opened(service.port, head + bytes(22_000_000))) as third:
        assert reply(third)[0] == 200, "what was held is free again"


def test_who_does_not_take_the_answers_is_ended(service: Service) -> None:
    """More of them than the buffers of the system hold."""
    asked = 900
    with contextlib.closing(socket.socket()) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.settimeout(30)
        link.connect(("127.0.0.1", service.port))
        link.sendall((b"GET /static/style.css HTTP/1.1\r\n" + HOST + b"\r\n") * asked)
        time.sleep(HEADER_DEADLINE_S + 3)
        received = bytearray()
        with contextlib.suppress(ConnectionError):
            while part := link.recv(65_536):
                received += part
    assert 0 < received.count(b"HTTP/1.1 200 OK") < asked
