"""A service with one tiny model, as a process of its own."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from child_processes.processes import Service
from samples import image_task, write_tiny

from ml_model.tasks.registry import TASKS_DIR

Start = Callable[..., AbstractContextManager[Service]]


@pytest.fixture(scope="session")
def start_service(tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Factory: `with start_service("slow_server", THREADS="2") as service`, by the name of a script that serves."""
    root = tmp_path_factory.mktemp("served")
    write_tiny(image_task("skin"), root / "models")
    (root / "tasks").mkdir()
    shutil.copy(TASKS_DIR / "skin.toml", root / "tasks")

    @contextlib.contextmanager
    def start(script: str, **settings: str) -> Iterator[Service]:
        running = Service({**_settings(root), **settings}, [f"tests/support/child_processes/{script}.py"])
        try:
            running.wait_ready()
            yield running
        finally:
            if running.process.poll() is None:
                running.process.kill()
            running.wait()

    return start


def _settings(root: Path) -> dict[str, str]:
    return {
        "MODEL_DIR": str(root / "models"), "DATA_DIR": str(root / "data"), "USER_MODELS_DIR": str(root),
        "TASKS_DIR": str(root / "tasks"), "TMPDIR": str(root), "PYTHONDONTWRITEBYTECODE": "1",
        "INPUT_GATE": "off", "DRAIN_SECONDS": "0",
    }  # fmt: skip
