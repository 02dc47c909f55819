"""A link to PostgreSQL that is lost at the worst moment: when a transaction was kept and its client not yet told."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

_COMMIT = b"COMMIT\0"  # the whole statement: a transaction may begin as READ COMMITTED


class LosingProxy:
    """Passes bytes on until `armed`; then the next COMMIT reaches the server, and no answer to it comes back.

    address: of the database, by way of this.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._server = (str(parts.hostname), int(parts.port or 0))
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        self.address = parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}").geturl()
        self.armed = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more links."""
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            lost = threading.Event()
            for run in (self._from_client, self._from_server):
                threading.Thread(target=run, args=(client, server, lost), daemon=True).start()

    def _from_client(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        while data := _received(client):
            if self.armed.is_set() and _COMMIT in data:
                self.armed.clear()
                lost.set()
            _sent(server, data)
        _ended(server)

    def _from_server(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        while data := _received(server):
            if lost.is_set():  # this is the answer: it was kept
                break
            _sent(client, data)
        _ended(client)
        _ended(server)


def _received(link: socket.socket) -> bytes:
    try:
        return link.recv(65_536)
    except OSError:
        return b""


def _sent(link: socket.socket, data: bytes) -> None:
    try:
        link.sendall(data)
    except OSError:
        _ended(link)


def _ended(link: socket.socket) -> None:
    """Also for the thread that waits for what comes on it."""
    with suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
    link.close()
