"""Pictures and recordings over HTTP: the request as a case, the one pipeline, and its result as an answer."""

from __future__ import annotations

from backend.parsing import MAX_UPLOAD_BYTES
from backend.schemas.common import ProvenanceAnswer
from backend.schemas.images import AnalyzeAnswer, AnalyzeQuery, ExplanationAnswer
from backend.services.context import RequestContext
from backend.services.loading.models import ModelStore
from backend.services.records.bounded_store import RecentStore
from backend.services.rendering.heatmaps import HeatmapStore, explaining_view, explanation, heatmap_of, unexplained
from backend.services.rendering.responses import AnswerParts, analyze_answer, no_model
from ml_model.diagnosis.case import Case, CaseResult
from ml_model.diagnosis.pipeline import Engines, diagnose, route
from ml_model.ecg.leads import EcgRecording
from ml_model.errors import InvalidValue, UnknownField
from ml_model.inference.provenance import input_sha256, preprocessing_sha256
from ml_model.inputs.images.decoder import ImageLimits
from ml_model.inputs.json_body import shown
from ml_model.tasks.registry import ImageTask

LIMITS = ImageLimits(max_bytes=MAX_UPLOAD_BYTES)


class ImageDiagnosis:
    """Answers for the tasks that take a picture. Heatmaps and signals read off pages are kept in memory for a while."""

    def __init__(
        self, models: ModelStore, heatmaps: HeatmapStore, signals: RecentStore[EcgRecording], demo_mode: bool
    ) -> None:
        self._models = models
        self._heatmaps = heatmaps
        self._signals = signals
        self._demo_mode = demo_mode

    def analyze(self, task: ImageTask, case: Case, query: AnalyzeQuery, context: RequestContext) -> AnalyzeAnswer:
        """The answer to one case, by `task` or by another one that it also reads, told by request, header or looks.

        Raises the errors of `diagnose`, InvalidValue for a query that does not fit, UnknownField for too many pictures,
        ModelUnavailable and BundleInvalid.
        """
        task = self._reader(task, case, query)
        self._check_query(task, query)
        if len(case.pictures) > task.input.max_pictures:
            most = task.input.max_pictures
            raise UnknownField(f"{len(case.pictures)} pictures were sent; {task.id} takes {most} at a time")
        engines = self._models.engines(task, recording=bool(case.recording))
        answering = engines.signals if case.recording else engines.pictures or engines.signals
        if answering is None and not self._demo_mode:
            raise no_model(f"{task.id} recordings" if case.recording else task.id)
        result = diagnose(task, case, engines, LIMITS)
        if result.ecg and result.ecg.page and result.ecg.recording:
            self._signals.put(context.answer_id, result.ecg.recording)
        parts = AnswerParts(
            self._explanation(result, query, context), _provenance(result, case, query), self._models.of(task, result)
        )
        return analyze_answer(result, parts, query, context)

    def _reader(self, task: ImageTask, case: Case, query: AnalyzeQuery) -> ImageTask:
        """The task, or another one that it also reads, that reads the case."""
        others = [other for name in task.also_reads if isinstance(other := self._models.tasks[name], ImageTask)]
        if not others or not case.pictures:
            return task
        if query.modality is None:
            return route(task, others, case, Engines(gate=self._models.gate), LIMITS)
        return next((t for t in (*others, task) if _is_called(t, query.modality)), task)

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
        self._heatmaps.put(context.answer_id, heatmap)
        return explanation(heatmap, address=f"/heatmaps/{context.answer_id}")


def _is_called(task: ImageTask, modality: str) -> bool:
    """Whether a client's word for a kind of picture is that of the task, or one of its words."""
    asked, expected = modality.strip().lower().replace("-", "_"), task.input.modality
    return asked == expected or asked in expected.split("_")


def _provenance(result: CaseResult, case: Case, query: AnalyzeQuery) -> ProvenanceAnswer:
    named = () if isinstance(case.recording, EcgRecording) else case.recording
    files = case.pictures or tuple(data for _, data in named)
    return ProvenanceAnswer(
        input_sha256=input_sha256(files),
        preprocessing_sha256=preprocessing_sha256(result.task),
        engine=result.predictor.engine if result.predictor else None,
        request=query.model_dump(exclude_defaults=True),
    )
