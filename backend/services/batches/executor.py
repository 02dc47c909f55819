"""Who has batches worked on: a thread of this process, which works itself, or tells a queue that others work off."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from backend.errors import RecordsUnavailable, where
from backend.services.batches.work import BatchWork
from backend.telemetry import Logger

POLL_S = 5.0  # at most, between two looks at what is due


class Labour(Protocol):
    """What the thread does. begins_within_s: how long who sends a batch waits to be told whether it could begin."""

    begins_within_s: float

    def once(self) -> float | None:
        """A step. Returns the seconds until there may be another, None where no batch is unfinished."""

    @property
    def problem(self) -> str | None:
        """Why batches wait, as a client should know it."""


class OwnLabour:
    """The thread does the work itself."""

    begins_within_s = 0.0
    problem = None

    def __init__(self, work: BatchWork) -> None:
        self._work = work

    def once(self) -> float | None:
        """Some files."""
        return 0.0 if self._work.some() else self._work.leases.due_in_s()


class Executor:
    """One thread, which begins with `wake` and ends once nothing is left to do. Safe to use from several threads."""

    def __init__(self, labour: Labour, stopping: Callable[[], bool], logger: Logger) -> None:
        self._labour, self._stopping, self._logger, self._stays = labour, stopping, logger, False
        self._changed = threading.Condition(threading.RLock())
        self._asked, self._done = 0, 0
        self._thread: threading.Thread | None = None
        self._unavailable: str | None = None

    def wake(self) -> None:
        """There may be something to do."""
        with self._changed:
            self._asked += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="batches", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def go_on(self) -> None:
        """There is something to do, and perhaps nobody here does it: another began it, and may be no more."""
        with self._changed:
            if self._thread is None:
                self.wake()

    def stay(self) -> None:
        """Look for batches that others made, too, from now on."""
        self._stays = True
        self.wake()

    def told(self) -> tuple[str, ...]:
        """What a client should know of batches that wait: nothing, where they are worked on."""
        problem = self._unavailable or self._labour.problem
        return (problem,) if problem else ()

    def begin(self) -> tuple[str, ...]:
        """Wake it, and tell the same."""
        with self._changed:
            self.wake()
            asked = self._asked
            self._changed.wait_for(lambda: self._done >= asked or self._thread is None, self._labour.begins_within_s)
        return self.told()

    def join(self, within_s: float) -> bool:
        """Whether the thread has ended by then: for whoever closes what it works on."""
        with self._changed:
            return self._changed.wait_for(lambda: self._thread is None, within_s)

    def _run(self) -> None:
        while self._goes_on():
            asked = self._asked
            wait_s = self._step()
            with self._changed:
                self._done = asked
                self._changed.notify_all()
                if wait_s is None and not self._stays and self._asked == asked:
                    self._thread = None
                    return
                if self._asked == asked:
                    self._changed.wait(POLL_S if wait_s is None else min(wait_s, POLL_S))

    def _goes_on(self) -> bool:
        if not self._stopping():
            return True
        with self._changed:
            self._thread = None
            self._changed.notify_all()
        return False

    def _step(self) -> float | None:
        try:
            wait_s = self._labour.once()
        except RecordsUnavailable as error:
            self._unavailable = f"batches wait: {error}"
            self._logger.warning("batches_wait", problem=str(error))
            return POLL_S
        except Exception as error:  # the thread outlives whatever one step meets
            self._logger.error("batches_failed", **where(error))
            return POLL_S
        self._unavailable = None
        return wait_s
