"""One request as it comes in, told apart from what follows it, and the bytes of its answer. Nothing here waits."""

from __future__ import annotations

import contextlib
import io
import re
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from email.utils import formatdate
from http.client import responses
from pathlib import Path
from typing import IO, cast

import h11
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    HTTPVersionNotSupported,
    NotImplemented,
    RequestHeaderFieldsTooLarge,
)

from backend.endpoint import UploadRequest
from backend.errors import HTTP_MESSAGES, on_disk
from backend.serving.wsgi_call import Answer, Stream
from ml_model.errors import InputTooLarge

MOST_HEAD_BYTES = 262_144
MOST_LINES = 200
HEAD_END = re.compile(rb"\n\r?\n")
LEAST_BYTE = 0x21  # of a method; a TLS handshake begins below
WANTS_HTTP = "the request could not be read as HTTP/1.1; see /openapi.json"
# Chunks of a few bytes cost more than what they carry: only so many are read, and few between two looks at the others.
CHUNKS_FREE, BYTES_PER_CHUNK, CHUNKED_STEP_BYTES = 4096, 512, 4096


@dataclass(frozen=True)
class Room:
    """What a request's body may be. spool_dir: of the file that it goes through, which has no name; None: memory.
    spooling: held while so many bytes may lie in that file; may raise Busy."""

    most_bytes: int = UploadRequest.max_content_length
    spool_dir: Path | None = None
    too_large: str = HTTP_MESSAGES[413]
    spooling: Callable[[int], AbstractContextManager[object]] = contextlib.nullcontext


