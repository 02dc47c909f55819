"""How one study of a patient differs from the one before it."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from backend.schemas.common import Answer, Probability
from ml_model.diagnosis.findings import FindingState


class FindingChange(Answer):
    code: str
    name: str
    before: Probability
    after: Probability
    state_before: FindingState
    state_after: FindingState
    change_log_odds: float
    limit_log_odds: float | None = Field(
        description="what 95 of 100 repeated pictures of one thing stay within; null: not known, as the note says why"
    )
    within_repeats: bool | None = Field(description="whether the change is no larger than that; null: not known")
    note: str


class RegionChange(Answer):
    """Of the region of interest, where the pictures lie on each other."""

    before_px: float
    after_px: float = Field(description="in pixels of each upload")
    before_mm2: float | None
    after_mm2: float | None
    ratio: float = Field(description="of the shares of the picture, after to before: another distance is another share")
    limit_ratio: float | None = Field(
        description="the larger to the smaller, what 95 of 100 repeated pictures stay within; null: not known"
    )
    within_repeats: bool | None = Field(description="whether the change is no larger than that; null: not known")


class Comparison(Answer):
    """With the record before it of the same task. A change of a score is no growth of a lesion."""

    since: UUID
    findings: tuple[FindingChange, ...]
    no_limits_because: str | None = Field(
        description="why nothing is held against what repeated pictures show; null where it is, if it was measured"
    )
    registered: bool
    not_registered_because: str | None
    shift_px: tuple[float, float] | None = Field(
        description="of what lay in the middle, right and down, in pixels of the later upload"
    )
    scale: float | None = Field(description="how much larger things are in the later picture, longer sides made equal")
    turn_degrees: float | None = Field(description="of the later picture, clockwise")
    similarity: float | None = Field(description="correlation of details where both show something, -1 to 1")
    region: RegionChange | None
    map_correlation: float | None = Field(description="of the activation maps there, both of the later class, -1 to 1")
    least_map_correlation: float | None = Field(
        description="what the maps of 95 of 100 repeated pictures reach; null: not known"
    )
    map_within_repeats: bool | None = Field(description="whether they do, too; null: not known")
    summary: str
    note: str
