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
from backend.services.rendering.client_answers import predicted_answer
from backend.services.rendering.messages import NOT_KEPT
from backend.storage.audit import Deed, append
from backend.storage.database import Database
from backend.storage.files import FileStore
from backend.storage.tables import Prediction, Refusal, StoredFile
from backend.telemetry import RequestContext
from ml_model.deidentify.kept import KeptFile
from ml_model.diagnosis.case import Case
from ml_model.diagnosis.reading import RECORDING_FORMAT, PictureToKeep, RecordingToKeep, SandboxedReader
from ml_model.errors import EmptyInput, InputTooLarge, MediDiagnoseError, UnreadableInput, UnsupportedFormat
from ml_model.inputs.dicom.presentation import Presentation
from ml_model.inputs.file_type import sniff_format
from ml_model.inputs.images.frames import note_on_frames
from ml_model.inputs.images.pdf import is_pdf
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
            frames=row.frames if row.format == "DICOM" else 1, warnings=_warnings(row), created_at=row.created_at,
        )  # fmt: skip

    def predict(
        self, account: Account, body: PredictBody, sent: bytes | None, task: ImageTask, images: ImageDiagnosis,
        context: RequestContext, slot: Slot | None = None,
    ) -> PredictedAnswer:  # fmt: skip
        """Answer a case and keep it; an example of demo mode is answered and not kept. slot: what it is kept for.

        Raises NotFound for a file of nobody's or of another's, EmptyInput for none, and what `images.analyze` raises.
        """
        file = self._own_file(account, body) if sent is None else None
        if file and file.row.format == RECORDING_FORMAT and task.signal is None:
            raise UnsupportedFormat(f"{task.id} reads pictures, and this is a recording; ask for another task")
        query = AnalyzeQuery.model_validate(body.model_dump(exclude=_ASKED_OTHERWISE, exclude_unset=True))
        query = query.model_copy(update={"explain": "none" if query.explain == "none" else "inline", "top_k": None})
        with self.noting_refusals(account, task.id, context, slot):
            if sent is not None:
                file = self._copy_of(account, sent, task, query, context)
            answer = images.analyze(task, case_of(file, query, sent), query, context)
        return self._keep(account, body, file, answer, slot, new_file=sent is not None)

    def _keep(
        self, account: Account, body: PredictBody, file: Kept | None, answer: AnalyzeAnswer, slot: Slot | None, *,
        new_file: bool,
    ) -> PredictedAnswer:  # fmt: skip
        prediction_id = uuid.uuid4()
        result = json.loads(answer.model_dump_json(by_alias=True, exclude_unset=True))
        picture = result["explanation"].pop("heatmap_png_base64", None)
        address = heatmap_address(prediction_id) if picture and not answer.demo_mode else None
        result["explanation"]["heatmap_url"] = address
        kept_id = None if answer.demo_mode else prediction_id
        file_id = file.row.id if file and (kept_id or body.file_id) else None
        warnings = _warnings(file.row, answered=True) if file else (NOT_KEPT,)
        told = predicted_answer(answer, result, kept_id, file_id, body.patient_ref, warnings)
        if answer.demo_mode:
            return told
        files = [file] if new_file and file else []
        overlay = None
        if picture:
            overlay = fresh_file(account, HEATMAP, "PNG", base64.b64decode(picture))
            files.append(overlay)
        row = image_row(account, body.patient_ref, answer, result, prediction_id)
        row.file_id, row.heatmap_id = file_id, overlay.row.id if overlay else None
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

    def copy_or_none(
        self, account: Account, sent: Sent, context: RequestContext, rate_hz: float | None = None
    ) -> Kept | None:
        """The same, where there can be one: of a PDF there is none, and the case may be answered all the same."""
        with suppress(InputTooLarge, UnreadableInput, UnsupportedFormat):
            return self.sent_file(account, sent, context, rate_hz)
        return None

    def _copy_of(
        self, account: Account, sent: bytes, task: ImageTask, query: AnalyzeQuery, context: RequestContext
    ) -> Kept | None:
        """The same of a file that does not say what it is: what is no picture, or a DICOM file with a waveform, is a
        recording where the task reads such. Raises the errors of reading that."""
        form = sniff_format(sent)
        if task.signal is not None and (form == "DICOM" or form is None and not is_pdf(sent)):
            with suppress(*([UnsupportedFormat] if form else [])):
                return self.sent_file(account, (("file", sent),), context, query.sampling_rate_hz)
        return self.copy_or_none(account, sent, context)

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


def case_of(file: Kept | None, query: AnalyzeQuery, sent: bytes | None = None) -> Case:
    """sent: what is answered where no copy of it is kept."""
    data, recorded = (file.data, file.row.format == RECORDING_FORMAT) if file else (sent or b"", False)
    return Case(
        pictures=() if recorded else (data,), recording=(("kept", data),) if recorded else (),
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
