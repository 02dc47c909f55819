"""What a service needs to know about the request it answers."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class RequestContext:
    """`answer_id` is always made here and unguessable; `request_id` may be the client's. `started` is perf_counter."""

    request_id: str
    answer_id: str
    started: float

    def elapsed_ms(self) -> float:
        """Milliseconds since the request arrived."""
        return round((time.perf_counter() - self.started) * 1000, 2)
