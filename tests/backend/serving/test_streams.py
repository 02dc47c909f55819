"""Server-sent events go out one by one, as they are made, on a connection that has its budgets all the same."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from child_processes.processes import Service
from clients.http_bytes import HOST, everything, opened

DEADLINE_S = 4


@pytest.fixture(scope="module")
def service(start_service: Callable[..., AbstractContextManager[Service]]) -> Iterator[Service]:
    with start_service("slow_server", REQUEST_DEADLINE_S=str(DEADLINE_S), THREADS="2") as running:
        yield running


def asked(service: Service, path: str) -> http.client.HTTPConnection:
    link = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    link.request("GET", path)
    return link


def said(service: Service, path: str) -> str:
    with contextlib.closing(asked(service, path)) as link:
        return link.getresponse().read().decode()


def next_event(reply: http.client.HTTPResponse) -> bytes:
    """Without the comments before it."""
    while (line := reply.readline()).startswith(b":") or line == b"\n":
        pass
    return line


def test_each_event_is_there_before_the_next_is_made(service: Service) -> None:
    with contextlib.closing(asked(service, "/events?n=3")) as link:
        reply = link.getresponse()
        assert (reply.getheader("Transfer-Encoding"), reply.getheader("Content-Length")) == ("chunked", None)
        assert next_event(reply) == b"data: 0\n"
        for number in (1, 2):
            said(service, "/next")
            assert next_event(reply) == f"data: {number}\n".encode()
        said(service, "/next")
        assert reply.read().replace(b": wait\n\n", b"").strip() == b""
        link.request("GET", "/slow?s=0")
        assert link.getresponse().read() == b"0 bytes from 127.0.0.1 by http", "the connection is good for more"


def test_a_client_of_http_1_0_gets_them_without_chunks(service: Service) -> None:
    said(service, "/next")
    with contextlib.closing(opened(service.port, b"GET /events?n=1 HTTP/1.0\r\n" + HOST + b"\r\n")) as link:
        head, _, body = everything(link).partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert body == b"data: 0\n\n"


def test_nothing_is_made_for_a_client_that_left(service: Service) -> None:
    with contextlib.closing(asked(service, "/events?n=9")) as link:
        next_event(link.getresponse())
    assert said(service, "/left") == "True"


@pytest.mark.parametrize(("path", "go_on"), [("/events?n=9", False), ("/events?n=1&broken", True)])
def test_what_is_late_or_fails_is_broken_off_and_never_passes_for_whole(
    service: Service, path: str, go_on: bool
) -> None:
    with contextlib.closing(asked(service, path)) as link:
        reply = link.getresponse()
        assert next_event(reply) == b"data: 0\n"
        if go_on:
            said(service, "/next")
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            reply.read()
    assert said(service, "/left") == "True"
