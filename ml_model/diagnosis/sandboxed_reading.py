"""How the service has files read: small ordinary pictures at once, everything else in processes under limits."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import TypeVar

from ml_model.diagnosis import reading
from ml_model.diagnosis.reading import KindOfFile, PictureFiles
from ml_model.inputs.images.plain import is_plain
from ml_model.sandbox.pool import WorkerPool
from ml_model.sandbox.worker import Question

T = TypeVar("T")


@dataclass(frozen=True)
class SandboxedReader:
    """A `Reader` for one request. deadline: in time.monotonic()."""

    pool: WorkerPool
    deadline: float

    def __call__(self, question: Question[T], /) -> T:
        """Raises the errors of the question and those of `WorkerPool.ask`."""
        return question.read() if _is_cheap(question) else self.pool.ask(question, self.deadline)


def _is_cheap(question: Question[T]) -> bool:
    """Whether it costs less than sending it elsewhere, whatever is in it."""
    if isinstance(question, PictureFiles):
        return not question.page and len(question.files) == 1 and is_plain(question.files[0])
    return isinstance(question, KindOfFile) and is_plain(question.data)


def reading_pool() -> WorkerPool:
    """That of this process: all its applications share the memory, too. It starts at the first question."""
    return _pool_of(os.getpid())


@functools.cache
def _pool_of(_process: int) -> WorkerPool:
    return WorkerPool(reading.__name__)
