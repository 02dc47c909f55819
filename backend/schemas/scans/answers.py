"""Files of any kind: what is asked and answered."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field, RootModel

from backend.schemas.common import Answer, Probability
from backend.schemas.images import AnalyzeAnswer, AnalyzeQuery
from backend.schemas.kept import KeptAnalyzeQuery
from ml_model.tasks.triage_scale import TriageLevel

MOST_SCANS = 16  # files in one request


SCAN_TYPE: Any = Field(
    None, alias="scan_type", max_length=64,
    description="what it is: a task, a kind of picture, or a word of it; capitals, dashes, blanks and underscores do "
    "not count; found out if absent",
)  # fmt: skip


class ScanQuery(KeptAnalyzeQuery):
    """How an answer should look, and what the file is, where the client knows it."""

    model_config = ConfigDict(populate_by_name=True)

    modality: str | None = SCAN_TYPE

    def asked(self) -> AnalyzeQuery:
        """Without what decides nothing of the answer."""
        told = self.model_dump(exclude={"keep", "patient_ref", "modality"}, exclude_unset=True)
        return AnalyzeQuery.model_validate(told)


class RegionAnswer(Answer):
    """A box in pixels of the picture as it was sent, upright."""

    x: int
    y: int
    w: int
    h: int
    score: Probability = Field(description="its strongest cell of the activation map, as a share of the map's peak")


class ScanAnswer(AnalyzeAnswer):
    """Answer to one file of any kind."""

    scan_type: str = Field(description="the kind of picture that was found, as `input.modality` of GET /models says it")
    scan_type_told_by: Literal["request", "content", "dicom", "picture"]
    tumor_detected: bool | None = Field(
        description="true where a finding that means a tumour is suspected; false where each of `tumor_findings` is "
        "ruled out; null while one is open, where nothing can be said, and where the task looks for none"
    )
    tumor_findings: tuple[str, ...] = Field(
        description="names of the findings that it is about; of others it says nothing"
    )
    regions: tuple[RegionAnswer, ...] = Field(
        description="where the activation map is strong, the strongest first: regions of interest, no measured lesions"
    )
    heatmap_url: str | None
    cached: bool = Field(description="whether the same file was answered so before, by the same models")


class ScanFailure(Answer):
    """Why one of several files was not answered."""

    status: int
    code: str = Field(pattern="^[a-z0-9_]+$")
    error: str


class ScanResult(Answer):
    """One of several cases; exactly one of `answer` and `failure` is there."""

    positions: tuple[int, ...] = Field(description="of its files among those that were sent, from 1")
    answer: ScanAnswer | None = None
    failure: ScanFailure | None = None


class ScansAnswer(Answer):
    """Answer to several files, in their order."""

    success: Literal[True]
    results: tuple[ScanResult, ...]
    count: int
    answered: int
    failed: int
    triage_level: TriageLevel | None = Field(description="the gravest of what was answered; null where nothing was")
    request_id: str
    processing_ms: float
    disclaimer: str


class AnyScanAnswer(RootModel[ScanAnswer | ScansAnswer]):
    """Of one case its answer, of several one each."""
