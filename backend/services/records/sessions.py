"""What each browser session was answered, in memory only and without anything of the file."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict, deque
from datetime import UTC, datetime

from backend.schemas.images import HistoryEntry

HISTORY_ID = "history"  # the cookie's one entry
MOST_SESSIONS = 1000
MOST_ENTRIES = 100


class SessionHistory:
    """The last answers of the last sessions, newest first. Safe to use from several threads."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, deque[HistoryEntry]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, session_id: str | None, entry: HistoryEntry) -> str:
        """Note an answer; returns the session's id, a new one where none is given.

        session_id: of our making, as the signed cookie brought it back; one that a client chose must never come here.
        """
        known = session_id or uuid.uuid4().hex
        with self._lock:
            self._sessions.setdefault(known, deque(maxlen=MOST_ENTRIES)).appendleft(entry)
            self._sessions.move_to_end(known)
            while len(self._sessions) > MOST_SESSIONS:
                self._sessions.popitem(last=False)
        return known

    def of(self, session_id: str | None) -> tuple[HistoryEntry, ...]:
        """A session's answers, newest first; none for an unknown session."""
        with self._lock:
            return tuple(self._sessions.get(session_id or "", ()))


def now() -> str:
    """UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
