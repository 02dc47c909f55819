"""Answers to files of any kind: the task of each is found, and the one pipeline asked."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from backend.errors import INTERNAL, status_of, where
from backend.schemas.accounts import Account
from backend.schemas.images import AnalyzeAnswer, AnalyzeQuery
from backend.schemas.requests import modality_words
from backend.schemas.scans.answers import (
    MOST_SCANS,
    RegionAnswer,
    ScanAnswer,
    ScanFailure,
    ScanQuery,
    ScanResult,
    ScansAnswer,
)
from backend.services.batches.archive import ZIP_STARTS
from backend.services.diagnosis import ImageDiagnosis
from backend.services.loading.models import ModelStore
from backend.services.records.store import RecordStore
from backend.services.rendering.heatmaps import strong_regions
from backend.services.rendering.messages import DISCLAIMER
from backend.services.scans.cache import ResultCache, key_of, models_of
from backend.telemetry import Logger, RequestContext
from ml_model.diagnosis.case import Case
from ml_model.diagnosis.routing import Files, Route, sent_together
from ml_model.ecg.recording import is_recording
from ml_model.errors import InvalidValue, MediDiagnoseError, UnsupportedFormat
from ml_model.inputs.dicom.presentation import Presentation
from ml_model.inputs.file_type import input_sha256
from ml_model.inputs.json_body import shown
from ml_model.tasks.registry import ImageTask
from ml_model.tasks.triage_scale import LEVELS

_AT_ONCE = 4  # files, of all requests together
_INTERNAL_CODE = "internal_error"


@dataclass(frozen=True)
class Asking:
    """Who asks, and how. keeper: the account that keeps the answers, if one does."""

    query: ScanQuery
    context: RequestContext
    keeper: Account | None = None


class ScanDiagnosis:
    """Finds the task, and remembers answers of the last files that were not kept."""

    def __init__(
        self, models: ModelStore, images: ImageDiagnosis, records: RecordStore, logger: Logger, cache_bytes: int
    ) -> None:
        self._models, self._images, self._records, self._logger = models, images, records, logger
        self._cache = ResultCache(cache_bytes, images)
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="scans")

    def answer(self, files: Sequence[tuple[str, bytes]], asking: Asking) -> ScanAnswer | ScansAnswer:
        """Of one case its answer, of several one each, several at a time; an error of one is not that of the others.

        Raises, of a single case, WrongModality for what no task reads, InvalidValue for a scan_type that there is not,
        and the errors of `ImageDiagnosis.analyze`.
        """
        cases = sent_together(files)
        if len(cases) == 1:
            return self.one(cases[0], asking)
        numbers = {id(one): number for number, one in enumerate(files, 1)}
        places = (tuple(numbers[id(one)] for one in case) for case in cases)
        waiting = [self._threads.submit(self.attempt, case, _apart(asking)) for case in cases]
        told = tuple(_result(place, one.result()) for place, one in zip(places, waiting, strict=True))
        answers = [one.answer for one in told if one.answer]
        return ScansAnswer(
            success=True, results=told, count=len(told), answered=len(answers), failed=len(told) - len(answers),
            triage_level=max((a.triage.level for a in answers), key=LEVELS.index, default=None),
            request_id=asking.context.request_id, processing_ms=asking.context.elapsed_ms(), disclaimer=DISCLAIMER,
        )  # fmt: skip

    def attempt(self, files: Files, asking: Asking) -> ScanAnswer | ScanFailure:
        """The same, or why there is none."""
        try:
            return self.one(files, asking)
        except Exception as error:  # the other files are answered all the same
            if isinstance(error, MediDiagnoseError) and (status := status_of(error)) != 500:
                return ScanFailure(status=status, code=error.code, error=str(error))
            self._logger.error("unexpected_error", **where(error), request_id=asking.context.request_id)
            return ScanFailure(status=500, code=_INTERNAL_CODE, error=INTERNAL)

    def one(self, files: Files, asking: Asking) -> ScanAnswer:
        """The answer to the files of one case."""
        query, context = asking.query, asking.context
        asked = query.asked()
        sent = input_sha256(data for _, data in files)
        key = key_of(sent, asked, query.modality, models_of(self._models), context.owner)
        if asking.keeper is None and (known := self._cache.find(key, context)):
            return known
        route = self.route(files, query.modality, context)
        case = case_of(files, route, asked)
        if route.told_by == "request":
            asked = asked.model_copy(update={"modality": route.task.input.modality})
        if asking.keeper is None:
            answer = self._images.analyze(route.task, case, asked, context)
        else:
            kept = self._records.open().answers
            answer = kept.picture(asking.keeper, query, route.task, case, asked, self._images, context)
        told = self._told(answer, route, context)
        if asking.keeper is None:
            self._cache.keep(key, told)
        return told

    def route(self, files: Files, scan_type: str | None, context: RequestContext) -> Route:
        """The task that reads the files of one case: by the request, else found out; UnsupportedFormat of a zip."""
        if files[0][1].startswith(ZIP_STARTS):
            raise UnsupportedFormat(
                "this is a zip; send the slices of a series as one to POST /api/analyze/series, and "
                f"files of several cases beside each other, up to {MOST_SCANS}"
            )
        if scan_type is None:
            return self._images.route(files, context)
        task = task_named(scan_type, self._models.image_tasks)
        recording = task.signal is not None and (len(files) > 1 or is_recording(files[0][1]))
        if not recording and task.signal is not None:  # a DICOM waveform is known by its header
            recording = self._images.route(files, context).recording
        return Route(task, "request", recording)

    def kind_of(self, answer: AnalyzeAnswer, route: Route) -> str:
        """The kind of what was answered: breast ultrasounds may have been mammograms."""
        return "ecg_recording" if route.recording else self._task_of(answer).input.modality

    def _task_of(self, answer: AnalyzeAnswer) -> ImageTask:
        task = self._models.tasks[answer.model.task]
        assert isinstance(task, ImageTask)  # noqa: S101 - only these answer pictures  # nosec B101
        return task

    def _told(self, answer: AnalyzeAnswer, route: Route, context: RequestContext) -> ScanAnswer:
        about = {rule.code: rule.name for rule in self._task_of(answer).findings if rule.tumour}
        return ScanAnswer(
            **{name: getattr(answer, name) for name in answer.model_fields_set},
            scan_type=self.kind_of(answer, route), scan_type_told_by=route.told_by,
            tumor_detected=_tumour(answer, tuple(about)), tumor_findings=tuple(about.values()),
            regions=self._regions(answer, context),
            heatmap_url=answer.explanation.heatmap_url, cached=False,
        )  # fmt: skip

    def _regions(self, answer: AnalyzeAnswer, context: RequestContext) -> tuple[RegionAnswer, ...]:
        """Of an answer whose map went nowhere, the place of its peak alone."""
        left = self._images.heatmap(context.answer_id) if answer.explanation.heatmap_url else None
        boxes = [(answer.explanation.peak_region, 1.0)] if answer.explanation.peak_region else []
        if left and boxes:
            boxes = strong_regions(left.content)
        return tuple(RegionAnswer(x=x, y=y, w=w, h=h, score=score) for (x, y, w, h), score in boxes)


def _result(places: tuple[int, ...], found: ScanAnswer | ScanFailure) -> ScanResult:
    if isinstance(found, ScanAnswer):
        return ScanResult(positions=places, answer=found)
    return ScanResult(positions=places, failure=found)


def _apart(asking: Asking) -> Asking:
    """The same with an address of its own for what its answer leaves."""
    return replace(asking, context=replace(asking.context, answer_id=str(uuid.uuid4())))


def _tumour(answer: AnalyzeAnswer, about: tuple[str, ...]) -> bool | None:
    """As `ScanAnswer.tumor_detected` says. Nothing is called absent while anything is not settled."""
    states = {one.state for one in answer.findings if one.code in about}
    if not states or answer.demo_mode or answer.prediction.abstain:
        return None
    if "suspected" in states:
        return True
    return False if states == {"ruled_out"} and answer.prediction.settled else None


def words_for(tasks: Sequence[ImageTask]) -> tuple[str, ...]:
    """All that `task_named` takes, but for other ways to write it."""
    words = [word for task in tasks for word in (task.id, *modality_words(task))]
    of_one = [word for word in words if len({t.id for t in tasks if word in (t.id, *modality_words(t))}) == 1]
    return tuple(dict.fromkeys(of_one))


def task_named(word: str, tasks: Sequence[ImageTask]) -> ImageTask:
    """The task that a client calls by its id, by its kind of picture or by a word of that. Raises InvalidValue."""
    plain = _plain(word)
    exact = [t for t in tasks if plain in (_plain(t.id), _plain(t.input.modality))]
    found = exact or [t for t in tasks if plain in map(_plain, modality_words(t))]
    if len(found) == 1:
        return found[0]
    read = " or ".join(t.id for t in found) if found else ", ".join(t.id for t in tasks)
    raise InvalidValue(f"scan_type: received {shown(word)}; expected {read}")


def _plain(word: str) -> str:
    return "".join(letter for letter in word.lower() if letter.isalnum())


def case_of(files: Files, route: Route, query: AnalyzeQuery) -> Case:
    """The files as a case of the task."""
    return Case(
        pictures=() if route.recording else tuple(data for _, data in files),
        recording=files if route.recording else (),
        age_years=query.age_years, sex=query.sex, view=query.view, pixel_size_um=query.pixel_size_um,
        sampling_rate_hz=query.sampling_rate_hz, gate=query.gate,
        presentation=Presentation(query.frame, query.window),
    )  # fmt: skip
