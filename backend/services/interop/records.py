"""Records in the forms of other systems."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from backend.schemas.accounts import Account
from backend.services.loading.bundles import Task
from backend.services.longitudinal.course import Course
from backend.services.records.history import visible
from backend.services.reports.kept_answer import KeptAnswer
from backend.services.reports.reporting import record_sha256
from backend.storage.audit import Deed, note
from backend.storage.database import Database
from backend.storage.files import FileStore
from backend.storage.tables import StoredFile
from backend.telemetry import RequestContext
from ml_model.diagnosis.reading import SandboxedReader
from ml_model.inputs.dicom.instances import DicomInstance
from ml_model.inputs.dicom.questions import InstancesOfFiles
from ml_model.sandbox.pool import WorkerPool


class RecordExports:
    """Of the records that an account may see."""

    def __init__(
        self, database: Database, files: FileStore, tasks: Mapping[str, Task], pool: WorkerPool, course: Course
    ) -> None:
        self._database = database
        self._files = files
        self._tasks = tasks
        self._pool = pool
        self._course = course

    def fhir(self, account: Account, record_id: uuid.UUID, context: RequestContext) -> str:
        """A record as a bundle of FHIR R4, JSON. Raises NotFound, RecordsUnavailable and the errors of reading the
        file."""
        from backend.services.interop.answered import AnsweredCase
        from backend.services.interop.fhir.bundle import bundle_of

        with self._database.reading() as session:
            row = visible(session, account, record_id)
            file = session.get(StoredFile, row.file_id) if row.file_id else None
        case = AnsweredCase(
            row.id, row.created_at, KeptAnswer.model_validate(row.result), self._tasks.get(row.task), row.patient_ref,
            self._instances(file, context), record_sha256(row),
            self._course.since_the_one_before(account, row, context),
        )  # fmt: skip
        made: str = bundle_of(case).model_dump_json()
        note(self._database, Deed(str(account.id), "fhir", str(record_id), context.request_id))
        return made

    def _instances(self, file: StoredFile | None, context: RequestContext) -> tuple[DicomInstance, ...]:
        """The copy that is kept has the UIDs that the file came with."""
        if file is None or file.format != "DICOM":
            return ()
        return SandboxedReader(self._pool, context.deadline)(InstancesOfFiles((self._files.get(file.id),)))
