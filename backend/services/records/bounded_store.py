"""What belongs to the last answers, in memory only: what is of a patient is not written to disk."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

KEPT_ANSWERS = 256
KEPT_BYTES = 64 * 2**20  # of each store; an overlay of a recording has 1.2 MB
T = TypeVar("T")


class RecentStore(Generic[T]):
    """Something for each of the last answers, by answer id: at most `size` of them and `most_bytes` by `bytes_of`."""

    def __init__(self, bytes_of: Callable[[T], int], size: int = KEPT_ANSWERS, most_bytes: int = KEPT_BYTES) -> None:
        self._bytes_of = bytes_of
        self._size = size
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, tuple[T, int]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, answer_id: str, kept: T) -> None:
        """Keep one under a new id; the oldest go when there are too many, or too much of them."""
        size_bytes = self._bytes_of(kept)
        with self._lock:
            self._kept[answer_id] = kept, size_bytes
            self._bytes += size_bytes
            while len(self._kept) > self._size or self._bytes > self._most_bytes:
                _, (_, dropped_bytes) = self._kept.popitem(last=False)
                self._bytes -= dropped_bytes

    def get(self, answer_id: str) -> T | None:
        """What an answer left, or None when it is unknown or has been dropped."""
        with self._lock:
            found = self._kept.get(answer_id)
        return found[0] if found else None


def held_bytes(array: NDArray[Any]) -> int:
    """What an array keeps in memory: of a view, all that it looks into."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.nbytes
