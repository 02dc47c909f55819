"""The production server: waitress, with JSON for broken HTTP and a shutdown that finishes what it began."""

from __future__ import annotations

import json
import socket
import sys
import time
import uuid
from collections.abc import Iterable
from typing import Any

from waitress import wasyncore
from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import MultiSocketServer, create_server
from waitress.task import ErrorTask, WSGITask

from backend.app import Application
from backend.config import Config
from backend.endpoint import UploadRequest
from backend.errors import HTTP_CODES, HTTP_MESSAGES, error_body

# Past the application's own limit of 32 MB, so that it is the application that refuses, with the body read:
# a server that closes early makes many clients report a broken pipe in place of the answer.
MAX_BODY_BYTES = 72_000_000
NEVER = sys.maxsize  # bytes from which on a body or an answer goes to a temporary file: it is a patient's
FINISH_WITHIN_S = 30.0
POLL_S = 0.25


class BodyBuffer(OverflowableBuffer):  # type: ignore[misc] # waitress has no types
    """A body in memory; of one that is too large only the length is kept, by which the application refuses it."""

    def __init__(self) -> None:
        super().__init__(NEVER)
        self._received_bytes = 0

    def append(self, s: bytes) -> None:
        self._received_bytes += len(s)
        if self._received_bytes <= UploadRequest.max_content_length:
            super().append(s)

    def __len__(self) -> int:
        return self._received_bytes


class TimedParser(HTTPRequestParser):  # type: ignore[misc]
    """Notes when the first byte of a request came, and keeps its body in memory."""

    def __init__(self, adj: Any) -> None:
        super().__init__(adj)
        self.received_at = time.monotonic()

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.body_rcv is not None:
            self.body_rcv.buf = BodyBuffer()


class TimedTask(WSGITask):  # type: ignore[misc]
    """Hands the time of the first byte to the application."""

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ["backend.received_at"] = self.request.received_at
        return environ


class JsonErrorTask(ErrorTask):  # type: ignore[misc]
    """What waitress refuses by itself (broken HTTP, far too large) takes the shape of every other error."""

    def execute(self) -> None:
        status = int(self.request.error.code)
        code = HTTP_CODES.get(status, f"http_{status}")
        unreadable = f"{self.request.error.reason}: the request could not be read as HTTP; see /openapi.json"
        request_id = str(uuid.uuid4())
        body = json.dumps(error_body(HTTP_MESSAGES.get(status, unreadable), code, request_id)).encode()
        self.status = f"{status} {self.request.error.reason}"
        self.response_headers += [("Content-Type", "application/json"), ("X-Request-ID", request_id)]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection."""

    parser_class = TimedParser
    task_class = TimedTask
    error_task_class = JsonErrorTask

    @property
    def busy(self) -> bool:
        """Whether a request is being received or answered, or an answer is still being sent."""
        return bool(self.requests or self.total_outbufs_len or self.request is not None)


class Server:
    """Listens from the moment it is made. `stop` may be called from a signal handler.

    Raises OSError where it cannot listen on the address.
    """

    def __init__(self, app: Application, config: Config) -> None:
        self._app = app
        self._drain_s = config.drain_s
        self._map: dict[int, Any] = {}
        try:
            made = create_server(
                app,
                map=self._map,
                host=config.host,
                port=config.port,
                threads=config.threads,
                ident=None,
                max_request_body_size=MAX_BODY_BYTES,
                outbuf_overflow=NEVER,
                asyncore_use_poll=True,
            )
        except OSError:
            wasyncore.close_all(self._map, ignore_all=True)
            raise
        self._dispatcher = made.task_dispatcher
        multiple = isinstance(made, MultiSocketServer)
        self._listeners = [s for s in self._map.values() if hasattr(s, "channel_class")] if multiple else [made]
        for listener in self._listeners:
            listener.channel_class = Channel
        self.port = int(self._listeners[0].effective_port)

    def run(self) -> None:
        """Answer until `stop`, then finish what was begun and return."""
        readiness = self._app.services.readiness
        while readiness.draining_since is None:
            self._poll()
        while time.monotonic() < readiness.draining_since + self._drain_s:
            self._poll()
        for listener in self._listeners:
            listener.accepting = False
            listener.del_channel()
            listener.socket.close()
        deadline = time.monotonic() + FINISH_WITHIN_S
        while time.monotonic() < deadline and any(channel.busy for channel in self._channels()):
            self._poll()
        self._dispatcher.shutdown()
        wasyncore.close_all(self._map, ignore_all=True)

    def stop(self) -> None:
        """Begin to drain: /readyz says 503, new work is refused, work under way is finished."""
        readiness = self._app.services.readiness
        if readiness.draining_since is None:
            readiness.draining_since = time.monotonic()
        self._listeners[0].pull_trigger()

    def _poll(self) -> None:
        wasyncore.loop(timeout=POLL_S, use_poll=hasattr(socket, "AF_UNIX"), map=self._map, count=1)

    def _channels(self) -> Iterable[Channel]:
        return [channel for channel in self._map.values() if isinstance(channel, Channel)]
