"""The service as a process of its own, for tests that start, watch and stop it."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from samples import ROOT, image_task, write_tiny

from ml_model.tasks.registry import TASKS_DIR

# Seconds at most; a free machine needs one or two, one that trains at the same time a minute.
START_WITHIN_S = 180


class Service:
    """`python backend/server.py` as a child process, or another script that serves and says so in the same words."""

    def __init__(self, environment: dict[str, str], script: Sequence[str] = ("backend/server.py",)) -> None:
        command = [sys.executable, *script, "--port", "0"]
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, encoding="utf-8"
        )
        assert self.process.stdout is not None
        line = next((text for text in self.process.stdout if "serving on" in text), "")
        assert line
        self.port = int(line.split()[2].rsplit(":", 1)[1])
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.log.extend(self.process.stdout)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def get(self, path: str) -> tuple[int, dict[str, str], str]:
        connection = self.connect()
        connection.request("GET", path)
        reply = connection.getresponse()
        found = reply.status, dict(reply.headers), reply.read().decode()
        connection.close()
        return found

    def wait_ready(self) -> None:
        while self.get("/readyz")[0] != 200:
            assert time.monotonic() - self.started < START_WITHIN_S
            time.sleep(0.02)

    def wait(self) -> int:
        status = self.process.wait(START_WITHIN_S)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


def one_task(root: Path) -> dict[str, str]:
    """Settings of a service that starts quickly and writes below `root` alone: one task with a tiny model."""
    write_tiny(image_task("skin"), root / "models")
    (root / "tasks").mkdir()
    shutil.copy(TASKS_DIR / "skin.toml", root / "tasks")
    return {
        "MODEL_DIR": str(root / "models"), "DATA_DIR": str(root / "data"), "USER_MODELS_DIR": str(root),
        "TASKS_DIR": str(root / "tasks"), "TMPDIR": str(root), "PYTHONDONTWRITEBYTECODE": "1",
        "INPUT_GATE": "off", "DRAIN_SECONDS": "0",
    }  # fmt: skip
