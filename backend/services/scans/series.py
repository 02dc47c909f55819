"""Answers to series: evenly spread slices go through the one pipeline, in the background; the gravest counts."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import IO

from cachetools import TTLCache

from backend.config import Config
from backend.endpoint import MAX_UPLOAD_BYTES
from backend.errors import Busy
from backend.schemas.scans.answers import ScanAnswer, ScanFailure, ScanQuery
from backend.schemas.scans.series import SeriesAnswer, SeriesQuery, SliceAnswer, SliceFinding
from backend.services.batches.archive import ZipLimits
from backend.services.diagnosis import KEPT_S, ImageDiagnosis, Left
from backend.services.rendering.messages import DISCLAIMER, SERIES_NOTE
from backend.services.scans.answering import Asking, ScanDiagnosis
from backend.services.scans.slices import Series, Slice, read_series
from backend.telemetry import DEADLINE_S, RequestContext
from ml_model.tasks.triage_scale import LEVELS

_AT_ONCE = 2  # slices, of all series together
_MOST_UNFINISHED, _MOST_KEPT = 4, 64  # series
_UNPACKED_BYTES = 256_000_000  # without an account
_STOPPED = ScanFailure(status=503, code="draining", error="the server is shutting down; send the series again")


@dataclass
class _Course:
    """How far a series is. Guarded by the lock of who holds it."""

    series: Series
    query: SeriesQuery
    context: RequestContext
    found: dict[int, SliceAnswer] = field(default_factory=dict)  # by position
    tumours: set[bool | None] = field(default_factory=set)
    gravest: tuple[int, ScanAnswer] | None = None
    elapsed_ms: float = 0.0

    @property
    def unfinished(self) -> bool:
        return len(self.found) < len(self.series.chosen)

    def note(self, one: Slice, told: ScanAnswer | ScanFailure) -> None:
        """What came of a slice; of equally grave ones the first counts."""
        self.elapsed_ms = self.context.elapsed_ms()
        self.found[one.position] = _slice(one, told)
        if isinstance(told, ScanFailure):
            self.tumours.add(None)
            return
        self.tumours.add(told.tumor_detected)
        if self.gravest is None or _rank(one.position, told) > _rank(*self.gravest):
            self.gravest = one.position, told


class SeriesDiagnosis:
    """Takes series on, a few at a time, and tells how far they are for an hour."""

    def __init__(
        self, scans: ScanDiagnosis, images: ImageDiagnosis, limits: ZipLimits, stopping: Callable[[], bool],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._scans, self._images, self._limits, self._stopping = scans, images, limits, stopping
        self._courses = TTLCache[str, Left[_Course]](_MOST_KEPT, KEPT_S, timer=timer)
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="series")
        self._changing = threading.Lock()
        self._reading = threading.BoundedSemaphore(_AT_ONCE)

    def begin(self, file: IO[bytes], query: SeriesQuery, context: RequestContext) -> SeriesAnswer:
        """Put the slices into order and begin to answer the chosen ones. Raises Busy, and what `read_series` does."""
        limits = self._limits
        if context.owner is None:
            limits = replace(limits, total_bytes=min(limits.total_bytes, _UNPACKED_BYTES))
        if not self._reading.acquire(blocking=False):
            raise Busy("several series are being read now; try again in a moment")
        try:
            self._require_room()
            series = read_series(file, query.slices, limits, self._images, context)
        finally:
            self._reading.release()
        empty = tuple(replace(one, data=b"") for one in series.chosen)
        course = _Course(replace(series, chosen=empty), query, context)
        with self._changing:
            self._courses[context.answer_id] = Left(course, context.owner)
        for one in series.chosen:
            self._threads.submit(self._answer, course, one)
        return self._told(course, context)

    def look(self, series_id: str, context: RequestContext) -> Left[SeriesAnswer] | None:
        """How far a series is; None when it is unknown or has been dropped."""
        with self._changing:
            left = self._courses.get(series_id)
        return Left(self._told(left.content, context), left.owner) if left else None

    def _require_room(self) -> None:
        with self._changing:
            unfinished = sum(left.content.unfinished for left in self._courses.values())
        if unfinished >= _MOST_UNFINISHED:
            raise Busy(f"{unfinished} series are being answered now; try again in a moment")

    def _answer(self, course: _Course, one: Slice) -> None:
        found: ScanAnswer | ScanFailure = _STOPPED
        if not self._stopping():
            context = replace(
                course.context, answer_id=str(uuid.uuid4()), deadline=time.monotonic() + DEADLINE_S,
                started=time.perf_counter(),
            )  # fmt: skip
            told = course.query.asked().model_dump(exclude_unset=True) | {"frame": one.frame}
            query = ScanQuery.model_validate({**told, "scan_type": course.query.modality})
            found = self._scans.attempt((("", one.data),), Asking(query, context))
        with self._changing:
            course.note(one, found)

    def _told(self, course: _Course, context: RequestContext) -> SeriesAnswer:
        with self._changing:
            found, gravest, ended = dict(sorted(course.found.items())), course.gravest, not course.unfinished
            tumours = set(course.tumours)
        series, address = course.series, course.context.answer_id
        return SeriesAnswer(
            success=True, series_id=uuid.UUID(address), status="done" if ended else "working",
            status_url=f"/api/analyze/series/{address}", done=len(found), of=len(series.chosen),
            slices_in_series=series.count, other_files=series.other_files, slices=tuple(found.values()),
            triage_level=gravest[1].triage.level if gravest else None,
            tumor_detected=_tumour(tumours, whole=len(found) == series.count),
            gravest=gravest[0] if gravest else None, **({"answer": gravest[1]} if ended and gravest else {}),
            measured=False, note=SERIES_NOTE, request_id=context.request_id,
            processing_ms=course.elapsed_ms if ended else course.context.elapsed_ms(), disclaimer=DISCLAIMER,
        )  # fmt: skip


def _rank(position: int, answer: ScanAnswer) -> tuple[int, float, int]:
    """By triage, then by the most probable finding, then the first."""
    probable = max((one.probability for one in answer.findings), default=0.0)
    return LEVELS.index(answer.triage.level), probable, -position


def _tumour(told: set[bool | None], *, whole: bool) -> bool | None:
    """As `SeriesAnswer.tumor_detected` says. whole: whether every slice of the series was looked at."""
    return True if True in told else False if told == {False} and whole else None


def _slice(one: Slice, found: ScanAnswer | ScanFailure) -> SliceAnswer:
    place = {
        "position": one.position, "frame": one.frame, "instance_number": one.facts.number,
        "place_mm": one.facts.place_mm if one.frame is None else None,
    }  # fmt: skip
    if isinstance(found, ScanFailure):
        return SliceAnswer.model_validate({**place, "failure": found})
    findings = tuple(SliceFinding(code=f.code, state=f.state, probability=f.probability) for f in found.findings)
    return SliceAnswer.model_validate(
        {
            **place, "headline": found.headline, "triage_level": found.triage.level,
            "class_code": found.prediction.code, "confidence": found.prediction.confidence, "findings": findings,
        }
    )  # fmt: skip


def limits_of(config: Config) -> ZipLimits:
    """Of a zip with a series: those of a batch."""
    return ZipLimits(config.batch_files, MAX_UPLOAD_BYTES, config.batch_bytes)
