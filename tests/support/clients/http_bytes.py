"""HTTP as bytes on a socket, for what no client library sends."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import socket
from typing import Any

HOST = b"Host: localhost\r\n"


def opened(port: int, sent: bytes = b"", source: str = "127.0.0.1") -> socket.socket:
    """A connection from a loopback address on which these bytes were sent."""
    link = socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(source, 0))
    link.sendall(sent)
    return link


def reply(link: socket.socket, method: str = "GET") -> tuple[int, http.client.HTTPMessage, bytes]:
    """The next answer on a connection, and nothing of what follows it. Raises ConnectionError without one."""
    head = _received(link, until=b"\r\n\r\n")
    first, _, rest = head.partition(b"\r\n")
    headers = http.client.parse_headers(io.BytesIO(rest))
    count = 0 if method == "HEAD" else int(headers["Content-Length"])
    return int(first.split()[1]), headers, _received(link, count=count)


def _received(link: socket.socket, *, until: bytes = b"", count: int = 0) -> bytes:
    """Up to an ending, or so many bytes."""
    received = bytearray()
    while not received.endswith(until) if until else len(received) < count:
        part = link.recv(1 if until else count - len(received))
        if not part:
            raise ConnectionError(f"closed after {bytes(received)!r:.200}")
        received += part
    return bytes(received)


def exchanged(port: int, sent: bytes, source: str = "127.0.0.1") -> tuple[int, http.client.HTTPMessage, Any]:
    """Status, headers and JSON of the answer to these bytes, on a connection of its own."""
    with contextlib.closing(opened(port, sent, source)) as link:
        status, headers, body = reply(link)
        return status, headers, json.loads(body)


def everything(link: socket.socket) -> bytes:
    """All that is still sent on it until it is closed."""
    received = bytearray()
    while part := link.recv(65_536):
        received += part
    return bytes(received)
