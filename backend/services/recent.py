"""What belongs to the last answers, in memory only: what is of a patient is not written to disk."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

KEPT_ANSWERS = 256
T = TypeVar("T")


class RecentStore(Generic[T]):
    """Something for each of the last answers, by answer id."""

    def __init__(self, size: int = KEPT_ANSWERS) -> None:
        self._size = size
        self._kept: OrderedDict[str, T] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, answer_id: str, kept: T) -> None:
        """Keep one; the oldest goes when there are too many."""
        with self._lock:
            self._kept[answer_id] = kept
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def get(self, answer_id: str) -> T | None:
        """What an answer left, or None when it is unknown or has been dropped."""
        with self._lock:
            return self._kept.get(answer_id)
