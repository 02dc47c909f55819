"""From a request's head and body to the WSGI environment, and from the application to a whole answer."""

from __future__ import annotations

import asyncio
import functools
import io
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import h11
from werkzeug.exceptions import BadRequest

from backend.schemas.chat.turns import EVENT_STREAM
from backend.storage.spooled import Spooled
from backend.telemetry import REFUSAL

Environ = dict[str, Any]
WsgiApplication = Callable[[Environ, Any], Iterable[bytes]]
NO_REQUEST = h11.Request(method="GET", target="*", headers=[], http_version="1.0")


class Stream(Iterator[bytes]):
    """The body of an answer that is sent while it is made. Whoever makes it puts pieces in, from a thread of its own;
    whoever sends it takes them out, from the event loop's."""

    size_bytes = 0
    chunked = True  # set by who sends it

    def __init__(self) -> None:
        self._pieces = deque[bytes]()  # an empty one is the end
        self._ended = self._closed = False
        self._tell: Callable[[], object] | None = None
        self.break_off: Callable[[], None] = self.close

    def follow(self, more: Callable[[], None], break_off: Callable[[], None]) -> None:
        """more: called once there is another piece; break_off: called where no more can come."""
        self._tell = functools.partial(asyncio.get_running_loop().call_soon_threadsafe, more)
        self.break_off = break_off

    def put(self, piece: bytes) -> bool:
        """Whether anybody takes it."""
        self._pieces.append(piece)
        if self._tell is not None:
            self._tell()
        return not self._closed

    def __next__(self) -> bytes:
        """A piece as it is sent; empty while none is there."""
        if self._ended:
            raise StopIteration
        if not self._pieces:
            return b""
        piece = self._pieces.popleft()
        self._ended = not piece
        if self.chunked:
            return b"%x\r\n%b\r\n" % (len(piece), piece)
        return piece or next(self)

    def close(self) -> None:
        """Nobody takes any more of it."""
        self._closed = True


@dataclass(frozen=True)
class Answer:
    """All of a response. rest: of a body that is not held in memory; whoever sends it closes it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    rest: Spooled | Stream | None = None


@dataclass(frozen=True)
class Peer:
    """Who asks (`address`, as far as it is believed), and on which address and port of ours."""

    address: str
    host: str
    port: int
    scheme: str = "http"


def environ_of(head: h11.Request, peer: Peer) -> Environ:
    """The WSGI environment of a request without its body. Raises BadRequest for a target that is no address."""
    target = head.target.decode("latin-1")
    path, _, query = target.partition("?")
    if not target.startswith("/") and "://" in target:
        try:
            parts = urlsplit(target)
        except ValueError as error:
            raise BadRequest("the request's target is no address") from error
        path, query = parts.path or "/", parts.query
    environ: Environ = {
        "REQUEST_METHOD": head.method.decode("latin-1"),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": f"HTTP/{head.http_version.decode('latin-1')}",
        "SERVER_NAME": peer.host,
        "SERVER_PORT": str(peer.port),
        "REMOTE_ADDR": peer.address,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": peer.scheme,
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in head.headers:
        # A name with an underscore would pass for one with a dash, which a proxy may have checked.
        if b"_" in raw_name or raw_name == b"transfer-encoding":
            continue
        name, value = raw_name.decode("latin-1").upper().replace("-", "_"), raw_value.decode("latin-1")
        if name not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            name = f"HTTP_{name}"
        between = "; " if name == "HTTP_COOKIE" else ", "
        environ[name] = f"{environ[name]}{between}{value}" if name in environ else value
    return environ


def call(app: WsgiApplication, environ: Environ, begun: Callable[[Answer], object] | None = None) -> Answer:
    """All that the application answers. begun: is given server-sent events before they are made; without it they are
    answered whole, as all else is. Raises what the application raises."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: object = None) -> None:
        started[:] = [(status, headers)]

    chunks = app(environ, start_response)
    rest: Spooled | None = chunks if isinstance(chunks, Spooled) else None
    try:
        if begun is not None and dict(started[0][1]).get("Content-Type", "").startswith(EVENT_STREAM):
            return _streamed(chunks, started[0], begun)
        body = b"" if rest else b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None and rest is None:
            close()
        environ["wsgi.input"].close()
    status, headers = started[0]
    return Answer(int(status[:3]), headers, body, rest)


def _streamed(
    chunks: Iterable[bytes], head: tuple[str, list[tuple[str, str]]], begun: Callable[[Answer], object]
) -> Answer:
    stream = Stream()
    answer = Answer(int(head[0][:3]), head[1], b"", stream)
    begun(answer)
    if all(stream.put(piece) for piece in chunks if piece):
        stream.put(b"")
    return answer


def refused(app: WsgiApplication, environ: Environ, error: Exception) -> Answer:
    """What the application answers where it is told to refuse. Never waits."""
    return call(app, {**environ, "wsgi.input": io.BytesIO(), REFUSAL: error})
