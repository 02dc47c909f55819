"""From a request's head and body to the WSGI environment, and from the application to a whole answer."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import h11
from werkzeug.exceptions import BadRequest

from backend.storage.spooled import Spooled
from backend.telemetry import REFUSAL

Environ = dict[str, Any]
WsgiApplication = Callable[[Environ, Any], Iterable[bytes]]
NO_REQUEST = h11.Request(method="GET", target="*", headers=[], http_version="1.0")


@dataclass(frozen=True)
class Answer:
    """All of a response. rest: of a body that is not held in memory; whoever sends it closes it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    rest: Spooled | None = None


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


def call(app: WsgiApplication, environ: Environ) -> Answer:
    """All that the application answers. Raises what it raises."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: object = None) -> None:
        started[:] = [(status, headers)]

    chunks = app(environ, start_response)
    rest = chunks if isinstance(chunks, Spooled) else None
    try:
        body = b"" if rest else b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None and rest is None:
            close()
        environ["wsgi.input"].close()
    status, headers = started[0]
    return Answer(int(status[:3]), headers, body, rest)


def refused(app: WsgiApplication, environ: Environ, error: Exception) -> Answer:
    """What the application answers where it is told to refuse. Never waits."""
    return call(app, {**environ, "wsgi.input": io.BytesIO(), REFUSAL: error})
