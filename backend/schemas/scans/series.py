"""A series of slices: what is asked and answered."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from backend.schemas.common import Answer, Probability
from backend.schemas.images import AnalyzeQuery, Window
from backend.schemas.scans.answers import SCAN_TYPE, ScanAnswer, ScanFailure
from ml_model.tasks.triage_scale import TriageLevel

MOST_SLICES = 64


class SeriesQuery(BaseModel):
    """How many slices are answered, and how they are shown."""

    model_config = ConfigDict(populate_by_name=True)

    slices: int = Field(24, ge=1, le=MOST_SLICES, description="so many, evenly spread; all where there are fewer")
    modality: str | None = SCAN_TYPE
    window: Window | None = Field(None, description="as of POST /analyze/<task>")
    gate: Literal["on", "warn", "off"] = Field("on", description="as of POST /analyze/<task>")
    age_years: float | None = Field(None, ge=0, le=130)

    def asked(self) -> AnalyzeQuery:
        """What each slice is asked for."""
        return AnalyzeQuery.model_validate(self.model_dump(exclude={"modality", "slices"}, exclude_unset=True))


class SliceFinding(Answer):
    code: str
    state: Literal["ruled_out", "indeterminate", "suspected"]
    probability: Probability | None


class SliceAnswer(Answer):
    """One slice that was answered, or why it was not: exactly one of `headline` and `failure` is there."""

    position: int = Field(description="in the order of the series, from 1")
    frame: int | None = Field(description="of a file of several frames")
    instance_number: int | None
    place_mm: float | None = Field(description="along the normal of the slices")
    headline: str | None = None
    triage_level: TriageLevel | None = None
    class_code: str | None = None
    confidence: Probability | None = None
    findings: tuple[SliceFinding, ...] = ()
    failure: ScanFailure | None = None


class SeriesAnswer(Answer):
    """A series, as far as it is answered."""

    success: Literal[True]
    series_id: UUID
    status: Literal["working", "done"]
    status_url: str
    done: int = Field(description="slices that were looked at so far")
    of: int = Field(description="slices that are looked at")
    slices_in_series: int
    other_files: int = Field(description="of the zip, that are no slices of this series: they were not looked at")
    slices: tuple[SliceAnswer, ...] = Field(description="those that were looked at, in the order of the series")
    triage_level: TriageLevel | None = Field(
        description="the gravest of the slices so far; null where none is answered"
    )
    tumor_detected: bool | None = Field(
        description="true where it is so of a slice; false only where it is so of all slices of the series; else null"
    )
    gravest: int | None = Field(description="position of the slice that `answer` is of")
    answer: ScanAnswer | None = Field(default=None, description="whole, of the gravest slice, once all are answered")
    measured: Literal[False] = Field(description="how good this rule is on series was not measured")
    note: str
    request_id: str
    processing_ms: float
    disclaimer: str
