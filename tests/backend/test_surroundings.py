"""The service where nothing around it is as it should be: it starts, answers truly, and says what is amiss."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from child_processes.processes import START_WITHIN_S
from samples import ROOT, multipart, write_tiny, write_tiny_signal

from ml_model.tasks.registry import load_image_tasks

PIPE_BYTES, LINE_BYTES = 65_536, 150


class Bare:
    """The service without a home, a folder for temporary files, a place to write to or a reader of its log."""

    def __init__(self, models: Path, **settings: str) -> None:
        kept = {name: os.environ[name] for name in ("PYTHONPATH", "PATH") if name in os.environ}
        surroundings = {"LC_ALL": "C", "TZ": "Mars/Phobos", "TMPDIR": "/proc/nothing"}
        environment = {**kept, **surroundings, "MODEL_DIR": str(models), "INPUT_GATE": "off", **settings}
        command = [sys.executable, "backend/server.py", "--port", "0"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, encoding="utf-8")
        assert self.process.stdout is not None
        line = next(text for text in self.process.stdout if "serving on" in text)
        self.link = http.client.HTTPConnection("127.0.0.1", int(line.split()[2].rsplit(":", 1)[1]), timeout=30)
        deadline = time.monotonic() + START_WITHIN_S
        while not self.get("/health")["models"]["skin_cancer"]:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def get(self, path: str) -> dict[str, Any]:
        self.link.request("GET", path)
        return self._answer()

    def analyzed(self, picture: bytes) -> dict[str, Any]:
        body, content_type = multipart(picture)
        self.link.request("POST", "/analyze/skin", body, {"Content-Type": content_type})
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.link.getresponse().read())
        return answer


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bare") / "models"
    for task in load_image_tasks():  # all of them, for the shipped ones take long to compile without a cache
        write_tiny(task, folder)
        if task.signal:
            write_tiny_signal(task, folder)
    return folder


@pytest.fixture(scope="module")
def bare(models: Path) -> Iterator[Bare]:
    running = Bare(models, DATA_DIR="/proc/nothing", USER_MODELS_DIR=str(models))
    yield running
    running.process.kill()
    running.process.wait()
    running.link.close()


def test_nothing_can_be_kept_and_the_real_model_answers(bare: Bare, picture: Callable[..., bytes]) -> None:
    health = bare.get("/health")
    assert (health["status"], health["problems"]) == ("healthy", {})
    assert health["notes"] == {
        "DATA_DIR": "nothing can be kept for the next start (No such file or directory); "
        "models are prepared anew each time"
    }
    answer = bare.analyzed(picture())
    assert (answer["demo_mode"], answer["model"]["source"]) == (False, "model_dir")


def test_a_log_that_nobody_reads_and_then_nobody_can_holds_up_no_answer(
    bare: Bare, picture: Callable[..., bytes]
) -> None:
    """More lines than the pipe holds, then none that reads it at all."""
    for _ in range(2 * PIPE_BYTES // LINE_BYTES):
        assert bare.get("/livez")["status"] == "alive"
    assert bare.process.stdout is not None
    bare.process.stdout.close()
    for _ in range(3):
        assert bare.analyzed(picture())["success"] is True
    bare.process.terminate()
    assert bare.process.wait(60) == 0


@pytest.mark.parametrize("package", ["backend", "ml_model"])
def test_no_duration_is_taken_from_the_clock_that_can_be_set(package: str) -> None:
    """A clock that jumps ends no deadline early or never: `time.time` is asked for the age of files alone."""
    paths = [path for path in (ROOT / package).rglob("*.py") if "training" not in path.parts]
    asked = {path.name for path in paths if "time.time()" in path.read_text(encoding="utf-8")}
    assert asked <= {"files.py"}
