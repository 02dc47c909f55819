"""Concepts of published terminologies, as task files name them beside their own words."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

# As the units of task files are written -> the Unified Code for Units of Measure.
UCUM = {
    "1": "1", "1/min": "/min", "degree": "deg", "mg/dL": "mg/dL", "mm": "mm", "mmHg": "mm[Hg]", "ms": "ms", "mV": "mV",
    "years": "a",
}  # fmt: skip


class Concept(BaseModel):
    """One concept. scheme, as DICOM designates it: SNOMED CT (SCT), DICOM's own (DCM), LOINC (LN), ISO/IEEE 11073 (MDC,
    its value as `partition:code`), ICD-10 (I10). meaning: the words of the terminology, not ours."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scheme: Literal["SCT", "DCM", "LN", "MDC", "I10"]
    value: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9.:-]{0,17}$")]
    meaning: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
