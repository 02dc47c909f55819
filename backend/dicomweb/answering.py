"""One picture of an archive, answered by the one pipeline: its results, or why there are none."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from backend.dicomweb.ledger import Entry
from backend.errors import status_of
from backend.schemas.images import AnalyzeAnswer, AnalyzeQuery
from backend.services.container import Services
from backend.services.interop.answered import AnsweredCase
from backend.services.interop.dicom.objects import Answered
from backend.services.rendering.heatmaps import overlay_png
from backend.services.reports.blocks import Picture
from backend.services.reports.content import Told, report
from backend.services.reports.document import report_pdf
from backend.services.reports.kept_answer import KeptAnswer
from backend.services.scans.answering import case_of
from backend.telemetry import RequestContext
from ml_model.diagnosis.reading import SandboxedReader, reading_pool
from ml_model.errors import MediDiagnoseError
from ml_model.inputs.dicom.questions import SourceOfFile
from ml_model.inputs.dicom.study import SourceImage
from ml_model.inputs.dicom.terms import modality_of

STORED = ("sr", "sc", "pdf")
_WITHIN_S = 60.0
_REFUSED = (413, 415, 422)  # the statuses of what another try would not change
_WHERE = "in the study that this is stored in"
_ANSWERS = uuid.UUID("0e0a6c1d-5b0c-4a5e-9f0b-7a35cf2f6d7e")


class PassedOver(MediDiagnoseError):
    """A picture that is not answered, now or later; the message says why, in words of ours and of the standard."""

    code = "passed_over"


class Answering:
    """By the models of one application. gate: what becomes of a picture of poor quality or of another kind."""

    def __init__(self, services: Services, gate: Literal["on", "warn"]) -> None:
        self._services = services
        self._gate = gate

    def modalities(self) -> frozenset[str]:
        """Those that any task reads."""
        return frozenset(word for task in self._services.models.image_tasks for word in task.dicom_modalities)

    def results(self, entry: Entry, data: bytes) -> Mapping[str, bytes]:
        """The objects to be stored beside a picture, by kind: for the same picture and model under the same UIDs.

        Raises PassedOver, and the errors of what may succeed later.
        """
        try:
            answered = self._answered(entry, data)
        except MediDiagnoseError as error:
            if not isinstance(error, PassedOver) and status_of(error) in _REFUSED:
                raise PassedOver(f"{error.code}: {error}") from error
            raise
        return {kind: answered.made(kind) for kind in answered.kinds() if kind in STORED}

    def _answered(self, entry: Entry, data: bytes) -> Answered:
        context = RequestContext(
            str(uuid.uuid4()), str(uuid.uuid4()), time.perf_counter(), time.monotonic() + _WITHIN_S
        )
        reader = SandboxedReader(reading_pool(), context.deadline)
        source = reader(SourceOfFile(data, with_patient=True))
        if source is None:
            raise PassedOver("no picture that names its study")
        if (source.instance.study_uid, source.instance.instance_uid) != (entry.study_uid, entry.instance_uid):
            raise PassedOver("the file says to be another than the one that was asked for")
        if source.for_research:
            raise PassedOver("a product of research itself, as our own results are")
        if source.instance.modality not in self.modalities():
            raise PassedOver(f"no task reads the modality {modality_of(source.instance.modality)}")
        files, query = (("", data),), AnalyzeQuery.model_validate({"explain": "url", "gate": self._gate})
        route = self._services.images.route(files, context, source.facts)
        answer = self._services.images.analyze(route.task, case_of(files, route, query), query, context)
        left = self._services.images.heatmap(context.answer_id)
        heatmap = left.content if left else None
        overlay = overlay_png(heatmap) if heatmap else None
        told = KeptAnswer.model_validate(answer.model_dump(mode="json", by_alias=True, exclude_unset=True))
        task = self._services.models.tasks[answer.model.task]
        case = AnsweredCase(_answer_id(source, answer), datetime.now(UTC), told, task)
        return Answered(case, source, lambda: _pdf(case, overlay), overlay, heatmap)


def _answer_id(source: SourceImage, answer: AnalyzeAnswer) -> uuid.UUID:
    """Of the instance and what answered it."""
    model, made = answer.model, answer.provenance
    told = (source.instance.instance_uid, model.task, model.sha256, made.preprocessing_sha256, *made.request.items())
    return uuid.uuid5(_ANSWERS, repr(told))


def _pdf(case: AnsweredCase, overlay: bytes | None) -> bytes:
    about = case.answer.explanation
    shown = (Picture(overlay, about.method),) if overlay and about else ()
    told = Told(case.record_id, _WHERE, case.answered_at, case.answer, (), shown, None, "", "")
    return report_pdf(report(told, case.task, case.answered_at), "A4")
