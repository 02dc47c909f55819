"""What the sandbox is asked in tests: an entry of its processes whose questions misbehave on purpose."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_model import errors
from ml_model.sandbox.worker import Announce, Cost


@dataclass(frozen=True)
class Values:
    """Every kind of value that a message holds."""

    number: float
    text: str | None
    data: tuple[bytes, ...]
    named: dict[str, int]
    samples: NDArray[np.float32]


@dataclass(frozen=True)
class Echo:
    """Sent there and back; process: of whoever answered."""

    values: Values

    def read(self, _announce: Announce | None = None, /) -> Values:
        """The same."""
        return self.values


@dataclass(frozen=True)
class WhoAnswers:
    """Asks for a process, which keeps some memory."""

    kept_bytes: int = 0

    def read(self, _announce: Announce | None = None, /) -> int:
        """Its number."""
        _KEPT.append(b"x" * self.kept_bytes)
        return os.getpid()


_KEPT: list[bytes] = []


@dataclass(frozen=True)
class Compute:
    """Computes for so long, after it announced that it would."""

    seconds: float
    announced_s: float = 0.0

    def read(self, announce: Announce | None = None, /) -> float:
        """Processor seconds that it took."""
        announce(Cost(0, self.announced_s))
        began = time.process_time()
        while time.process_time() - began < self.seconds:
            pass
        return time.process_time() - began


@dataclass(frozen=True)
class Fill:
    """Takes so much memory, after it announced that it would."""

    memory_bytes: int
    announced_bytes: int = 0
    seconds: float = 0.0

    def read(self, announce: Announce | None = None, /) -> int:
        """The bytes taken."""
        announce(Cost(self.announced_bytes, 5.0))
        filled = np.ones(self.memory_bytes, np.uint8)
        time.sleep(self.seconds)
        return int(filled.size)


@dataclass(frozen=True)
class Wait:
    """Does nothing for so long."""

    seconds: float

    def read(self, _announce: Announce | None = None, /) -> None:
        """Nothing."""
        time.sleep(self.seconds)


@dataclass(frozen=True)
class Break:
    """Ends the process by a signal, as a faulty decoder does."""

    signal_name: str

    def read(self, _announce: Announce | None = None, /) -> None:
        """Nothing."""
        os.kill(os.getpid(), signal.Signals[self.signal_name])


@dataclass(frozen=True)
class Fail:
    """Raises an error of ml_model.errors, or ZeroDivisionError where there is none of that name."""

    error: str
    message: str

    def read(self, _announce: Announce | None = None, /) -> None:
        """Nothing."""
        raise getattr(errors, self.error, ZeroDivisionError)(self.message)


@dataclass(frozen=True)
class Setting:
    """Asks for a variable of the environment."""

    name: str

    def read(self, _announce: Announce | None = None, /) -> str:
        """Its value; empty where it is not there."""
        return os.environ.get(self.name, "")


QUESTIONS = (Echo, Setting, WhoAnswers, Compute, Fill, Wait, Break, Fail)


def prepare() -> None:
    """All is imported."""
