"""A service with one tiny model, as a process of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from child_processes.processes import Service, one_task

Start = Callable[..., AbstractContextManager[Service]]


@pytest.fixture(scope="session")
def start_service(tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Factory: `with start_service("slow_server", THREADS="2") as service`, by the name of a script that serves."""
    given = one_task(tmp_path_factory.mktemp("served"))

    @contextlib.contextmanager
    def start(script: str, **settings: str) -> Iterator[Service]:
        running = Service({**given, **settings}, [f"tests/support/child_processes/{script}.py"])
        try:
            running.wait_ready()
            yield running
        finally:
            if running.process.poll() is None:
                running.process.kill()
            running.wait()

    return start
