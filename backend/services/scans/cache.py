"""The last answers, in memory: the same file asked about in the same way, by the same account, is answered at once."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping

from cachetools import TTLCache

from backend.schemas.images import AnalyzeQuery
from backend.schemas.scans.answers import ScanAnswer
from backend.services.diagnosis import KEPT_S, ImageDiagnosis
from backend.services.loading.models import ModelStore
from backend.telemetry import RequestContext

_HELD_BYTES_A_CHARACTER = 6  # of an answer's JSON: what its objects take in memory


class ResultCache:
    """Bounded by bytes, the longest unused dropped first, and by time: no longer than an answer's heatmap is there.
    Safe to use from several threads."""

    def __init__(self, most_bytes: int, images: ImageDiagnosis, timer: Callable[[], float] = time.monotonic) -> None:
        self._images = images
        self._most_bytes = most_bytes
        self._held = TTLCache[str, ScanAnswer](max(1, most_bytes), KEPT_S, timer=timer, getsizeof=_held_bytes)
        self._using = threading.Lock()

    def find(self, key: str, context: RequestContext) -> ScanAnswer | None:
        """An answer as this request gets it; None where there is none, or its heatmap is gone."""
        with self._using:
            found = self._held.get(key)
            if found is not None and found.heatmap_url and self._images.heatmap(answer_of(found.heatmap_url)) is None:
                del self._held[key]
                return None
        if found is None:
            return None
        told = {"cached": True, "request_id": context.request_id, "processing_ms": context.elapsed_ms()}
        return found.model_copy(update=told)

    def keep(self, key: str, answer: ScanAnswer) -> None:
        """Hold one; an example of demo mode and what is too large are not held."""
        if self._most_bytes and not answer.demo_mode and _held_bytes(answer) <= self._most_bytes:
            with self._using:
                self._held[key] = answer


def key_of(
    files: tuple[str, ...], asked: AnalyzeQuery, scan_type: str | None, models: Mapping[str, str | None],
    owner: str | None,
) -> str:  # fmt: skip
    """files: SHA-256 of each; models: SHA-256 of each by its task. owner: the account, of which no other gets it."""
    told = [files, asked.model_dump(mode="json"), scan_type, sorted(models.items()), owner]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def models_of(store: ModelStore) -> dict[str, str | None]:
    """SHA-256 of the models that answer pictures and recordings as they stand now, by task."""
    now = {task.id: store.current(task.id) for task in store.image_tasks}
    now |= {f"{task.id}-signal": store.current_signal(task.id) for task in store.image_tasks}
    return {name: loaded.bundle.sha256 if loaded else None for name, loaded in now.items()}


def answer_of(heatmap_url: str) -> str:
    """Id of the answer that left the heatmap."""
    return heatmap_url.rpartition("/")[2].removesuffix(".png")


def _held_bytes(answer: ScanAnswer) -> int:
    return _HELD_BYTES_A_CHARACTER * len(answer.model_dump_json(exclude_unset=True))
