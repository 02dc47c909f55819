"""gunicorn with the configuration that is in the repository: its names are gunicorn's, and it serves."""

from __future__ import annotations

import http.client
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from types import ModuleType

import pytest
from child_processes.processes import START_WITHIN_S
from gunicorn.config import make_settings
from samples import ROOT, image_task, multipart, write_tiny

from backend.serving.wsgi_call import Environ
from backend.wsgi import behind
from ml_model.tasks.registry import TASKS_DIR

CONFIGURATION = ROOT / "backend" / "gunicorn.conf.py"


def configured() -> dict[str, object]:
    found = runpy.run_path(str(CONFIGURATION))
    return {
        name: value
        for name, value in found.items()
        if not name.startswith("_") and not isinstance(value, type | ModuleType)
    }


def test_every_name_is_a_setting_of_gunicorn_and_every_value_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "::1")
    monkeypatch.setenv("PORT", "8123")
    monkeypatch.setenv("THREADS", "7")
    settings, found = make_settings(), configured()
    assert set(found) <= settings.keys(), "gunicorn passes over what it does not know"
    for name, value in found.items():
        settings[name].set(value)
    assert (found["bind"], found["threads"], found["workers"]) == ("[::1]:8123", 7, 1)


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "proto", "address", "scheme"),
    [
        ("10.0.0.1", "192.0.2.9, 198.51.100.7", "https", "198.51.100.7", "https"),
        ("10.0.0.1", "198.51.100.7, 10.0.0.2", "http, https", "198.51.100.7", "https"),
        ("10.0.0.1", "198.51.100.7", "https, http", "198.51.100.7", "http"),
        ("10.0.0.1", "", "", "10.0.0.1", "http"),
        ("192.0.2.1", "198.51.100.7", "https", "192.0.2.1", "http"),
        ("", "198.51.100.7", "https", "", "http"),
    ],
)
def test_a_proxy_of_ours_is_believed_and_nobody_else(
    peer: str, forwarded_for: str, proto: str, address: str, scheme: str
) -> None:
    seen: list[tuple[str, str]] = []

    def app(environ: Environ, _start: object) -> list[bytes]:
        seen.append((environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]))
        return []

    told = {"HTTP_X_FORWARDED_FOR": forwarded_for, "HTTP_X_FORWARDED_PROTO": proto}
    behind(app, (ip_network("10.0.0.0/8"),))({"REMOTE_ADDR": peer, "wsgi.url_scheme": "http", **told}, None)
    assert seen == [(address, scheme)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def asked(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str, str]:
    """Status, cookie, text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        return reply.status, reply.headers.get("Set-Cookie", ""), reply.read().decode()
    finally:
        connection.close()


def wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if asked(port, "GET", "/readyz")[0] == 200:
                return
        except ConnectionError:
            pass
        time.sleep(0.05)
    raise AssertionError("gunicorn does not serve")


def test_gunicorn_serves_with_it(tmp_path: Path, picture: Callable[..., bytes]) -> None:
    task, port = image_task("histopathology"), free_port()
    write_tiny(task, tmp_path / "models")
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / f"{task.id}.toml").write_bytes((TASKS_DIR / f"{task.id}.toml").read_bytes())
    environment = {
        "PORT": str(port), "MODEL_DIR": str(tmp_path / "models"), "TASKS_DIR": str(tmp_path / "tasks"),
        "DATA_DIR": str(tmp_path / "data"), "USER_MODELS_DIR": str(tmp_path), "INPUT_GATE": "off",
    }  # fmt: skip
    command = [sys.executable, "-m", "gunicorn", "-c", str(CONFIGURATION), "backend.wsgi:application()"]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}) as process:
        try:
            wait_until_ready(port, process)
            assert asked(port, "GET", "/livez")[0] == 200
            status, _, text = asked(port, "GET", "/health")
            health = json.loads(text)
            assert (status, health["status"], health["models"]) == (200, "healthy", {task.health_key: True})
            body, content_type = multipart(picture(), field="file")
            headers = {"Content-Type": content_type, "X-Forwarded-Proto": "https"}
            status, cookie, text = asked(port, "POST", "/predict", body, **headers)
            assert (status, json.loads(text)["demo_mode"], "Secure" in cookie) == (200, False, True)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(START_WITHIN_S) == 0
