"""The embedded server: what arrives and what is answered stays in memory, within the limits."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator

import numpy as np
import pytest
from child_processes.processes import Service
from PIL import Image
from samples import SUPPORT, image_task, multipart, write_tiny

from backend.endpoint import MAX_UPLOAD_BYTES, UploadRequest
from backend.http_server import MAX_BODY_BYTES, BodyBuffer
from ml_model.tasks.registry import TASKS_DIR


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that prints the files it opens for writing."""
    root = tmp_path_factory.mktemp("watched")
    write_tiny(image_task("skin"), root / "models")
    (root / "tasks").mkdir()
    shutil.copy(TASKS_DIR / "skin.toml", root / "tasks")
    environment = {"MODEL_DIR": str(root / "models"), "DATA_DIR": str(root / "data"), "USER_MODELS_DIR": str(root)}
    environment |= {
        "TASKS_DIR": str(root / "tasks"),
        "INPUT_GATE": "off",
        "DRAIN_SECONDS": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(root),
    }
    running = Service(environment, ["tests/support/child_processes/watched_server.py"])
    running.wait_ready()
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


def test_a_body_past_the_limit_is_counted_but_not_held() -> None:
    buffer, part = BodyBuffer(), bytes(1_000_000)
    for _ in range(70):
        buffer.append(part)
    assert len(buffer) == 70_000_000 < MAX_BODY_BYTES
    held = len(buffer.getfile().read())
    assert MAX_UPLOAD_BYTES <= held <= UploadRequest.max_content_length
