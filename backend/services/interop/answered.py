"""One answer, as it is told to other systems in whichever form."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from backend.schemas.scans.comparison import Comparison
from backend.services.loading.bundles import Task
from backend.services.reports.kept_answer import KeptAnswer
from ml_model.inputs.dicom.instances import DicomInstance


@dataclass(frozen=True)
class AnsweredCase:
    """An answer, and what is known with it. record_id: of an answer that is not kept its own id. task: None where the
    service has it no more. instances: the DICOM files that were answered. record_sha256: as `GET /verify` takes it;
    None where nothing is kept. since: beside the record before it of the same patient."""

    record_id: uuid.UUID
    answered_at: datetime
    answer: KeptAnswer
    task: Task | None
    patient_ref: str | None = None
    instances: tuple[DicomInstance, ...] = ()
    record_sha256: str | None = None
    since: Comparison | None = None
