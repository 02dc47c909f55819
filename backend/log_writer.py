"""Log lines on their way out: a reader that has stopped reading, or is gone, stops no answer."""

from __future__ import annotations

import queue
import threading
import time
from typing import TextIO

MOST_WAITING = 10_000  # lines, about 3 MB


class LogWriter:
    """A stream for a logger. A thread writes; what a full pipe does not take is dropped, and counted."""

    def __init__(self, stream: TextIO, most_waiting: int = MOST_WAITING) -> None:
        self.dropped = 0
        self._stream = stream
        self._waiting: queue.Queue[str] = queue.Queue(most_waiting)
        threading.Thread(target=self._write_all, name="log", daemon=True).start()

    def write(self, text: str) -> None:
        """Never waits."""
        try:
            self._waiting.put_nowait(text)
        except queue.Full:
            self.dropped += 1

    def flush(self) -> None:
        """Nothing: the thread flushes."""

    def drain(self, timeout_s: float = 1.0) -> None:
        """Wait until all is written, at the end of the process; not for ever."""
        until = time.monotonic() + timeout_s
        while self._waiting.unfinished_tasks and time.monotonic() < until:
            time.sleep(0.005)

    def _write_all(self) -> None:
        while True:
            text = self._waiting.get()
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):  # the reader is gone, the disk is full, the stream is closed
                self.dropped += 1
            finally:
                self._waiting.task_done()
