"""Answers of the open addresses that are kept, where an account asks for it."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from backend.schemas.accounts import Account
from backend.schemas.images import AnalyzeAnswer, AnalyzeQuery
from backend.schemas.kept import KeepQuery
from backend.schemas.symptoms import DiseaseAnswer
from backend.schemas.tabular import RiskAnswer
from backend.services.diagnosis import ImageDiagnosis
from backend.services.records.keeping import HEATMAP, Keeping, Kept, Sent, fresh_file, heatmap_address, image_row
from backend.services.rendering.heatmaps import overlay_png
from backend.storage.audit import Deed
from backend.storage.tables import Prediction
from backend.telemetry import RequestContext
from ml_model.diagnosis.case import Case
from ml_model.ecg.leads import EcgRecording
from ml_model.tasks.registry import ImageTask

OfBody = TypeVar("OfBody", DiseaseAnswer, RiskAnswer)
_MOST_CODE, _MOST_NAME = 64, 200  # characters that the tables have room for
_NOTHING = "Nothing is ranked"


class AnswerKeeping:
    """Keeps what is answered elsewhere; an example of demo mode never."""

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping

    def picture(
        self, account: Account, query: KeepQuery, task: ImageTask, case: Case, asked: AnalyzeQuery,
        images: ImageDiagnosis, context: RequestContext,
    ) -> AnalyzeAnswer:  # fmt: skip
        """Answer a case and keep the answer, its heatmap and, of one picture or a recording, the file: then the copy
        that is kept is what is answered, so that it can be answered again.

        Raises what `images.analyze` raises, QuotaExceeded and RecordsUnavailable.
        """
        with self._keeping.noting_refusals(account, task.id, context):
            file = self._copy(account, case, context)
            answer = images.analyze(task, _kept_case(case, file), asked, context)
        if answer.demo_mode:
            return answer.model_copy(update={"prediction_id": None})
        prediction_id = uuid.uuid4()
        overlay = _overlay(answer, images, context)
        told = answer.model_copy(update={"prediction_id": prediction_id})
        if answer.explanation.heatmap_url:
            shown = answer.explanation.model_copy(update={"heatmap_url": heatmap_address(prediction_id)})
            told = told.model_copy(update={"explanation": shown})
        result = _as_sent(told)
        for passing in ("heatmap_png_base64", "map_url"):  # what is kept apart, or gone in an hour
            result["explanation"].pop(passing, None)
        result["explanation"]["heatmap_url"] = heatmap_address(prediction_id) if overlay else None
        heatmap = fresh_file(account, HEATMAP, "PNG", overlay) if overlay else None
        row = image_row(account, query.patient_ref, answer, result, prediction_id)
        row.file_id, row.heatmap_id = file.row.id if file else None, heatmap.row.id if heatmap else None
        self._keeping.store([one for one in (file, heatmap) if one], account, _deed(account, row, context), row)
        return told

    def of_body(
        self, account: Account, query: KeepQuery, task_id: str, ask: Callable[[], OfBody], context: RequestContext
    ) -> OfBody:
        """The same of symptoms and of risk factors, of which there is no file; what was sent is not kept, only what the
        answer says of it."""
        with self._keeping.noting_refusals(account, task_id, context):
            answer = ask()
        if answer.demo_mode:
            return answer.model_copy(update={"prediction_id": None})
        prediction_id = uuid.uuid4()
        told = answer.model_copy(update={"prediction_id": prediction_id})
        now = datetime.now(UTC)
        row = Prediction(
            id=prediction_id, user_id=account.id, task=answer.model.task, patient_ref=query.patient_ref, created_at=now,
            day=now.date(), triage_level=answer.triage.level, model_version=answer.model.version,
            model_sha256=answer.model.sha256, processing_ms=answer.processing_ms, shared=False,
            result=_as_sent(told), **_named(answer),
        )  # fmt: skip
        self._keeping.store([], account, _deed(account, row, context), row)
        return told

    def _copy(self, account: Account, case: Case, context: RequestContext) -> Kept | None:
        """Of a recording, or of a single picture of a format that is kept."""
        sent: Sent | None = case.pictures[0] if len(case.pictures) == 1 else None
        if case.recording and not isinstance(case.recording, EcgRecording):
            sent = case.recording
        return self._keeping.copy_or_none(account, sent, context, case.sampling_rate_hz) if sent is not None else None


def _kept_case(case: Case, file: Kept | None) -> Case:
    """The same of the copy that is kept."""
    if file is None:
        return case
    return replace(case, recording=(("kept", file.data),)) if case.recording else replace(case, pictures=(file.data,))


def _overlay(answer: AnalyzeAnswer, images: ImageDiagnosis, context: RequestContext) -> bytes | None:
    if inline := answer.explanation.heatmap_png_base64:
        return base64.b64decode(inline)
    left = images.heatmap(context.answer_id) if answer.explanation.heatmap_url else None
    return overlay_png(left.content) if left else None


def _as_sent(answer: AnalyzeAnswer | DiseaseAnswer | RiskAnswer) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(answer.model_dump_json(by_alias=True, exclude_unset=True))
    return told


def _deed(account: Account, row: Prediction, context: RequestContext) -> Deed:
    return Deed(str(account.id), "predict", str(row.id), context.request_id)


def _named(answer: DiseaseAnswer | RiskAnswer) -> dict[str, Any]:
    """What history and statistics tell it by."""
    if isinstance(answer, RiskAnswer):
        said = answer.prediction
        return {
            "class_code": _code(said.risk_level), "class_name": said.condition[:_MOST_NAME],
            "settled": not said.abstain, "confidence": said.probability, "scores": {"risk": said.probability},
        }  # fmt: skip
    first = answer.prediction
    scores = {_code(one.disease): one.probability for one in answer.top_predictions}
    name = first.disease if first else _NOTHING
    return {
        "class_code": _code(name), "class_name": name[:_MOST_NAME], "settled": not answer.abstain,
        "confidence": first.confidence if first else 0.0, "scores": scores,
    }  # fmt: skip


def _code(name: str) -> str:
    return name.lower().replace(" ", "_")[:_MOST_CODE]
