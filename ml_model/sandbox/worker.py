"""A reading process: questions and answers, under limits that it sets itself before it looks at a file.

`python -m ml_model.sandbox.worker ENTRY` takes questions on standard input; where processes can be forked, the
template (`template.py`) does that and calls `serve`. ENTRY is a module with `QUESTIONS`, the types that it answers,
and `prepare`, which imports what reading needs.
"""

from __future__ import annotations

import contextlib
import importlib
import mmap
import os
import signal
import sys
import traceback
import typing
from collections.abc import Callable
from dataclasses import dataclass
from io import RawIOBase
from types import ModuleType
from typing import Any, Protocol, TypeVar

from ml_model.errors import MediDiagnoseError
from ml_model.sandbox.messages import packed, receive, send, unpacked

_MOST_QUESTIONS = 200  # to one process
_MOST_KEPT_BYTES = 20 * 2**20  # of what it had no need of at first
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Cost:
    """What reading a file may take."""

    memory_bytes: int
    cpu_s: float


Announce = Callable[[Cost], None]
"""Told by a question once it knows, before it does the work: raises MoreMemory where it may not take so much yet."""


class Question(Protocol[T_co]):
    """Something to be read; a frozen dataclass."""

    def read(self, announce: Announce | None = None, /) -> T_co:
        """The answer."""
        ...


class MoreMemory(MediDiagnoseError):
    """It needs more memory than was granted: it is asked again when there is so much. One of our errors, since decoders
    take every other for damage of the file."""

    def __init__(self, needed: Cost) -> None:
        super().__init__()
        self.needed = needed


def granting(granted: Cost) -> Announce:
    """Holds the process to `granted`, from what it has and used now; what is announced on top is added to the time."""
    _limit_memory(granted.memory_bytes)
    _limit_cpu(granted.cpu_s)

    def announce(cost: Cost) -> None:
        if cost.memory_bytes > granted.memory_bytes:
            raise MoreMemory(cost)
        _limit_cpu(granted.cpu_s + cost.cpu_s)

    return announce


def _memory_pages() -> tuple[int, int]:
    """Of the address space and in memory; none where the system does not say, which only Linux does."""
    try:
        with open("/proc/self/statm", encoding="ascii") as told:
            whole, resident, *_ = map(int, told.read().split())
    except OSError:
        return 0, 0
    return whole, resident


def _limit_memory(allowed_bytes: int) -> None:
    """Address space, on top of what the process has."""
    if whole := _memory_pages()[0]:
        import resource

        most = whole * resource.getpagesize() + allowed_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def _limit_cpu(seconds: float) -> None:
    """From now on, of all threads: then the system ends the process by SIGPROF. RLIMIT_CPU knows whole seconds only."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _no_core_file() -> None:
    """A picture of a patient is not written to disk."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def serve(stream_in: RawIOBase, stream_out: RawIOBase, entry: ModuleType) -> None:
    """Answer until whoever asks is gone, or another process should go on: a reply says "again" where it may be asked
    once more."""
    _no_core_file()
    most_pages = _memory_pages()[1] + _MOST_KEPT_BYTES // mmap.PAGESIZE
    for left in reversed(range(_MOST_QUESTIONS)):
        try:
            head, buffers = receive(stream_in)
        except EOFError:
            return
        reply, arrays = _answer(head, buffers, entry)
        again = left > 0 and _memory_pages()[1] < most_pages
        send(stream_out, {**reply, "again": again}, arrays)
        if not again:
            return


def _answer(head: dict[str, Any], buffers: list[bytearray], entry: ModuleType) -> tuple[dict[str, Any], list[Any]]:
    kind = {one.__name__: one for one in entry.QUESTIONS}[head["question"]]
    question: Question[Any] = unpacked(kind, head["value"], buffers)
    buffers.clear()
    found: list[Any] = []
    try:
        answer = question.read(granting(Cost(head["memory_bytes"], head["cpu_s"])))
        return {"answer": packed(answer, found)}, found
    except MoreMemory as more:
        return {"needs": [more.needed.memory_bytes, more.needed.cpu_s]}, []
    except MediDiagnoseError as error:
        return {"error": type(error).__name__, "message": str(error)}, []
    except MemoryError:
        return {"limit": "memory"}, []
    except Exception as error:  # a fault of ours: where, not what, for a message can quote the file
        frames = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)[-8:]]
        return {"fault": type(error).__name__, "frames": frames}, []


def answer_type(question: Question[Any]) -> Any:
    """What `question.read` gives."""
    return typing.get_type_hints(type(question).read)["return"]


def main() -> None:
    """Where no process can be forked: imports, then questions."""
    entry = importlib.import_module(sys.argv[1])
    with os.fdopen(os.dup(0), "rb", buffering=0) as stream_in, os.fdopen(os.dup(1), "wb", buffering=0) as stream_out:
        os.dup2(2, 1)  # what a library prints is no answer
        entry.prepare()
        send(stream_out, {"ready": True})
        serve(stream_in, stream_out, entry)


if __name__ == "__main__":
    main()
