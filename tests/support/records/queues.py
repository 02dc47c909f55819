"""A queue, and workers that work it off."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from urllib.parse import urlsplit

from records.databases import redis_server
from samples import ROOT

_WITHIN_S = 60.0


class Queue:
    """A Redis that can be stopped, which forgets all that it held, and started again at the same address."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self.url = self._running.enter_context(redis_server())

    def start(self) -> None:
        self._running.enter_context(redis_server(urlsplit(self.url).port))

    def stop(self) -> None:
        self._running.close()


class Worker:
    """`python -m backend.serving.worker` as a process of its own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "backend.serving.worker"], cwd=ROOT, encoding="utf-8", stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read)
        self._working = threading.Event()
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("working"):
                self._working.set()

    def wait_working(self) -> None:
        assert self._working.wait(3 * _WITHIN_S), self.process.poll()

    def end(self) -> int:
        """Told to stop. Returns its exit status."""
        self.process.terminate()
        status = self.process.wait(_WITHIN_S)
        self._close()
        return status

    def kill(self) -> None:
        """As kill -9."""
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
