"""Which requests are taken on: a lane has a few threads and a bounded queue before them, and a deadline for each.

All of it is called from the event loop's thread; only the application itself runs in the lane's threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from backend.errors import Busy
from backend.serving.wsgi_call import Answer, Environ, Stream, WsgiApplication, call
from ml_model.errors import DeadlineExceeded

REMEMBERED = 15  # requests, by whose median time the wait is told: a slow one among them changes little
Outcome = Answer | Exception


@dataclass(eq=False)
class Job:
    """One whole request. `deliver` is called once, with the answer, perhaps only `begun`, or with why there is none,
    unless it was left; `finished` once the thread is done with it, however late. `deadline` is time.monotonic in
    seconds."""

    environ: Environ
    address: str
    deadline: float
    deliver: Callable[[Outcome], None]
    finished: Callable[[], None]
    timer: asyncio.TimerHandle | None = field(default=None, init=False)
    delivered: bool = field(default=False, init=False)
    begun: Answer | None = field(default=None, init=False)

    def begin(self, answer: Answer) -> None:
        """It is delivered while its rest is made."""
        if self.delivered:
            _close(answer)
        else:
            self.begun, self.delivered = answer, True
            self.deliver(answer)

    def settle(self, outcome: Outcome) -> None:
        """The first outcome counts; an answer that has begun is broken off where it cannot be ended."""
        if self.timer is not None:
            self.timer.cancel()
        if not self.delivered:
            self.delivered = True
            self.deliver(outcome)
        elif isinstance(outcome, Answer):
            if outcome is not self.begun:
                _close(outcome)
        elif self.begun is not None and isinstance(self.begun.rest, Stream):
            self.begun.rest.break_off()


def _close(answer: Answer) -> None:
    if answer.rest is not None:
        answer.rest.close()


class Lane:
    """`threads` requests are answered at once, `places` wait, of each address at most `per_address` are unfinished."""

    def __init__(self, app: WsgiApplication, threads: int, places: int, per_address: int) -> None:
        self._app = app
        self._threads, self._places, self._per_address = threads, places, per_address
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._waiting: deque[Job] = deque()
        self._running: set[Job] = set()
        self._unfinished: Counter[str] = Counter()
        self._lately_s = deque([0.0], maxlen=REMEMBERED)

    def refusal(self, address: str, budget_s: float) -> Busy | None:
        """Why a request that may take `budget_s` from now on is not taken, None where it is."""
        if self._unfinished[address] >= self._per_address:
            return Busy(
                f"{self._per_address} requests of your address are not answered yet, the most there may be at a time; "
                f"wait for one of them"
            )
        if len(self._running) < self._threads:
            return None
        wait_s = statistics.median(self._lately_s) * (len(self._waiting) + 1) / self._threads
        if len(self._waiting) >= self._places or wait_s > budget_s:
            return Busy("the service has as much work as it can do in time; try again in a moment")
        return None

    def enter(self, job: Job) -> None:
        """Have a job answered that `refusal` does not refuse."""
        self._unfinished[job.address] += 1
        job.timer = asyncio.get_running_loop().call_at(job.deadline, self._expire, job)
        self._waiting.append(job)
        self._begin_next()

    def leave(self, job: Job) -> None:
        """Nobody waits for the answer any more."""
        job.delivered = True
        if job.timer is not None:
            job.timer.cancel()
        self._take_out(job)

    def stop(self) -> None:
        """Begin nothing more; what runs is not waited for."""
        for job in list(self._waiting):
            self._take_out(job)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin_next(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting and len(self._running) < self._threads:
            job = self._waiting.popleft()
            self._running.add(job)
            self._pool.submit(self._run, job, loop)

    def _run(self, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread of the pool."""
        began = time.monotonic()
        try:
            outcome: Outcome = call(self._app, job.environ, lambda one: loop.call_soon_threadsafe(job.begin, one))
        except Exception as error:  # the application answers its own; whatever is left must not keep the client waiting
            outcome = error
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(self._done, job, outcome, time.monotonic() - began)

    def _done(self, job: Job, outcome: Outcome, seconds: float) -> None:
        self._lately_s.append(seconds)
        self._running.discard(job)
        self._begin_next()
        self._finish(job)
        job.settle(outcome)

    def _expire(self, job: Job) -> None:
        self._take_out(job)
        job.settle(DeadlineExceeded("the request was not answered in the time that one may take; try again later"))

    def _take_out(self, job: Job) -> None:
        if job in self._waiting:
            self._waiting.remove(job)
            self._finish(job)

    def _finish(self, job: Job) -> None:
        self._unfinished[job.address] -= 1
        if not self._unfinished[job.address]:
            del self._unfinished[job.address]
        job.finished()
