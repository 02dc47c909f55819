"""One picture or series of an archive, answered by the one pipeline: its results, or why there are none."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from typing import IO, Literal

from backend.dicomweb.ledger import Entry, PassedOver
from backend.errors import Busy, status_of
from backend.schemas.images import AnalyzeAnswer, AnalyzeQuery
from backend.schemas.scans.series import SeriesQuery
from backend.services.batches.archive import ZIP_STARTS, ZipLimits, members
from backend.services.container import Services
from backend.services.interop.answered import AnsweredCase
from backend.services.interop.dicom.objects import Answered
from backend.services.rendering.heatmaps import overlay_png
from backend.services.reports.blocks import Picture
from backend.services.reports.content import Told, report
from backend.services.reports.document import report_pdf
from backend.services.reports.kept_answer import KeptAnswer
from backend.services.scans.answering import case_of
from backend.services.scans.cache import answer_of
from backend.services.scans.series import limits_of
from backend.telemetry import RequestContext
from ml_model.diagnosis.reading import SandboxedReader, reading_pool
from ml_model.errors import MediDiagnoseError
from ml_model.inputs.dicom.questions import SourceOfFile
from ml_model.inputs.dicom.study import SourceImage
from ml_model.inputs.dicom.terms import modality_of
from ml_model.inputs.file_type import input_sha256

STORED = ("sr", "sc", "pdf")
SLICED = ("CT", "MR")  # modalities of which a series, or a file of several frames, is one picture
_WITHIN_S, _LOOK_S = 60.0, 0.1
_OWNER = "archive"  # not anybody's, so that a series may be as large as a batch
_REFUSED = (413, 415, 422)  # the statuses of what another try would not change
_WHERE = "in the study that this is stored in"
_ANSWERS = uuid.UUID("0e0a6c1d-5b0c-4a5e-9f0b-7a35cf2f6d7e")


class Answering:
    """By the models of one application. gate: what becomes of a picture of poor quality or of another kind."""

    def __init__(self, services: Services, gate: Literal["on", "warn"]) -> None:
        self._services = services
        self._gate = gate

    def modalities(self) -> frozenset[str]:
        """Those that any task reads."""
        return frozenset(word for task in self._services.models.image_tasks for word in task.dicom_modalities)

    def results(self, entry: Entry, sent: bytes | IO[bytes]) -> Mapping[str, bytes]:
        """The objects to be stored beside a picture, or of a series as a zip beside its gravest slice, by kind: for the
        same and the same model under the same UIDs.

        Raises PassedOver, and the errors of what may succeed later.
        """
        context = RequestContext(
            str(uuid.uuid4()), str(uuid.uuid4()), time.perf_counter(), time.monotonic() + _WITHIN_S, _OWNER
        )
        try:
            answered = self._picture(entry, sent, context) if isinstance(sent, bytes) else None
            if answered is None:
                with BytesIO(sent) if isinstance(sent, bytes) else sent as file:
                    answered = self._series(entry, file, context)
        except MediDiagnoseError as error:
            if not isinstance(error, PassedOver) and status_of(error) in _REFUSED:
                raise PassedOver(f"{error.code}: {error}") from error
            raise
        return {kind: answered.made(kind) for kind in answered.kinds() if kind in STORED}

    def _picture(self, entry: Entry, data: bytes, context: RequestContext) -> Answered | None:
        """None of a file of several slices."""
        source = self._source(entry, data, context)
        if source.frames > 1 and source.instance.modality in SLICED:
            return None
        files, query = (("", data),), AnalyzeQuery.model_validate({"explain": "url", "gate": self._gate})
        route = self._services.images.route(files, context, source.facts)
        answer = self._services.images.analyze(route.task, case_of(files, route, query), query, context)
        return self._answered(source, answer)

    def _series(self, entry: Entry, file: IO[bytes], context: RequestContext) -> Answered:
        """Evenly spread slices are answered as those of `/api/analyze/series`; results are of the gravest. Raises Busy
        where a slice could not be answered now: it might be graver."""
        told = self._services.series.begin(file, SeriesQuery.model_validate({"gate": self._gate}), context)
        while told.status == "working":
            time.sleep(_LOOK_S)
            left = self._services.series.look(str(told.series_id), context)
            if left is None:
                raise Busy("the series was dropped while it was answered")
            told = left.content
        failures = [one.failure for one in told.slices if one.failure]
        if later := next((one for one in failures if one.status not in _REFUSED), None):
            raise Busy(f"a slice of the series was not answered: {later.code}")
        if told.answer is None:
            raise PassedOver(f"no slice of the series is answered; the first: {failures[0].code}: {failures[0].error}")
        file.seek(0)
        source = self._source(entry, _found(file, told.answer, limits_of(self._services.config)), context)
        refused = f"; {len(failures)} of them were refused" if failures else ""
        about = (
            f"{told.of} slices of a series of {told.slices_in_series} were looked at{refused}; this is the gravest, "
            f"slice {told.gravest}. {told.note}"
        )
        return self._answered(source, told.answer, about)

    def _source(self, entry: Entry, data: bytes, context: RequestContext) -> SourceImage:
        """What the answer is of. Raises PassedOver."""
        source = SandboxedReader(reading_pool(), context.deadline)(SourceOfFile(data, with_patient=True))
        if source is None:
            raise PassedOver("no picture that names its study")
        instance = source.instance
        own = instance.series_uid if entry.whole_series else instance.instance_uid
        if (instance.study_uid, own) != (entry.study_uid, entry.instance_uid):
            raise PassedOver("the file says to be another than the one that was asked for")
        if source.for_research:
            raise PassedOver("a product of research itself, as our own results are")
        if instance.modality not in self.modalities():
            raise PassedOver(f"no task reads the modality {modality_of(instance.modality)}")
        return source

    def _answered(self, source: SourceImage, answer: AnalyzeAnswer, about: str = "") -> Answered:
        """about: what is to be said of a series."""
        address = answer.explanation.heatmap_url
        left = self._services.images.heatmap(answer_of(address)) if address else None
        heatmap = left.content if left else None
        overlay = overlay_png(heatmap) if heatmap else None
        told = KeptAnswer.model_validate(answer.model_dump(mode="json", by_alias=True, exclude_unset=True))
        if about:
            told = told.model_copy(update={"warning": " ".join(filter(None, (about, told.warning)))})
        task = self._services.models.tasks[answer.model.task]
        case = AnsweredCase(_answer_id(source, answer, about), datetime.now(UTC), told, task)
        return Answered(case, source, lambda: _pdf(case, overlay), overlay, heatmap)


def _found(file: IO[bytes], answer: AnalyzeAnswer, limits: ZipLimits) -> bytes:
    """The file that was answered, of a zip or the only one."""
    if file.read(4) not in ZIP_STARTS:
        file.seek(0)
        return file.read()
    sha256 = answer.provenance.input_sha256
    return next(data for _, data in members(file, limits) if input_sha256((data,)) == sha256)


def _answer_id(source: SourceImage, answer: AnalyzeAnswer, about: str) -> uuid.UUID:
    """Of the instance and what answered it."""
    model, made = answer.model, answer.provenance
    told = (source.instance.instance_uid, model.task, model.sha256, made.preprocessing_sha256, *made.request.items())
    if model.local_operating_points:
        told = (*told, model.local_operating_points)
    return uuid.uuid5(_ANSWERS, repr((*told, about) if about else told))


def _pdf(case: AnsweredCase, overlay: bytes | None) -> bytes:
    about = case.answer.explanation
    shown = (Picture(overlay, about.method),) if overlay and about else ()
    told = Told(case.record_id, _WHERE, case.answered_at, case.answer, (), shown, None, "", "")
    return report_pdf(report(told, case.task, case.answered_at), "A4")
