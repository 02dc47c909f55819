"""Records as DICOM objects: from the copy that is kept, so that they have the source's UIDs and nobody's name."""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend.errors import NotFound
from backend.schemas.accounts import Account
from backend.schemas.records import DicomObject
from backend.services.diagnosis import LIMITS
from backend.services.interop.answered import AnsweredCase
from backend.services.loading.bundles import Task
from backend.services.longitudinal.again import AnsweredAgain
from backend.services.records.history import visible
from backend.services.records.keeping import Kept
from backend.services.reports.kept_answer import KeptAnswer, presentation_of
from backend.services.reports.reporting import Reports, record_sha256
from backend.storage.audit import Deed, note
from backend.storage.database import Database
from backend.storage.files import FileStore
from backend.storage.tables import Prediction, StoredFile
from backend.telemetry import RequestContext
from ml_model.diagnosis.reading import RECORDING_FORMAT, PictureToShow, SandboxedReader
from ml_model.errors import UnsupportedFormat
from ml_model.inputs.dicom.questions import SourceOfFile
from ml_model.inputs.dicom.study import SourceImage
from ml_model.sandbox.pool import WorkerPool
from ml_model.tasks.registry import ImageTask

if TYPE_CHECKING:
    from backend.services.interop.dicom.objects import Answered

_SHOWN_PX = 2048  # of the longer side, of a picture that comes without a study


class DicomExports:
    """Of the records of pictures that an account may see."""

    def __init__(
        self, database: Database, files: FileStore, tasks: Mapping[str, Task], pool: WorkerPool, again: AnsweredAgain,
        reports: Reports,
    ) -> None:  # fmt: skip
        self._database = database
        self._files = files
        self._tasks = tasks
        self._pool = pool
        self._again = again
        self._reports = reports

    def object(
        self, account: Account, record_id: uuid.UUID, kind: DicomObject, base_url: str, context: RequestContext
    ) -> bytes:
        """One object as a file. base_url: as `Reports.pdf` takes it.

        Raises NotFound (also of an object that this record has not), UnsupportedFormat of what is no picture,
        RecordsUnavailable, what `Reports.pdf` raises, and the errors of reading the file and answering it again.
        """
        answered = self._answered(account, record_id, base_url, context, with_map=kind == "seg")
        there = tuple(answered.kinds())
        if kind not in there:
            raise NotFound(f"this record has no object {kind}, but {', '.join(there)}; {_ABSENT[kind]}")
        made = answered.made(kind)
        note(self._database, Deed(str(account.id), "dicom", str(record_id), context.request_id))
        return made

    def archive(self, account: Account, record_id: uuid.UUID, base_url: str, context: RequestContext) -> bytes:
        """All that there are, as a zip of `<object>.dcm`. Raises the same."""
        answered = self._answered(account, record_id, base_url, context, with_map=True)
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
            for kind in answered.kinds():
                archive.writestr(f"{kind}.dcm", answered.made(kind))
        note(self._database, Deed(str(account.id), "dicom", str(record_id), context.request_id))
        return written.getvalue()

    def _answered(
        self, account: Account, record_id: uuid.UUID, base_url: str, context: RequestContext, *, with_map: bool
    ) -> Answered:
        from backend.services.interop.dicom.objects import Answered

        with self._database.reading() as session:
            row = visible(session, account, record_id)
            file = session.get(StoredFile, row.file_id) if row.file_id else None
        task, answer = self._tasks.get(row.task), KeptAnswer.model_validate(row.result)
        if not answer.all_predictions or answer.recording is not None or (file and file.format == RECORDING_FORMAT):
            raise UnsupportedFormat("DICOM objects are made of pictures, and this is none; GET .../fhir has the record")
        if file is None:
            raise NotFound("the picture of this record is not kept, and with it its study; GET .../fhir has the record")
        kept = Kept(file, self._files.get(file.id))
        case = AnsweredCase(row.id, row.created_at, answer, task, row.patient_ref, record_sha256=record_sha256(row))
        source = self._source(kept, context)
        return Answered(
            case, source, lambda: self._reports.pdf(account, record_id, "A4", base_url, context),
            overlay_png=self._files.get(row.heatmap_id) if row.heatmap_id else None,
            heatmap=self._again.heatmap(row, answer, kept, context) if with_map and row.heatmap_id else None,
            picture=None if source else self._picture(row, task, kept, context),
        )  # fmt: skip

    def _source(self, kept: Kept, context: RequestContext) -> SourceImage | None:
        if kept.row.format != "DICOM":
            return None
        return SandboxedReader(self._pool, context.deadline)(SourceOfFile(kept.data, with_patient=False))

    def _picture(
        self, row: Prediction, task: Task | None, kept: Kept, context: RequestContext
    ) -> NDArray[np.uint8] | None:
        if not isinstance(task, ImageTask):
            raise NotFound(f"the task {row.task}, by which this picture is read, is no longer served")
        read = task.input.model_copy(update={"min_side_px": 1})
        shown = PictureToShow(
            kept.data, read, LIMITS.max_bytes, LIMITS.max_pixels, _SHOWN_PX, presentation_of(row.result)
        )
        return SandboxedReader(self._pool, context.deadline)(shown)


_ABSENT: dict[DicomObject, str] = {
    "sr": "it has one always",
    "pdf": "it has one always",
    "sc": "it has no heatmap",
    "seg": "it has no heatmap, or another model answers by now",
    "picture": "the picture itself is in its study already",
}
