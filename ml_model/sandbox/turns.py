"""Who waits for what there is little of, in the order of arrival, and who is told at once that it takes too long."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ml_model.errors import DeadlineExceeded, Overloaded

_FIRST_GUESS_S = 0.1
_WEIGHT = 0.2  # of the newest in the running mean of how long it is held


@dataclass(frozen=True, eq=False)
class _Turn:
    amount: int


class Turns:
    """`capacity` of something (processes, bytes), of which each takes an amount for a while. Thread-safe."""

    def __init__(self, capacity: int, most_waiting: int) -> None:
        self._capacity = self._free = capacity
        self._most_waiting = most_waiting
        self._waiting = deque[_Turn]()  # the longest waiting first
        self._held_s = _FIRST_GUESS_S
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, amount: int, deadline: float) -> Iterator[None]:
        """Holds `amount`. deadline: in time.monotonic().

        Raises Overloaded at once where too many wait or the turn would come after the deadline, DeadlineExceeded
        where it did not come in time.
        """
        amount = min(amount, self._capacity)
        with self._changed:
            self._wait(amount, deadline)
            self._free -= amount
        began = time.monotonic()
        try:
            yield
        finally:
            with self._changed:
                self._free += amount
                self._held_s += _WEIGHT * (time.monotonic() - began - self._held_s)
                self._changed.notify_all()

    def _wait(self, amount: int, deadline: float) -> None:
        if not self._waiting and self._free >= amount:
            return
        expected_s = (sum(one.amount for one in self._waiting) + amount) / self._capacity * self._held_s
        if len(self._waiting) >= self._most_waiting or time.monotonic() + expected_s > deadline:
            raise Overloaded(
                f"{len(self._waiting)} files wait to be read, this one would for about {expected_s:.0f} s; "
                "try again in a moment"
            )
        turn = _Turn(amount)
        self._waiting.append(turn)
        try:
            came = self._changed.wait_for(
                lambda: self._waiting[0] is turn and self._free >= amount, max(0.0, deadline - time.monotonic())
            )
        finally:
            self._waiting.remove(turn)
            self._changed.notify_all()
        if not came:
            raise DeadlineExceeded("the file was not read in the time that one request has; try again later")
