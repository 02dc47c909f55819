"""A server that speaks OpenAI's protocol and behaves as it is told to, well or badly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from backend.app import Application
from backend.endpoint import SERVICES
from backend.services.chat.conversation import Chat
from backend.settings.chat import ChatSettings

KEY = "a-key-of-tests"


class Stub(ThreadingHTTPServer):
    """behaviour: what is done with a request's handler and body; it can be exchanged at any time. received: bodies."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behaviour: Callable[[_Handler, dict[str, Any]], None] = says("Nothing.")
        self.received: list[dict[str, Any]] = []
        self.keys: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Stub

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append(body)
        self.server.keys.append(self.headers["Authorization"])
        try:
            self.server.behaviour(self, body)
        except (BrokenPipeError, ConnectionResetError):
            return  # whoever asked went away

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def begin(self, status: int = 200, kind: str = "text/event-stream", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **headers, "Connection": "close"}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.close_connection = True

    def piece(self, delta: dict[str, Any]) -> None:
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        chunk |= {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()


Behaviour = Callable[[_Handler, dict[str, Any]], None]


def says(text: str) -> Behaviour:
    """In pieces of a few letters."""

    def behave(to: _Handler, _body: dict[str, Any]) -> None:
        to.begin()
        for start in range(0, len(text), 7):
            to.piece({"content": text[start : start + 7]})
        to.wfile.write(b"data: [DONE]\n\n")

    return behave


def echoes(wish: str) -> Behaviour:
    """Says what an attacker wishes, and everything that it was sent."""

    def behave(to: _Handler, body: dict[str, Any]) -> None:
        told = "\n".join(
            part if isinstance(part, str) else str(part.get("text", ""))
            for message in body["messages"]
            for part in ([message["content"]] if isinstance(message["content"], str) else message["content"])
        )
        says(f"{wish}\n{told}\n{wish}")(to, body)

    return behave


def refuses(status: int, **headers: str) -> Behaviour:
    def behave(to: _Handler, _body: dict[str, Any]) -> None:
        to.begin(status, "application/json", **headers)
        to.wfile.write(b'{"error": {"message": "patient Smith is not welcome"}}')

    return behave


def sends(raw: bytes, kind: str = "text/event-stream") -> Behaviour:
    def behave(to: _Handler, _body: dict[str, Any]) -> None:
        to.begin(200, kind)
        to.wfile.write(raw)

    return behave


def calls_tools(to: _Handler, _body: dict[str, Any]) -> None:
    to.begin()
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "read_all_records", "arguments": "{}"}}
    to.piece({"tool_calls": [call]})
    to.wfile.write(b"data: [DONE]\n\n")


def is_silent(to: _Handler, _body: dict[str, Any]) -> None:
    time.sleep(3)


def dribbles(to: _Handler, _body: dict[str, Any]) -> None:
    """A sentence that could stand, and then a letter now and then."""
    to.begin()
    to.piece({"content": "The picture was looked at. "})
    for _ in range(100):
        time.sleep(0.1)
        to.piece({"content": "a"})


def first_then(first: Behaviour, then: Behaviour) -> Behaviour:
    left = [first]

    def behave(to: _Handler, body: dict[str, Any]) -> None:
        (left.pop() if left else then)(to, body)

    return behave


@contextmanager
def stub_server() -> Iterator[Stub]:
    stub = Stub()
    serving = threading.Thread(target=stub.serve_forever, args=(0.05,))
    serving.start()
    try:
        yield stub
    finally:
        stub.shutdown()
        serving.join()
        stub.server_close()


@contextmanager
def worded_by(app: Application, stub: Stub, timeout_s: float = 10.0) -> Iterator[None]:
    """The application with a language model."""
    own = app.services
    settings = ChatSettings(stub.address, "stub-1", KEY, timeout_s)
    chat = Chat(own.models, own.images, own.symptoms, own.records, settings)
    app.extensions[SERVICES] = replace(own, chat=chat)
    try:
        yield
    finally:
        app.extensions[SERVICES] = own
