"""What an answer to an ECG holds beside that to any picture: how it was read, and what was measured of its signal."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from backend.schemas.common import Answer, Probability
from ml_model.ecg.electrodes import Exchange, Misplaced


class PageReadingAnswer(Answer):
    """How an ECG page was turned into a signal."""

    layout: str
    px_per_mm: float
    speed_mm_per_s: float
    gain_mm_per_mv: float
    rotation_degrees: float
    lead_quality: dict[str, Probability]


class RecordingAnswer(Answer):
    """What was read of an ECG, and what answered: the model of recordings or that of pictures."""

    read_as: Literal["recording", "page_signal", "page_picture"]
    format: str | None = None
    sampling_rate_hz: float | None = None
    duration_s: float | None = None
    unit: str | None = None
    unit_told_by: str | None = None
    derived_leads: tuple[str, ...] = ()
    flat_leads: tuple[str, ...] = ()
    exchanged_leads: Exchange | Misplaced | None = Field(
        default=None, description="electrodes that seem to have been exchanged"
    )
    put_right: bool | None = Field(
        default=None, description="of exchanged leads: whether the answer is to the right ones"
    )
    page: PageReadingAnswer | None = None
    csv_url: str | None = Field(default=None, description="the signal read from the page, mV at 100 Hz")
    wfdb_url: str | None = Field(default=None, description="the same as a zip of WFDB files")


class MeasuredFindingAnswer(Answer):
    """What it means that a figure lies outside its range."""

    code: str
    name: str
    text: str
    level: Literal["emergency", "urgent", "soon", "routine", "none"] = Field(description="how soon it is acted on")
    lowers_claim: bool = Field(
        description="the model's classes were learnt from traces without it: none of them is settled beside it"
    )


class MeasurementAnswer(Answer):
    """One figure measured on the signal of an ECG."""

    code: str
    name: str
    lead: str | None = Field(default=None, description="of a figure that each lead has")
    value: float | None = Field(description="null where it could not be measured")
    unit: str
    low: float | None = Field(description="reference range by age and sex, where these were told; null without one")
    high: float | None
    state: Literal["normal", "low", "high", "measured", "not_measurable"] = Field(
        description="measured: there is no range to hold it against"
    )
    how: str = Field(description="how it was measured, or why it was not")
    finding: MeasuredFindingAnswer | None = Field(default=None, description="of a figure outside its range")
