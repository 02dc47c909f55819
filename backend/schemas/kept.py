"""Keeping what the open addresses answer, and printing what is kept."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from backend.schemas.common import Answer
from backend.schemas.images import AnalyzeQuery
from backend.schemas.records import PatientRef


class KeepQuery(BaseModel):
    """Whether an answer is kept."""

    keep: bool | None = Field(
        None, description="true: with the token's account, as one of its records; left out: as its setting says"
    )
    patient_ref: PatientRef | None = None


class KeptAnalyzeQuery(AnalyzeQuery, KeepQuery):
    """How an image answer should look, and whether it is kept."""

    def asked(self) -> AnalyzeQuery:
        """Without what decides nothing of the answer."""
        return AnalyzeQuery.model_validate(self.model_dump(exclude=set(KeepQuery.model_fields), exclude_unset=True))


class ReportQuery(BaseModel):
    """How a report is printed."""

    paper: Literal["A4", "Letter"] = "A4"


class VerifyQuery(BaseModel):
    """What a report says of its record."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="of the record, as it is printed on the report")


class VerifyAnswer(Answer):
    """Whether a report is of a record of this service. Nothing of the record is told."""

    success: Literal[True]
    prediction_id: UUID
    genuine: bool
    text: str
