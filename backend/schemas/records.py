"""What is kept: uploads, predictions, history, feedback. What is asked and answered."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from backend.schemas.accounts import TEXT, Body
from backend.schemas.common import Answer, Probability, TriageAnswer
from backend.schemas.images import AnalyzeQuery
from backend.schemas.scans.comparison import Comparison
from ml_model.tasks.triage_scale import TriageLevel

DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
DEFAULT_TASK = "lung-ct"
MOST_PER_PAGE, MOST_PAGES = 100, 1_000_000
MOST_FEEDBACK = 100  # of one record, in one answer
DicomObject = Literal["sr", "sc", "seg", "pdf", "picture"]
DICOM_OBJECTS: tuple[DicomObject, ...] = get_args(DicomObject)
FileId = Annotated[str, Field(pattern="^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]


def _as_written(value: object) -> object:
    """Pydantic would take a number for the seconds since 1970."""
    if isinstance(value, str) and not DAY.fullmatch(value):
        raise ValueError("expected a day such as 2026-11-30")
    return value


Day = Annotated[date, BeforeValidator(_as_written)]
REFERENCE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
PATIENT_REF = REFERENCE.pattern
PatientRef = Annotated[str, Field(pattern=PATIENT_REF, description="a pseudonym of the patient, never a name")]
SearchText = Annotated[
    str,
    Field(
        # Words of anything but control characters.
        pattern=r"^[^\S\x00-\x1f]*[^\s\x00-\x1f\x7f]+([^\S\x00-\x1f]+[^\s\x00-\x1f\x7f]+){0,7}[^\S\x00-\x1f]*$",
        max_length=64,
        description="at most eight words, each of which is part of a class, a task, a patient reference or a note",
    ),
]


class UploadAnswer(Answer):
    """A file that is kept."""

    success: Literal[True]
    file_id: UUID
    format: str
    size_bytes: int = Field(description="as it is kept, without metadata")
    sha256: str = Field(description="as it is kept")
    frames: int = Field(description="of a DICOM file, which GET /render/<file_id> draws one by one; 1 of others")
    warnings: tuple[str, ...]
    created_at: datetime


class UploadQuery(BaseModel):
    """What a recording does not say."""

    sampling_rate_hz: float | None = Field(None, gt=0, le=10_000)


class PredictBody(AnalyzeQuery):
    """A case: a file that was uploaded, or one that is sent along, and what is known beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file_id: FileId | None = Field(None, description="of POST /upload; or send the picture itself as `file`")
    task: str = Field(DEFAULT_TASK, max_length=64)
    patient_ref: PatientRef | None = None


class PredictedAnswer(Answer):
    """What was answered, and under which id it is kept."""

    warning: str | None = None
    success: Literal[True]
    prediction_id: UUID | None = Field(description="null for an example of demo mode, which is never kept")
    task: str
    prediction: str = Field(description="name of the class")
    class_code: str
    confidence: Probability
    confidence_scores: dict[str, Probability] = Field(description="by name of the class")
    settled: bool = Field(description="false: the class is the likeliest, and something graver is open")
    headline: str
    triage: TriageAnswer
    heatmap_url: str | None
    file_id: UUID | None
    patient_ref: str | None
    processing_time: float = Field(description="seconds")
    warnings: tuple[str, ...]
    result: dict[str, Any] = Field(description="the answer as POST /analyze/<task> gives it")
    demo_mode: bool
    request_id: str


class HistoryQuery(BaseModel):
    """Which of the own records; all filters hold together."""

    page: int = Field(1, ge=1, le=MOST_PAGES)
    per_page: int = Field(20, ge=1, le=MOST_PER_PAGE)
    before: int | None = Field(
        None, ge=0, le=2**62, description="`next_before` of the page before: what is new meanwhile moves nothing"
    )
    task: str | None = Field(None, max_length=64, pattern=TEXT)
    class_code: str | None = Field(None, max_length=64, pattern=TEXT)
    triage: TriageLevel | None = None
    patient_ref: PatientRef | None = None
    from_: Day | None = Field(None, alias="from", description="first day, UTC")
    to: Day | None = Field(None, description="last day, UTC")
    q: SearchText | None = None


