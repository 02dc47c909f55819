"""The reading processes of a service: how many there are, who waits for one, what becomes of those that hit a limit.

A process that hit a limit, or that kept memory, is replaced off the request's way, so that it goes back to the system.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from ml_model import errors
from ml_model.errors import DeadlineExceeded, MediDiagnoseError, ReaderUnavailable, TooCostly, UnreadableInput
from ml_model.sandbox.messages import Damaged, packed, receive, send, unpacked
from ml_model.sandbox.processes import FORKS, Process, Template, spawned_process
from ml_model.sandbox.turns import Turns
from ml_model.sandbox.worker import Cost, Question, answer_type

T = TypeVar("T")
_MIB = 2**20
_CRASHES = frozenset({"SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE", "SIGTRAP"})
_START_AGAIN_AFTER_S = 5.0
_MOST_ANSWER_BYTES = 64 * _MIB


class WorkerFault(Exception):
    """A reading process failed by a fault of ours; frames: where."""

    def __init__(self, kind: str, frames: tuple[str, ...] = ()) -> None:
        super().__init__(kind)
        self.frames = frames


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class PoolLimits:
    """at_first: what each question may take; what it announces is added to the time, and granted of `memory_bytes`,
    which all that need more than `at_first` share. wall_s: for one question, whatever it computes."""

    processes: int = max(2, min(4, cores()))
    at_first: Cost = Cost(memory_bytes=192 * _MIB, cpu_s=1.0)  # noqa: RUF009 - frozen
    memory_bytes: int = 1024 * _MIB
    wall_s: float = 20.0
    most_waiting: int = 64


class WorkerPool:
    """Answers questions in processes of their own. Thread-safe. entry: see `worker.py`. Starts at the first question,
    or by `start`."""

    def __init__(self, entry: str, limits: PoolLimits | None = None) -> None:
        self._entry = entry
        self._limits = limits or PoolLimits()
        self._slots = Turns(self._limits.processes, self._limits.most_waiting)
        self._memory = Turns(self._limits.memory_bytes, self._limits.most_waiting)
        # One thread makes and ends processes: the template takes one order at a time.
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="reading")
        self._idle = deque[Future[Process]]()
        self._starting, self._started = threading.Lock(), False
        self._template: Template | None = None
        self._failed_at = -float("inf")
        self.problem: str | None = None  # why no process can be started; None where all is well

    def start(self) -> None:
        """Begin to start the processes, in the background."""
        with self._starting:
            if not self._started:
                self._idle.extend(self._maker.submit(self._made) for _ in range(self._limits.processes))
            self._started = True

    def close(self) -> None:
        """End the processes. Nothing may be asked afterwards."""
        with self._starting:
            self._maker.submit(self._close).result()
            self._maker.shutdown()

    def ask(self, question: Question[T], deadline: float) -> T:
        """What `question.read` gives, read elsewhere. deadline: in time.monotonic().

        Raises the errors of the question, TooCostly naming the limit that it hit, Overloaded, DeadlineExceeded, and
        ReaderUnavailable where no process can be started.
        """
        if not self._started:
            self.start()
        first = self._limits.at_first
        reply, buffers = self._asked(question, first, deadline)
        if "needs" in reply:
            needed = int(reply["needs"][0])
            if needed > self._limits.memory_bytes:
                raise _too_costly("memory", f"{self._limits.memory_bytes // _MIB} MiB")
            with self._memory.taken(needed, deadline):
                reply, buffers = self._asked(question, Cost(needed, first.cpu_s), deadline)
        if "answer" in reply:
            try:
                answer: T = unpacked(answer_type(question), reply["answer"], buffers)
            except Damaged as error:
                raise WorkerFault("Damaged") from error
            return answer
        raise _told(reply)

    def _asked(self, question: Question[Any], granted: Cost, deadline: float) -> tuple[dict[str, Any], list[bytearray]]:
        buffers: list[Any] = []
        head = {"question": type(question).__name__, "value": packed(question, buffers)}
        head |= {"memory_bytes": granted.memory_bytes, "cpu_s": granted.cpu_s}
        with self._slots.taken(1, deadline):
            waiting = self._idle.popleft()
            try:
                process = waiting.result(max(0.0, deadline - time.monotonic()))
            except TimeoutError as error:
                self._idle.append(waiting)
                raise DeadlineExceeded("no process to read the file was there in time; try again later") from error
            except ReaderUnavailable:
                self._idle.append(self._maker.submit(self._made))
                raise
            try:
                reply, arrays = self._replied(process, head, buffers, deadline)
            except Exception:
                self._idle.append(self._maker.submit(self._made))
                raise
            if reply.get("again") is True:
                self._idle.appendleft(waiting)
            else:
                self._idle.append(self._maker.submit(self._made))
                self._maker.submit(_ended, process)
            return reply, arrays

    def _replied(
        self, process: Process, head: dict[str, Any], buffers: list[Any], deadline: float
    ) -> tuple[dict[str, Any], list[bytearray]]:
        """What the process says, in the time that it has; without an answer it is ended, and the reason raised."""
        ends_at = min(time.monotonic() + self._limits.wall_s, deadline)
        timer = threading.Timer(ends_at - time.monotonic(), process.abandon)
        timer.daemon = True
        timer.start()
        try:
            send(process.stream_out, head, buffers)
            return receive(process.stream_in, _MOST_ANSWER_BYTES)
        except (OSError, EOFError, Damaged) as error:
            late = time.monotonic() >= ends_at
            code = self._maker.submit(_ended, process).result()
            raise self._verdict(code, late, deadline) from error
        finally:
            timer.cancel()

    def _verdict(self, code: int, late: bool, deadline: float) -> Exception:
        """What became of a process that ended without an answer."""
        if late:
            if time.monotonic() >= deadline:
                return DeadlineExceeded("the file was not read in the time that one request has; send a smaller one")
            return _too_costly("time", f"{self._limits.wall_s:g} s")
        name = signal.Signals(-code).name if code < 0 else ""
        if name in ("SIGPROF", "SIGXCPU"):
            seconds = f"{self._limits.at_first.cpu_s:g} s, and more for each megapixel"
            return _too_costly("processor time", seconds)
        if name == "SIGKILL":  # not by us: the system had no more memory
            return _too_costly("memory", "what this server has")
        if name in _CRASHES or code == 0:  # it is not known how it ended
            return UnreadableInput("the file breaks its decoder: it is corrupt; export it again and resend it")
        return WorkerFault(name or f"exit {code}")

    def _made(self) -> Process:
        """In the maker's thread. Raises ReaderUnavailable."""
        if time.monotonic() < self._failed_at + _START_AGAIN_AFTER_S:
            raise ReaderUnavailable(str(self.problem))
        try:
            process = self._forked() if FORKS else spawned_process(self._entry)
        except OSError as error:
            self._failed_at = time.monotonic()
            self.problem = f"no process to read files in can be started ({error.strerror or error}); try again later"
            raise ReaderUnavailable(self.problem) from error
        self.problem = None
        return process

    def _forked(self) -> Process:
        if self._template is not None:
            try:
                return self._template.new_process()
            except OSError:  # it was ended from outside
                self._template.close()
        self._template = None
        self._template = Template(self._entry)
        return self._template.new_process()

    def _close(self) -> None:
        for waiting in self._idle:
            waiting.cancel()
            if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                _ended(waiting.result())
        if self._template is not None:
            self._template.close()


def _ended(process: Process) -> int:
    """Its exit code; 0 where that is not known."""
    try:
        return process.end()
    except (OSError, ValueError):
        return 0


def _too_costly(limit: str, allowed: str) -> TooCostly:
    return TooCostly(
        f"reading the file takes more {limit} than a file may (at most {allowed}); export it in a plainer way, or "
        "send a smaller one"
    )


def _told(reply: dict[str, Any]) -> Exception:
    """What a reading process says went wrong, of the same class and text as it was there."""
    if reply.get("limit") == "memory":
        return _too_costly("memory", "about a dozen bytes a pixel")
    kind = getattr(errors, str(reply.get("error")), None)
    if isinstance(kind, type) and issubclass(kind, MediDiagnoseError):
        return kind(str(reply["message"]))
    return WorkerFault(str(reply.get("fault")), tuple(map(str, reply.get("frames", ()))))
