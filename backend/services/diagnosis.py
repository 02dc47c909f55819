"""Pictures and recordings over HTTP: the request as a case, the one pipeline, and its result as an answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
from cachetools import TTLCache
from numpy.typing import NDArray

from backend.endpoint import MAX_UPLOAD_BYTES
from backend.schemas.common import ProvenanceAnswer
from backend.schemas.images import AnalyzeAnswer, AnalyzeQuery, ExplanationAnswer
from backend.schemas.requests import modality_words
from backend.services.loading.models import ModelStore
from backend.services.rendering.heatmaps import (
    Heatmap,
    explaining_view,
    explanation,
    heatmap_bytes,
    heatmap_of,
    held_bytes,
    unexplained,
)
from backend.services.rendering.responses import AnswerParts, analyze_answer, no_model
from backend.telemetry import Metrics, RequestContext
from ml_model.diagnosis.case import Case, CaseResult, KindTold
from ml_model.diagnosis.pipeline import Engines, diagnose
from ml_model.diagnosis.reading import PictureToShow, SandboxedReader
from ml_model.diagnosis.routing import Files, Route, find_reader, find_route
from ml_model.ecg.leads import EcgRecording
from ml_model.errors import InvalidValue, UnknownField
from ml_model.inputs.dicom.header import DicomFacts
from ml_model.inputs.dicom.instances import DicomInstance
from ml_model.inputs.dicom.presentation import Presentation
from ml_model.inputs.dicom.questions import InstancesOfFiles
from ml_model.inputs.dicom.slices import SliceFacts, SlicesOfFiles
from ml_model.inputs.file_type import input_sha256, sniff_format
from ml_model.inputs.images.decoder import ImageLimits
from ml_model.inputs.json_body import shown
from ml_model.sandbox.pool import WorkerPool
from ml_model.tasks.image_schema import ImageInput
from ml_model.tasks.registry import ImageTask

KEPT_BYTES = 64 * 2**20  # of heatmaps; that of a recording is its signal, 50 kB
KEPT_SIGNAL_BYTES = 16 * 2**20  # read off ECG pages, 50 kB each
KEPT_S = 3600.0
_START_WITHIN_S = 120.0
LIMITS = ImageLimits(max_bytes=MAX_UPLOAD_BYTES)
# A large JPEG may be decoded at a scale that still has twice these sides.
AS_IT_IS = ImageInput(modality="any", height_px=1024, width_px=1024, min_side_px=1)
T = TypeVar("T")


@dataclass(frozen=True)
class Left(Generic[T]):
    """What an answer left. owner: the account to which alone it is shown; None: to whoever has its address."""

    content: T
    owner: str | None


class ImageDiagnosis:
    """Answers for the tasks that take a picture. The heatmaps and the signals read off pages that belong to the last
    answers are kept in memory only, for an hour at most: what is of a patient is not written to disk."""

    def __init__(
        self, models: ModelStore, metrics: Metrics, demo_mode: bool, pool: WorkerPool,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._models = models
        self._pool = pool
        self._metrics = metrics
        self._demo_mode = demo_mode
        self._heatmaps = TTLCache[str, Left[Heatmap]](
            KEPT_BYTES, KEPT_S, timer=timer, getsizeof=lambda one: heatmap_bytes(one.content)
        )
        self._signals = TTLCache[str, Left[EcgRecording]](
            KEPT_SIGNAL_BYTES, KEPT_S, timer=timer, getsizeof=lambda one: held_bytes(one.content.signal_mv)
        )
        self._keeping = threading.Lock()

    def start_reading(self) -> None:
        """Start the processes in which files are read, behind the models, so that the first file need not wait."""

        def start() -> None:
            self._models.wait_ready(_START_WITHIN_S)
            self._pool.start()

        threading.Thread(target=start, name="reading", daemon=True).start()

    @property
    def reading_problem(self) -> str | None:
        """Why no file can be read but small ordinary pictures; None where all can."""
        return self._pool.problem

    def heatmap(self, answer_id: str) -> Left[Heatmap] | None:
        """What an answer left; None when it is unknown or has been dropped."""
        with self._keeping:
            return self._heatmaps.get(answer_id)

    def signal(self, answer_id: str) -> Left[EcgRecording] | None:
        """The same of the signal that was read off an ECG page."""
        with self._keeping:
            return self._signals.get(answer_id)

    def instances(self, case: Case, context: RequestContext) -> tuple[DicomInstance, ...]:
        """The objects of a study among the files of a case. Raises the errors of reading them."""
        sent = () if isinstance(case.recording, EcgRecording) else tuple(data for _, data in case.recording)
        files = tuple(data for data in (*case.pictures, *sent) if sniff_format(data) == "DICOM")
        return SandboxedReader(self._pool, context.deadline)(InstancesOfFiles(files)) if files else ()

    def route(self, files: Files, context: RequestContext, facts: DicomFacts | None = None) -> Route:
        """Which task reads the files of one case, as `find_route` tells. Raises its errors, and StillLoading."""
        reader = SandboxedReader(self._pool, context.deadline)
        engines = Engines(gate=self._models.gate, tasks=self._models.image_tasks, reader=reader)
        return find_route(files, engines, LIMITS, facts)

    def slices(self, files: tuple[bytes, ...], context: RequestContext) -> tuple[SliceFacts | None, ...]:
        """Where each lies in its series; None for what is no DICOM picture."""
        return SandboxedReader(self._pool, context.deadline)(SlicesOfFiles(files))

    def shown(self, data: bytes, longest_px: int, asked: Presentation, context: RequestContext) -> NDArray[np.uint8]:
        """A picture to be looked at, RGB (height, width, 3). Raises the errors of reading it."""
        picture = PictureToShow(data, AS_IT_IS, LIMITS.max_bytes, LIMITS.max_pixels, longest_px, asked)
        return SandboxedReader(self._pool, context.deadline)(picture)

    def analyze(self, task: ImageTask, case: Case, query: AnalyzeQuery, context: RequestContext) -> AnalyzeAnswer:
        """The answer to one case, by `task` or by another one that it also reads, told by request, header or looks.

        Raises the errors of `diagnose`, InvalidValue for a query that does not fit, UnknownField for too many pictures,
        ModelUnavailable, BundleInvalid, and those of a reading that costs too much or cannot begin.
        """
        reader = SandboxedReader(self._pool, context.deadline)
        task, told_by = self._reader(task, case, query, reader)
        self._check_query(task, query)
        if len(case.pictures) > task.input.max_pictures:
            most = task.input.max_pictures
            raise UnknownField(f"{len(case.pictures)} pictures were sent; {task.id} takes {most} at a time")
        models, recording = self._models.ready.get(task.id), bool(case.recording)
        if models is None or recording:
            models = self._models.image_models(task, recording=recording)
        if not (models.engines.pictures or models.engines.signals or self._demo_mode):
            raise no_model(f"{task.id} recordings" if recording else task.id)
        result = diagnose(task, case, replace(models.engines, reader=reader), LIMITS)
        self._metrics.answers.labels(task.id, result.predictor is None).inc()
        if result.ecg and result.ecg.page and result.ecg.recording:
            with self._keeping:
                self._signals[context.answer_id] = Left(result.ecg.recording, context.owner)
        of_signals = result.predictor is models.engines.signals
        loaded = (models.signals if of_signals else models.pictures) if result.predictor else None
        told = _provenance(result, case, query, models.preprocessing_sha256)
        return analyze_answer(
            result,
            AnswerParts(self._explanation(result, query, context), told, loaded, told_by, models.warning),
            query,
            context,
        )

    def _reader(
        self, task: ImageTask, case: Case, query: AnalyzeQuery, reader: SandboxedReader
    ) -> tuple[ImageTask, KindTold | None]:
        """The task, or another one that it also reads, that reads the case, and what told which."""
        others = [other for name in task.also_reads if isinstance(other := self._models.tasks[name], ImageTask)]
        if query.modality is not None:
            return next((t for t in (*others, task) if _is_called(t, query.modality)), task), "request"
        if not others or not case.pictures:
            return task, None
        return find_reader(task, others, case, Engines(gate=self._models.gate, reader=reader), LIMITS)

    def _check_query(self, task: ImageTask, query: AnalyzeQuery) -> None:
        if query.target is not None and query.target not in task.codes:
            raise InvalidValue(f"target: received {shown(query.target)}; expected one of {', '.join(task.codes)}")
        if query.modality is not None and not _is_called(task, query.modality):
            named = (self._models.tasks[name] for name in task.also_reads)
            others = [other.input.modality for other in named if isinstance(other, ImageTask)]
            read = " or ".join([task.input.modality, *others])
            raise InvalidValue(f"modality: received {shown(query.modality)}; {task.id} reads {read}")

    def _explanation(self, result: CaseResult, query: AnalyzeQuery, context: RequestContext) -> ExplanationAnswer:
        code = query.target or result.decision.diagnosis.predicted.code
        class_id = result.task.codes.index(code)
        view = explaining_view(result, class_id)
        if query.explain == "none" or view is None:
            reason = "not asked for" if query.explain == "none" else "no model with activation maps answered"
            return unexplained(code, reason)
        heatmap = heatmap_of(view, class_id, code)
        if query.explain == "inline":
            return explanation(heatmap, inline=True)
        with self._keeping:
            self._heatmaps[context.answer_id] = Left(heatmap, context.owner)
        return explanation(heatmap, address=f"/heatmaps/{context.answer_id}")


def _is_called(task: ImageTask, modality: str) -> bool:
    """Whether a client's word for a kind of picture is that of the task, or one of its words."""
    return modality.strip().lower().replace("-", "_") in modality_words(task)


def _provenance(result: CaseResult, case: Case, query: AnalyzeQuery, preprocessing_sha256: str) -> ProvenanceAnswer:
    named = () if isinstance(case.recording, EcgRecording) else case.recording
    return ProvenanceAnswer(
        input_sha256=input_sha256(case.pictures or (data for _, data in named)),
        preprocessing_sha256=preprocessing_sha256,
        engine=result.predictor.engine if result.predictor else None,
        request=query.model_dump(exclude_defaults=True),
    )
