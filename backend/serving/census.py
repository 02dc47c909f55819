"""The connections there are, and what they hold: how many, of whom, since when, how many bytes of uploads.

Where there are too many, the one that has kept us waiting longest has to go, never the one that comes: whoever sends
at a usual speed is done long before it is the oldest.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from backend.errors import Busy

SWEEP_S = 0.25


class Held(Protocol):
    """What the census knows of a connection. `address` is None for a proxy's, which speaks for many; `since` is when
    it began what it is at, `expires_at` until when it may be at it (time.monotonic)."""

    address: str | None
    since: float
    expires_at: float

    @property
    def waits_for_client(self) -> bool:
        """Whether it is the client that has to go on."""

    @property
    def answered(self) -> bool:
        """Whether only the rest of a refused request is still read."""

    @property
    def uploaded_bytes(self) -> int:
        """What is held of a body that is on its way."""

    @property
    def busy(self) -> bool:
        """Whether a request is being received or answered, or an answer is still being sent."""

    def expire(self) -> None:
        """Its time is over."""

    def end(self, error: Exception) -> None:
        """It has to go; `error` says why."""


class Census:
    """Of one server. `upload_bytes` counts the bodies that are held, until their requests are answered; `spool_bytes`
    those that go through files, by what is declared of them."""

    def __init__(self, connections: int, per_address: int, upload_bytes: int, spool_bytes: int) -> None:
        self._most, self._most_of_one, self._most_bytes = connections, per_address, upload_bytes
        self.connections: set[Held] = set()
        self._counted: dict[str | None, set[Held]] = {}
        self._bytes = 0
        self._most_spooled, self._spooled = spool_bytes, 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Held) -> None:
        """A connection that was opened."""
        self.connections.add(connection)
        own = self._counted.setdefault(connection.address, set())
        own.add(connection)
        if connection.address is not None and len(own) > self._most_of_one:
            _end_oldest(own)
        elif sum(map(len, self._counted.values())) > self._most:
            _end_oldest(max(self._counted.values(), key=len))

    def count_out(self, connection: Held) -> None:
        """It is about to close and takes nobody's place any more."""
        if (own := self._counted.get(connection.address)) is not None:
            own.discard(connection)
            if not own:
                del self._counted[connection.address]

    def remove(self, connection: Held) -> None:
        """A connection that is closed."""
        self.count_out(connection)
        self.connections.discard(connection)

    def hold(self, count: int) -> None:
        """So many bytes of an upload more."""
        self._bytes += count

    def make_room(self) -> None:
        """Where there are too many bytes, the oldest uploads that are still coming have to go."""
        while self._bytes > self._most_bytes:
            coming = [c for c in self.connections if c.uploaded_bytes]
            if not coming:
                return
            min(coming, key=lambda c: c.since).end(Busy("the uploads under way fill the memory meant for them"))

    def release(self, count: int) -> None:
        """So many bytes less."""
        self._bytes -= count

    @contextmanager
    def spooling(self, count: int) -> Iterator[None]:
        """A body of at most so many bytes lies on the disk. Raises Busy where that would be too many together: who
        comes has to wait then, since what lies there already took long to send."""
        if self._spooled + count > self._most_spooled:
            raise Busy("the batches under way fill the disk space meant for them; try again once one is taken on")
        self._spooled += count
        try:
            yield
        finally:
            self._spooled -= count

    def sweep(self) -> None:
        """End what is past its time, now and from now on."""
        self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self.sweep)
        now = time.monotonic()
        for connection in [c for c in self.connections if c.expires_at <= now]:
            connection.expire()

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()


def _end_oldest(connections: set[Held]) -> None:
    """Of those that wait for their client; first of those that have had their answer."""
    candidates = [c for c in connections if c.waits_for_client]
    if candidates:
        oldest = min(candidates, key=lambda c: (not c.answered, c.since))
        oldest.end(Busy("too many connections are open, and this one has waited longest for its request"))
