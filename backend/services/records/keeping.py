"""What comes in: uploads without their metadata, and predictions, made by the one pipeline and then kept."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.errors import NotFound, RecordsUnavailable, status_of
from backend.schemas.accounts import Account
from backend.schemas.images import AnalyzeAnswer, AnalyzeQuery
from backend.schemas.records import PredictBody, PredictedAnswer, UploadAnswer
from backend.services.diagnosis import LIMITS, ImageDiagnosis
from backend.services.records.accounts import Room, check_quota, hold
from backend.services.rendering.messages import DEMO_WARNING
from backend.storage.audit import Deed, append
from backend.storage.database import Database
from backend.storage.files import FileStore
from backend.storage.tables import Prediction, Refusal, StoredFile
from backend.telemetry import RequestContext
from ml_model.deidentify.kept import KeptFile
from ml_model.diagnosis.case import Case
from ml_model.diagnosis.reading import RECORDING_FORMAT, PictureToKeep, RecordingToKeep, SandboxedReader
from ml_model.errors import EmptyInput, MediDiagnoseError, UnsupportedFormat
from ml_model.inputs.dicom.presentation import Presentation
from ml_model.inputs.images.frames import note_on_frames
from ml_model.sandbox.pool import WorkerPool
from ml_model.tasks.registry import ImageTask

UPLOAD, HEATMAP = "upload", "heatmap"
Sent = bytes | tuple[tuple[str, bytes], ...]
"""A picture, or the files (name, content) of a recording."""
_REFUSED = (415, 422)  # the statuses of what was looked at and is not answered
# How an answer is asked for, not what the case is.
_ASKED_OTHERWISE = {"file_id", "task", "patient_ref"}
_COMPARED = ("mean_level", "contrast", "bright_level", "sharpness", "detail")  # of a picture's quality, where told


@dataclass(frozen=True)
class Kept:
    """A file on its way into the store."""

    row: StoredFile
    data: bytes


class Slot(Protocol):
    """What an answer is kept for, beside the history: it is filled once, in the transaction that keeps the answer."""

    @property
    def freed_bytes(self) -> int:
        """Of the file that goes with the filling."""

    def fill(self, session: Session, prediction_id: uuid.UUID) -> None:
        """With an answer. What it raises is raised in place of keeping it."""

    def refuse(self, session: Session, error: MediDiagnoseError) -> None:
        """With why there is none."""


class Keeping:
    """Takes in what an account sends."""

    def __init__(self, database: Database, files: FileStore, pool: WorkerPool, quota_bytes: int) -> None:
        self._database = database
        self._files = files
        self._pool = pool
        self._quota_bytes = quota_bytes

    def upload(
        self, account: Account, sent: Sent, task: ImageTask, context: RequestContext, rate_hz: float | None = None
    ) -> UploadAnswer:
        """Keep a picture or a recording that can be decoded. task: whose input a picture is decoded for; any will do.
        rate_hz: of a recording that does not say it.

        Raises the errors of reading, QuotaExceeded and RecordsUnavailable.
        """
        kept = self._new_file(account, self._copy(sent, context, rate_hz, task))
        self.store([kept], account, Deed(str(account.id), "upload", str(kept.row.id), context.request_id))
        row = kept.row
        return UploadAnswer(
            success=True, file_id=row.id, format=row.format, size_bytes=row.size_bytes, sha256=row.sha256,
            warnings=_warnings(row), created_at=row.created_at,
        )  # fmt: skip

    def predict(
        self, account: Account, body: PredictBody, sent: bytes | None, task: ImageTask, images: ImageDiagnosis,
        context: RequestContext, slot: Slot | None = None,
    ) -> PredictedAnswer:  # fmt: skip
        """Answer a case and keep it; an example of demo mode is answered and not kept. slot: what it is kept for.

        Raises NotFound for a file of nobody's or of another's, EmptyInput for none, and what `images.analyze` raises.
        """
        file = self.sent_file(account, sent, context) if sent is not None else self._own_file(account, body)
        if file.row.format == RECORDING_FORMAT and task.signal is None:
            raise UnsupportedFormat(f"{task.id} reads pictures, and this is a recording; ask for another task")
        query = AnalyzeQuery.model_validate(body.model_dump(exclude=_ASKED_OTHERWISE, exclude_unset=True))
        query = query.model_copy(update={"explain": "none" if query.explain == "none" else "inline", "top_k": None})
        with self.noting_refusals(account, task.id, context, slot):
            answer = images.analyze(task, case_of(file, query), query, context)
        return self._keep(account, body, file, answer, slot, new_file=sent is not None)

    def _keep(
        self, account: Account, body: PredictBody, file: Kept, answer: AnalyzeAnswer, slot: Slot | None, *,
        new_file: bool,
    ) -> PredictedAnswer:  # fmt: skip
        prediction_id = uuid.uuid4()
        result = json.loads(answer.model_dump_json(by_alias=True, exclude_unset=True))
        picture = result["explanation"].pop("heatmap_png_base64", None)
        address = heatmap_address(prediction_id) if picture and not answer.demo_mode else None
        result["explanation"]["heatmap_url"] = address
        told = _predicted(answer, body, result, file.row, None if answer.demo_mode else prediction_id)
        if answer.demo_mode:
            return told
        files = [file] if new_file else []
        overlay = None
        if picture:
            overlay = fresh_file(account, HEATMAP, "PNG", base64.b64decode(picture))
            files.append(overlay)
        row = image_row(account, body.patient_ref, answer, result, prediction_id)
        row.file_id, row.heatmap_id = file.row.id, overlay.row.id if overlay else None
        self.store(files, account, Deed(str(account.id), "predict", str(prediction_id), answer.request_id), row, slot)
        return told

    def _copy(
        self, sent: Sent, context: RequestContext, rate_hz: float | None, check_for: ImageTask | None = None
    ) -> KeptFile:
        """In a process of the sandbox, but for small ordinary pictures."""
        reader = SandboxedReader(self._pool, context.deadline)
        if isinstance(sent, tuple):
            return reader(RecordingToKeep(sent, rate_hz, LIMITS.max_bytes))
        checked = check_for.input.model_copy(update={"min_side_px": 1}) if check_for else None
        return reader(PictureToKeep(sent, LIMITS.max_bytes, LIMITS.max_pixels, checked))

    def sent_file(self, account: Account, sent: Sent, context: RequestContext, rate_hz: float | None = None) -> Kept:
        """The copy that may be kept, on its way into the store. rate_hz: of a recording that does not say it."""
        return self._new_file(account, self._copy(sent, context, rate_hz))

    def _new_file(self, account: Account, copy: KeptFile) -> Kept:
        kept = fresh_file(account, UPLOAD, copy.format, copy.data)
        kept.row.frames, kept.row.warnings = copy.frames, list(copy.warnings)
        return kept

    def _own_file(self, account: Account, body: PredictBody) -> Kept:
        if body.file_id is None:
            raise EmptyInput("nothing to answer: send file_id of POST /api/v1/upload, or the picture as the field file")
        with self._database.reading() as session:
            row = session.get(StoredFile, uuid.UUID(body.file_id))
        if row is None or row.user_id != account.id or row.kind != UPLOAD:
            raise NotFound("there is no such file of this account; POST /api/v1/upload gives a file_id")
        return Kept(row, self._files.get(row.id))

    def store(
        self, files: list[Kept], account: Account, deed: Deed, row: Prediction | None = None, slot: Slot | None = None
    ) -> None:
        """Files first, then all rows in one transaction; files whose rows were not kept go again."""
        written = [kept.row.id for kept in files]
        size = sum(kept.row.size_bytes for kept in files)
        more = Room(len(files), size, 0 if row is None else 1)
        if slot is not None:  # of a batch, whose files were counted as it came in
            more = Room(more.files - 1, size - slot.freed_bytes, more.records)
        else:
            with self._database.reading() as session:
                check_quota(session, account, more, self._quota_bytes)
        try:
            for kept in files:
                self._files.put(kept.row.id, kept.data)
        except BaseException:
            self._files.remove(written)
            raise
        try:
            with self._database.writing() as session:
                hold(session, account)  # one upload of an account at a time
                check_quota(session, account, more, self._quota_bytes)
                session.add_all([kept.row for kept in files])
                session.flush()
                if row is not None:
                    session.add(row)
                    session.flush()
                    if slot is not None:
                        slot.fill(session, row.id)
                append(session, deed)
        except RecordsUnavailable as error:
            # Where the database went away as it ended, the rows may be there: files stay, and are swept without rows.
            raise RecordsUnavailable(f"{error}; whether this one was kept, GET /api/v1/history tells") from error
        except IntegrityError as error:
            self._files.remove(written)
            raise NotFound("the file was deleted meanwhile; nothing is kept of this answer") from error
        except BaseException:
            self._files.remove(written)
            raise

    @contextmanager
    def noting_refusals(
        self, account: Account, task_id: str, context: RequestContext, slot: Slot | None = None
    ) -> Iterator[None]:
        """A case that is looked at and not answered is counted by its code."""
        try:
            yield
        except MediDiagnoseError as error:
            if status_of(error) in _REFUSED:
                # An account that is deleted meanwhile has nothing to be counted in: the refusal stays what it is.
                with suppress(IntegrityError), self._database.writing() as session:
                    day = datetime.now(UTC).date()
                    session.add(Refusal(user_id=account.id, day=day, task=task_id, code=error.code))
                    if slot is not None:
                        slot.refuse(session, error)
                    append(session, Deed(str(account.id), "predict_refused", error.code, context.request_id))
            raise


def heatmap_address(prediction_id: uuid.UUID) -> str:
    return f"/api/v1/history/{prediction_id}/heatmap.png"


def fresh_file(account: Account, kind: str, form: str, data: bytes) -> Kept:
    row = StoredFile(
        id=uuid.uuid4(), user_id=account.id, kind=kind, format=form, size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(), frames=1, warnings=[], created_at=datetime.now(UTC),
    )  # fmt: skip
    return Kept(row, data)


def _warnings(row: StoredFile, *, answered: bool = False) -> tuple[str, ...]:
    note = None if answered and row.format == "DICOM" else note_on_frames(row.format, row.frames)  # the answer has it
    return (*row.warnings, note) if note else tuple(row.warnings)


def case_of(file: Kept, query: AnalyzeQuery) -> Case:
    recorded = file.row.format == RECORDING_FORMAT
    return Case(
        pictures=() if recorded else (file.data,), recording=(("kept", file.data),) if recorded else (),
        age_years=query.age_years, sex=query.sex, view=query.view, pixel_size_um=query.pixel_size_um,
        sampling_rate_hz=query.sampling_rate_hz, gate=query.gate, presentation=Presentation(query.frame, query.window),
    )  # fmt: skip


def image_row(
    account: Account, patient_ref: str | None, answer: AnalyzeAnswer, result: dict[str, Any], prediction_id: uuid.UUID
) -> Prediction:
    now = datetime.now(UTC)
    return Prediction(
        id=prediction_id,
        user_id=account.id,
        task=answer.model.task,
        patient_ref=patient_ref,
        created_at=now,
        day=now.date(),
        class_code=answer.prediction.code,
        class_name=answer.prediction.name,
        confidence=answer.prediction.confidence,
        triage_level=answer.triage.level,
        settled=answer.prediction.settled,
        scores={one.code: one.confidence for one in answer.all_predictions},
        model_version=answer.model.version,
        model_sha256=answer.model.sha256,
        processing_ms=answer.processing_ms,
        shared=False,
        result=result,
        distance=answer.input_check.distance,
        quality={name: value for name in _COMPARED if (value := answer.input_check.quality.get(name)) is not None},
    )


def _predicted(
    answer: AnalyzeAnswer, body: PredictBody, result: dict[str, Any], file: StoredFile, prediction_id: uuid.UUID | None
) -> PredictedAnswer:
    told = [DEMO_WARNING] if answer.demo_mode else [answer.warning] if answer.warning else []
    if not answer.prediction.settled:
        told.append(f"NOT SETTLED: {answer.headline}. {answer.triage.text}")
    return PredictedAnswer(
        **({"warning": " ".join(told)} if told else {}),
        success=True,
        prediction_id=prediction_id,
        task=answer.model.task,
        prediction=answer.prediction.name,
        class_code=answer.prediction.code,
        confidence=answer.prediction.confidence,
        confidence_scores={one.name: one.confidence for one in answer.all_predictions},
        settled=answer.prediction.settled,
        headline=answer.headline,
        triage=answer.triage,
        heatmap_url=result["explanation"]["heatmap_url"],
        file_id=file.id if prediction_id or body.file_id else None,
        patient_ref=body.patient_ref,
        processing_time=answer.processing_ms / 1000,
        warnings=tuple(dict.fromkeys((*_warnings(file, answered=True), *answer.input_check.warnings))),
        result=result,
        demo_mode=answer.demo_mode,
        request_id=answer.request_id,
    )