class HeadBuffer:
    """The bytes of a connection that no request has taken yet."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._searched = 0

    def take_head(self) -> bytes | None:
        """The lines of one request with the empty one behind them, None while it has not come.

        Raises BadRequest and RequestHeaderFieldsTooLarge.
        """
        if not self._searched:
            while self.data[:2] == b"\r\n":  # RFC 9112, 2.2
                del self.data[:2]
        if self.data and self.data[0] < LEAST_BYTE and self.data != b"\r":
            raise BadRequest(WANTS_HTTP)
        found = HEAD_END.search(self.data, max(0, self._searched - 2))
        end = found.end() if found else len(self.data)
        if end > MOST_HEAD_BYTES:
            raise RequestHeaderFieldsTooLarge(f"the request's header has more than {MOST_HEAD_BYTES:,} bytes")
        if self.data.count(b"\n", 0, end) > MOST_LINES:
            raise RequestHeaderFieldsTooLarge(f"the request's header has more than {MOST_LINES} lines")
        self._searched = 0 if found else end
        return self.take(end) if found else None

    def take(self, count: int) -> bytes:
        """The first `count` bytes."""
        taken = bytes(self.data[:count])
        del self.data[:count]
        return taken


class Incoming:
    """A request from its first byte on. `head` is there once its lines are, `whole` says that nothing is missing.

    room_for: tells the room of a request by its head. The methods raise HTTPException, h11.RemoteProtocolError,
    InputTooLarge and what `room_for` does; it can be answered all the same.
    """

    def __init__(self, room_for: Callable[[h11.Request], Room]) -> None:
        self._room_for, self._room, self._left_open = room_for, Room(), ExitStack()
        self._parser = h11.Connection(h11.SERVER)
        self._chunks: int | None = None  # None: the body's length was told
        self.head: h11.Request | None = None
        self.declared_bytes: int | None = None
        self.body: IO[bytes] = io.BytesIO()
        self.body_bytes = 0
        self.whole = False

    def read_head(self, buffer: HeadBuffer) -> None:
        """Take the request's first lines, if they are there. Refuses a body by what is declared."""
        lines = buffer.take_head()
        if lines is None:
            return
        self._parser.receive_data(lines)
        self.head = head = cast(h11.Request, self._parser.next_event())
        self.declared_bytes = _declared_bytes(head)
        self._chunks = 0 if header(head, b"transfer-encoding") else None
        self._room = self._room_for(head)
        if (self.declared_bytes or 0) > self._room.most_bytes:
            raise InputTooLarge(self._room.too_large)
        if self._room.spool_dir is not None:
            self.body = self._spool(self._room.spool_dir)

    def _spool(self, folder: Path) -> IO[bytes]:
        count = self._room.most_bytes if self._chunks is not None else self.declared_bytes or 0
        self._left_open.enter_context(self._room.spooling(count))
        with on_disk():
            folder.mkdir(parents=True, exist_ok=True)
            return self._left_open.enter_context(tempfile.TemporaryFile(dir=folder))

    @property
    def has_body(self) -> bool:
        """Whether one follows the head."""
        return bool(self.declared_bytes) or self._chunks is not None

    @property
    def expects_continue(self) -> bool:
        """Whether the client wants to be told to send the body."""
        return self._parser.they_are_waiting_for_100_continue

    def read_body(self, buffer: HeadBuffer) -> None:
        """Take what has come of the body, of one in chunks a step only."""
        count = len(buffer.data)
        if step := count if self._chunks is None else min(count, CHUNKED_STEP_BYTES):
            self._parser.receive_data(buffer.take(step))
        while isinstance(event := self._parser.next_event(), h11.Data):
            self._keep(event)
        if isinstance(event, h11.EndOfMessage):
            self.whole = True
            buffer.data[:0] = self._parser.trailing_data[0]

    def _keep(self, event: h11.Data) -> None:
        self.body_bytes += len(event.data)
        if self.body_bytes > self._room.most_bytes:
            raise InputTooLarge(self._room.too_large)
        with on_disk():
            self.body.write(event.data)
        if self._chunks is not None:
            self._chunks += event.chunk_start
            if self._chunks > CHUNKS_FREE + self.body_bytes // BYTES_PER_CHUNK:
                raise BadRequest(f"the body came in {self._chunks:,} chunks of a few bytes each; send larger ones")

    @property
    def held_bytes(self) -> int:
        """Of the body, in memory."""
        return 0 if self._room.spool_dir else self.body_bytes

    def let_go(self) -> int:
        """Keep nothing of the body. Returns the bytes that were kept in memory."""
        with contextlib.suppress(OSError):  # of a full disk
            self._left_open.close()
        self.body.close()
        return self._emptied()

    def handed_over(self) -> tuple[IO[bytes], Callable[[], int]]:
        """The body, which is the caller's from now on, and what lets it go, as `let_go` does."""
        with on_disk():
            self.body.seek(0)
        body, held, left_open = self.body, self._emptied(), self._left_open.pop_all()

        def let_go() -> int:
            left_open.close()
            return held

        return body, let_go

    def _emptied(self) -> int:
        held, self.body_bytes, self.body = self.held_bytes, 0, io.BytesIO()
        return held

    def go_on(self) -> bytes:
        """That the body may be sent."""
        return self._parser.send(h11.InformationalResponse(status_code=100, headers=[], reason=responses[100])) or b""

    def answered(self, answer: Answer, *, close: bool) -> tuple[bytes, bool]:
        """The answer as it is sent, and whether another request may follow it on the connection."""
        close = close or (self.head is not None and not _wants_more(self.head))
        headers = [*answer.headers, ("Date", formatdate(usegmt=True)), *([("Connection", "close")] if close else [])]
        if isinstance(answer.rest, Stream):  # without chunks only the end of the connection ends it
            answer.rest.chunked = self.head is not None and self.head.http_version >= b"1.1"
            headers += [("Transfer-Encoding", "chunked")] * answer.rest.chunked
        elif answer.status not in (204, 304) and not any(name.lower() == "content-length" for name, _ in headers):
            headers.append(("Content-Length", str(len(answer.body))))
        lines = [f"HTTP/1.1 {answer.status} {responses.get(answer.status, '')}", *(f"{n}: {v}" for n, v in headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body, not close


def _wants_more(head: h11.Request) -> bool:
    """Whether the connection may be used for another request."""
    words = {word.strip().lower() for word in header(head, b"connection").split(",")}
    return head.http_version >= b"1.1" and "close" not in words


def header(head: h11.Request, name: bytes) -> str:
    """The values of a header, with commas between them; empty without it."""
    return ",".join(value.decode("latin-1") for found, value in head.headers if found == name)


def _declared_bytes(head: h11.Request) -> int | None:
    """The length of the body by its header; None where it has none or comes in chunks.

    Raises HTTPVersionNotSupported, and BadRequest where two readers could take the body for two different ones
    (RFC 9112, 6.1).
    """
    if head.http_version not in (b"1.0", b"1.1"):
        raise HTTPVersionNotSupported(WANTS_HTTP)
    length, coding = header(head, b"content-length"), header(head, b"transfer-encoding")
    if coding and length:
        raise BadRequest("the request has both Content-Length and Transfer-Encoding; send one of them")
    if coding and head.http_version < b"1.1":
        raise BadRequest("Transfer-Encoding needs HTTP/1.1")
    return int(length) if length else None


def unreadable(error: h11.RemoteProtocolError) -> HTTPException:
    """What h11 refuses, as an error of ours: its own message can quote what was sent."""
    if error.error_status_hint == NotImplemented.code:
        return NotImplemented("of transfer codings only chunked is read")
    return BadRequest(WANTS_HTTP)
