"""Agreement and drift: what is asked and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from backend.schemas.accounts import TEXT
from backend.schemas.common import Answer, Probability

Reference = Literal["test", "validation", "earlier_records", "none"]
State = Literal["steady", "drifted", "too_small", "no_reference"]


class Share(Answer):
    """A share of so many, with its 95 % interval (Wilson)."""

    count: int
    agreed: int
    share: Probability
    low: Probability
    high: Probability


class TaskAgreement(Share):
    by_class: dict[str, Share] = Field(description="by code of the class that was named")
    right_classes: dict[str, dict[str, int]] = Field(description="of those disagreed with: named, and what it was")


class PerformanceAnswer(Answer):
    """The newest word of each clinician on each record."""

    success: Literal[True]
    tasks: dict[str, TaskAgreement]
    note: str


class DriftFigure(Answer):
    """One comparison. `p_value`: how probable chance alone makes such a difference."""

    name: str
    state: State
    reference: Reference
    count: int = Field(description="records of this site")
    difference: float | None = Field(default=None, description="of shares; of quality the test statistic")
    p_value: Probability | None = None


class TaskDrift(Answer):
    model_sha256: str
    drifted: bool
    figures: tuple[DriftFigure, ...]


class DriftAnswer(Answer):
    """The newest records of each task by the model that serves it now."""

    success: Literal[True]
    computed_at: datetime
    tasks: dict[str, TaskDrift]
    note: str


class DatasetQuery(BaseModel):
    """Of which task."""

    task: str = Field(min_length=1, max_length=64, pattern=TEXT)
