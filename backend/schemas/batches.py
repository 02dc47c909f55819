"""Batches: what is asked and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from backend.schemas.common import Answer, Probability
from backend.schemas.images import AnalyzeQuery
from backend.schemas.records import DEFAULT_TASK, PatientRef
from ml_model.tasks.triage_scale import TriageLevel

ItemState = Literal["waiting", "running", "done", "failed", "cancelled"]
BatchState = Literal["queued", "running", "finished", "cancelled"]
MOST_RESULTS = 1000  # a page
MOST_FILES = 1000  # that are sent one by one
IDEMPOTENCY_KEY, KEY_PATTERN = "Idempotency-Key", r"^[\x21-\x7e]{1,128}$"


class BatchBody(AnalyzeQuery):
    """What all files of a batch are sent with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str = Field(DEFAULT_TASK, max_length=64)
    patient_ref: PatientRef | None = None
    batch_name: str | None = Field(None, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
    frames: Literal["all"] | None = Field(
        None, description="each frame of a DICOM file of several is answered by itself, at a position of its own"
    )
    keep_names: bool = Field(False, description="keep the files' names with their results; a name may tell a person's")


class AcceptedFile(Answer):
    """One file, as it was sent, or one frame of it."""

    position: int = Field(description="from 1, in the order of the form or of the zip's directory")
    frame: int | None = Field(description="of a DICOM file of several that was sent with `frames=all`; else null")
    name: str = Field(description="told here once; kept with `keep_names` alone")
    sha256: str
    size_bytes: int


class AcceptedAnswer(Answer):
    """A batch that is taken on: every file will have a result or an error."""

    success: Literal[True]
    batch_id: UUID
    task: str
    batch_name: str | None
    total: int
    created_at: datetime
    status_url: str
    files: tuple[AcceptedFile, ...]
    warnings: tuple[str, ...]


class BatchQuery(BaseModel):
    """Which of a batch's files are told of."""

    after: int = Field(0, ge=0, le=2**31, description="`next_after` of the page before")
    per_page: int = Field(100, ge=1, le=MOST_RESULTS)
    state: ItemState | None = None


class ExportQuery(BaseModel):
    """In which form."""

    format: Literal["csv", "json"] = "csv"


class BatchError(Answer):
    """Why a file has no result, as POST /predict would have said."""

    status: int
    code: str
    error: str


class BatchResult(Answer):
    """What became of one file. Without a record (`prediction_id`), the fields of one are null."""

    position: int
    frame: int | None = Field(description="of a DICOM file of several that was sent with `frames=all`; else null")
    name: str | None
    sha256: str = Field(description="of the file as it was sent")
    state: ItemState
    prediction_id: UUID | None
    class_code: str | None
    prediction: str | None = Field(description="name of the class")
    confidence: Probability | None
    settled: bool | None
    triage: TriageLevel | None
    heatmap_url: str | None
    error: BatchError | None


class BatchAnswer(Answer):
    """How far a batch is."""

    success: Literal[True]
    batch_id: UUID
    batch_name: str | None
    task: str
    state: BatchState
    total: int
    waiting: int
    running: int
    done: int
    failed: int
    cancelled: int
    progress: Probability = Field(description="share of the files that wait for nothing any more")
    created_at: datetime
    finished_at: datetime | None
    results: tuple[BatchResult, ...] = Field(description="a page, by position")
    next_after: int | None = Field(description="`after` of the next page; null after the last")
    warnings: tuple[str, ...]
