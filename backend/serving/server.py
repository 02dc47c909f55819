"""The embedded server: it listens, and it stops in good order."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time

from backend.app import Application
from backend.config import Config
from backend.errors import Draining
from backend.serving.addresses import listening_sockets
from backend.serving.admission import Lane
from backend.serving.canned import Canned
from backend.serving.census import Census
from backend.serving.connection import Connection
from backend.serving.front import Front

FINISH_WITHIN_S = 8.0  # after the port is closed; with a second of draining the whole stop stays below ten
FLUSH_S = 0.2
POLL_S = 0.02
# How long a thread that computes keeps the interpreter from the one that receives: each of its calls may wait so long.
SWITCH_S = 0.0005
PROBES_WAITING = 32
BATCHES_SPOOLED = 2  # of the largest that may be sent, on the disk at a time
FILES_BESIDE = 256  # of a process: models, logs, pipes


class Server:
    """Listens from the moment it is made. `stop` may be called from a signal handler.

    Raises OSError where it cannot listen on the address.
    """

    def __init__(self, app: Application, config: Config) -> None:
        self._readiness = app.services.readiness
        self._config = config
        _allow_files(config.connections + FILES_BESIDE)
        self._sockets = listening_sockets(config.host, config.port)
        self.port = int(self._sockets[0].getsockname()[1])
        census = Census(
            config.connections, config.connections_per_address, config.upload_memory_bytes,
            BATCHES_SPOOLED * config.batch_body_bytes,
        )  # fmt: skip
        work = Lane(app, config.threads, config.queue_length, config.requests_per_address)
        probes = Lane(app, 1, PROBES_WAITING, PROBES_WAITING)
        self._front = Front(app, config, census, work, probes, Canned(app))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    def run(self) -> None:
        """Answer until `stop`, then finish what was begun and return."""
        sys.setswitchinterval(SWITCH_S)
        asyncio.run(self._serve())

    def stop(self) -> None:
        """Begin to drain: /readyz says 503, new work is refused, work under way is finished."""
        if self._readiness.draining_since is None:
            self._readiness.draining_since = time.monotonic()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        front = self._front
        listeners = [await self._loop.create_server(lambda: Connection(front), sock=sock) for sock in self._sockets]
        front.census.sweep()
        if self._readiness.draining_since is None:
            await self._stopping.wait()
        closes_at = (self._readiness.draining_since or 0.0) + self._config.drain_s
        await asyncio.sleep(closes_at - time.monotonic())
        for listener in listeners:
            listener.close()
        await self._finish(closes_at + FINISH_WITHIN_S)

    async def _finish(self, deadline: float) -> None:
        """Wait for what is under way; tell the rest that it was not."""
        census = self._front.census
        while time.monotonic() < deadline and any(c.busy for c in census.connections):
            await asyncio.sleep(POLL_S)
        for connection in list(census.connections):
            connection.end(Draining("the server was shut down before the request was answered; send it again"))
        await asyncio.sleep(FLUSH_S if census.connections else 0)
        census.stop()
        self._front.work.stop()
        self._front.probes.stop()


def _allow_files(count: int) -> None:
    """Raise the limit of open files where it would end the connections before ours does; macOS begins at 256."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
