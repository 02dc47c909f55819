"""Reports of records, and whether what a report says of its record is so."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import threading
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from PIL import Image
from sqlalchemy import select

from backend.errors import Busy
from backend.schemas.accounts import Account
from backend.services.diagnosis import LIMITS
from backend.services.loading.bundles import Task
from backend.services.longitudinal.course import Course
from backend.services.records.history import feedback_entry, visible
from backend.services.reports.blocks import Picture
from backend.services.reports.content import MOST_FEEDBACK, Told, report
from backend.services.reports.kept_answer import KeptAnswer, presentation_of
from backend.storage.audit import Deed, note
from backend.storage.database import Database
from backend.storage.files import FileStore
from backend.storage.tables import Feedback, Prediction
from backend.telemetry import RequestContext
from ml_model.diagnosis.reading import PictureToShow, SandboxedReader
from ml_model.sandbox.pool import WorkerPool
from ml_model.tasks.registry import ImageTask

PATH = "/api/v1/verify"
_SHOWN_PX, _JPEG_QUALITY = 800, 90
_DRAWN = ("recording", "page_signal")  # whose overlay is a page with the traces


class Reports:
    """Of the records that an account may see."""

    def __init__(
        self, database: Database, files: FileStore, tasks: Mapping[str, Task], pool: WorkerPool, course: Course
    ) -> None:
        self._database = database
        self._files = files
        self._tasks = tasks
        self._pool = pool
        self._course = course
        self._making = threading.Lock()

    def pdf(
        self, account: Account, record_id: uuid.UUID, paper: Literal["A4", "Letter"], base_url: str,
        context: RequestContext,
    ) -> bytes:  # fmt: skip
        """A record on pages. base_url: of this service, as people reach it.

        Raises NotFound, RecordsUnavailable, Busy while others are made, and the errors of reading the picture.
        """
        # ReportLab takes longer to import than a report to make.
        from backend.services.reports.document import report_pdf

        with self._database.reading() as session:
            row = visible(session, account, record_id)
            newest = select(Feedback).where(Feedback.prediction_id == row.id).order_by(Feedback.created_at.desc())
            said = list(session.scalars(newest.limit(MOST_FEEDBACK)))[::-1]
        answer, sha256 = KeptAnswer.model_validate(row.result), record_sha256(row)
        pictures, page = self._pictures(row, answer, context)
        told = Told(
            row.id, row.patient_ref, row.created_at, answer, tuple(map(feedback_entry, said)), pictures, page, sha256,
            f"{base_url}{PATH}/{row.id}?sha256={sha256}", self._course.since_the_one_before(account, row, context),
        )  # fmt: skip
        laid = report(told, self._tasks.get(row.task), datetime.now(UTC))
        if not self._making.acquire(timeout=max(0.0, context.deadline - time.monotonic())):
            raise Busy("other reports are being made; ask again in a moment")
        try:
            made = report_pdf(laid, paper)
        finally:
            self._making.release()
        note(self._database, Deed(str(account.id), "report", str(record_id), context.request_id))
        return made

    def is_genuine(self, record_id: uuid.UUID, sha256: str) -> bool:
        """Whether there is a record of this id with this checksum. That there is one with another is not told."""
        with self._database.reading() as session:
            row = session.scalars(select(Prediction).where(Prediction.id == record_id)).first()
            return row is not None and hmac.compare_digest(record_sha256(row), sha256)

    def _pictures(
        self, row: Prediction, answer: KeptAnswer, context: RequestContext
    ) -> tuple[tuple[Picture, ...], Picture | None]:
        """The picture as it was sent and its heatmap; or the page that a recording was drawn on."""
        task, read = self._tasks.get(row.task), answer.recording
        shown = []
        if row.file_id and isinstance(task, ImageTask) and (read is None or read.read_as != "recording"):
            # It was answered, and is evidence: what the task asks of new pictures by now is not asked of it.
            of_any_size = task.input.model_copy(update={"min_side_px": 1})
            asked = PictureToShow(
                self._files.get(row.file_id),
                of_any_size,
                LIMITS.max_bytes,
                LIMITS.max_pixels,
                _SHOWN_PX,
                presentation_of(row.result),
            )
            pixels = SandboxedReader(self._pool, context.deadline)(asked)
            written = io.BytesIO()
            Image.fromarray(pixels).save(written, "JPEG", quality=_JPEG_QUALITY)
            shown.append(Picture(written.getvalue(), "As it was sent"))
        if row.heatmap_id is None:
            return tuple(shown), None
        overlay, about = self._files.get(row.heatmap_id), answer.explanation
        names = {one.code: one.name for one in answer.all_predictions}
        explained = f"{about.method}: {names.get(about.explained, about.explained)}" if about else "Heatmap"
        if read and read.read_as in _DRAWN:
            return tuple(shown), Picture(overlay, f"The recording, drawn. Shade: {explained}")
        return (*shown, Picture(overlay, explained)), None


def record_sha256(row: Prediction) -> str:
    """Of all that a report says of a record: its id, time, task, patient reference and result."""
    told = [str(row.id), row.created_at.astimezone(UTC).isoformat(), row.task, row.patient_ref, row.result]
    canonical = json.dumps(told, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