class StatsQuery(BaseModel):
    """Which of the own records are counted."""

    task: str | None = Field(None, max_length=64, pattern=TEXT)
    from_: Day | None = Field(None, alias="from", description="first day, UTC")
    to: Day | None = Field(None, description="last day, UTC")


class BeforeQuery(BaseModel):
    """Which page of an export."""

    before: int | None = Field(None, ge=0, le=2**62, description="`next_before` of the page before")


class RecordAnswer(Answer):
    """One record, in a line."""

    id: UUID
    number: int
    task: str
    patient_ref: str | None
    created_at: datetime
    class_code: str
    prediction: str = Field(description="name of the class")
    confidence: Probability
    settled: bool
    triage: TriageLevel
    file_id: UUID | None
    heatmap_url: str | None
    model_version: str | None
    model_sha256: str | None
    processing_ms: float
    shared: bool


class RecordsAnswer(Answer):
    """A page of records, newest first."""

    success: Literal[True]
    history: tuple[RecordAnswer, ...]
    count: int = Field(description="on this page")
    total: int = Field(description="that the filters leave")
    page: int | None = Field(description="null where `before` chose the page")
    per_page: int
    pages: int
    next_before: int | None = Field(description="`before` of the next page; null after the last")


class FeedbackBody(Body):
    """What a clinician says of an answer."""

    agrees: bool
    right_class: str | None = Field(None, max_length=64, description="code of the class that it is, where not this one")
    note: str | None = Field(None, max_length=2000, pattern=TEXT)


class FeedbackEntry(Answer):
    id: UUID
    by: UUID
    agrees: bool
    right_class: str | None
    note: str | None
    created_at: datetime


class FeedbackAnswer(Answer):
    success: Literal[True]
    feedback: FeedbackEntry


class WholeRecordAnswer(Answer):
    """One record with its answer and what was said of it."""

    success: Literal[True]
    record: RecordAnswer
    scores: dict[str, Probability] = Field(description="by code of the class")
    result: dict[str, Any] = Field(description="the answer as it was sent")
    feedback: tuple[FeedbackEntry, ...] = Field(description=f"the newest {MOST_FEEDBACK}, the oldest of them first")


class ShareBody(Body):
    """Whether clinicians see a record."""

    shared: bool


class ShareAnswer(Answer):
    success: Literal[True]
    id: UUID
    shared: bool


class Change(Answer):
    """From the patient's record of the same task before it."""

    since: UUID
    days: float
    class_changed: bool
    triage: Literal["graver", "same", "milder"]
    scores: dict[str, float] = Field(description="by code, how much the probability rose")


class TimelinePoint(Answer):
    record: RecordAnswer
    change: Change | None = Field(description="null for the first of a task")
    comparison: Comparison | None = Field(
        description="with the study before, picture by picture, of the newest ones that were asked for"
    )


class TimelineQuery(BaseModel):
    """How many of the newest studies are laid on the ones before them, which takes a moment each."""

    compare: int = Field(1, ge=0, le=10)


class TimelineAnswer(Answer):
    """One patient's records, the oldest first, at most the last thousand."""

    success: Literal[True]
    patient_ref: str
    timeline: tuple[TimelinePoint, ...]
    count: int


class DayCount(Answer):
    day: date
    count: int


class StatsAnswer(Answer):
    """Of the own records."""

    success: Literal[True]
    total: int
    by_task: dict[str, int]
    class_distribution: dict[str, dict[str, int]] = Field(description="by task and code of the class")
    triage: dict[str, int]
    per_day: tuple[DayCount, ...]
    refusals: dict[str, int] = Field(description="by code of the error")
    mean_processing_ms: float | None


class AuditQuery(BaseModel):
    """Which page of the audit log."""

    before: int | None = Field(None, ge=0, le=2**62, description="`next_before` of the page before")
    per_page: int = Field(100, ge=1, le=1000)


class AuditLine(Answer):
    number: int
    at: datetime
    actor_id: str
    action: str
    object_id: str
    request_id: str
    hash: str


class AuditAnswer(Answer):
    """Who did what, newest first."""

    success: Literal[True]
    entries: tuple[AuditLine, ...]
    count: int
    next_before: int | None
