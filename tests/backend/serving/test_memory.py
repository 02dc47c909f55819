"""The embedded server: what arrives and what is answered stays in memory, within the limits."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import numpy as np
import pytest
from child_processes.processes import Service
from PIL import Image
from samples import SUPPORT, multipart

from backend.endpoint import MAX_UPLOAD_BYTES, UploadRequest
from backend.serving.incoming import HeadBuffer, Incoming, Room
from ml_model.errors import InputTooLarge


@pytest.fixture(scope="module")
def service(start_service: Callable[..., AbstractContextManager[Service]]) -> Iterator[Service]:
    """A service that prints the files it opens for writing."""
    with start_service("watched_server") as running:
        yield running
        running.process.terminate()
        assert running.wait() == 0


def bitmap(least_bytes: int) -> bytes:
    """An uncompressed picture with structure of at least so many bytes."""
    side = int((least_bytes / 3) ** 0.5) + 1
    coarse = np.random.default_rng(0).integers(0, 256, (36, 48, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(stream, "BMP")
    return stream.getvalue()


def posted(service: Service, data: bytes, *, chunked: bool = False) -> tuple[int, dict[str, object]]:
    body, content_type = multipart(data)
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    sent = iter([body[i : i + 65_536] for i in range(0, len(body), 65_536)]) if chunked else body
    headers = {"Content-Type": content_type, "X-Request-ID": str(uuid.uuid4())}
    with contextlib.closing(connection):
        connection.request("POST", "/analyze/skin?explain=inline", sent, headers, encode_chunked=chunked)
        reply = connection.getresponse()
        found = reply.status, json.loads(reply.read())
    # The log line of a request comes after all that was opened for it.
    while not any(headers["X-Request-ID"] in line for line in service.log):
        time.sleep(0.01)
    return found


def opened(service: Service) -> list[str]:
    return [line for line in service.log if line.startswith("opened for writing")]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("megabytes", [1, 2, 5, 16, 31.9])
def test_no_upload_touches_a_disk(service: Service, megabytes: float, chunked: bool) -> None:
    before = len(opened(service))
    status, answer = posted(service, bitmap(int(megabytes * 1e6)), chunked=chunked)
    assert (status, answer.get("demo_mode")) == (200, False), answer
    assert opened(service)[before:] == []


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("megabytes", [33, 71])
def test_what_is_too_large_is_refused_and_not_kept_either(service: Service, megabytes: int, chunked: bool) -> None:
    before = len(opened(service))
    status, answer = posted(service, bytes(megabytes * 1_000_000), chunked=chunked)
    assert (status, answer["code"]) == (413, "input_too_large")
    assert opened(service)[before:] == []


def test_the_watch_sees_a_temporary_file() -> None:
    script = (
        "import sys; from child_processes.watched_server import watch; sys.addaudithook(watch); import tempfile as t; "
    )
    command = [sys.executable, "-c", script + "t.TemporaryFile().close(); t.mkstemp()"]
    done = subprocess.run(command, cwd=SUPPORT, capture_output=True, encoding="utf-8", check=True, timeout=60)
    assert done.stdout.count("opened for writing: ") >= 2


def test_a_body_past_the_limit_is_not_held() -> None:
    incoming, buffer = Incoming(lambda _head: Room()), HeadBuffer()
    buffer.data += b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    incoming.read_head(buffer)
    buffer.data += b"1e84800\r\n" + bytes(32_000_000) + b"\r\n"
    while buffer.data:
        incoming.read_body(buffer)
    assert incoming.body.getbuffer().nbytes == incoming.body_bytes == 32_000_000
    buffer.data += b"4000\r\n" + bytes(0x4000) + b"\r\n" + b"10000\r\n" + bytes(0x10000)
    with contextlib.suppress(InputTooLarge):
        while buffer.data:
            incoming.read_body(buffer)
    assert buffer.data, "refused before the end"
    assert MAX_UPLOAD_BYTES < incoming.body.getbuffer().nbytes <= UploadRequest.max_content_length
