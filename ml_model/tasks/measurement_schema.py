"""What is measured of an electrocardiogram, as a task file declares it: names, units, reference ranges, findings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints, model_validator

from ml_model.tasks.coding import Concept
from ml_model.tasks.image_schema import Frozen, Text
from ml_model.tasks.triage_scale import TriageLevel

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Sex = Literal["female", "male"]


class MeasuredFinding(Frozen):
    """What a figure beyond its range means, and how soon it is acted on. lowers_claim: the model's classes were learnt
    from traces without it, so that none of them is settled beside it; it is told among the warnings too."""

    code: Code
    name: Text
    text: Text
    level: TriageLevel
    lowers_claim: bool = False


class GraverFinding(MeasuredFinding):
    """What is meant instead by a figure still further out."""

    beyond: float


class GradedFinding(MeasuredFinding):
    """A finding that may be a graver one where the figure lies beyond another limit."""

    graver: GraverFinding | None = None


class ReferenceRange(Frozen):
    """Of people of one sex and of an age in [from, to); without either of all. The first range that fits counts."""

    low: float | None = None
    high: float | None = None
    sex: Sex | None = None
    ages_years: tuple[float, float] | None = None

    def fits(self, age_years: float | None, sex: Sex | None) -> bool:
        """Whether it is of such a person; an unknown age or sex fits a range that is of nobody in particular."""
        if self.sex is not None and self.sex != sex:
            return False
        if self.ages_years is None:
            return True
        return age_years is not None and self.ages_years[0] <= age_years < self.ages_years[1]


class MeasurementSpec(Frozen):
    """One figure. below, above: what it means to lie outside the range."""

    code: Code
    name: Text
    unit: Text
    how: Text
    concept: Concept | None = None
    ranges: tuple[ReferenceRange, ...] = ()
    below: GradedFinding | None = None
    above: GradedFinding | None = None

    @model_validator(mode="after")
    def _last_range_is_of_all(self) -> MeasurementSpec:
        if self.ranges and not self.ranges[-1].fits(None, None):
            raise ValueError(f"{self.code}: the last range must be of everyone, without sex and age")
        return self

    def finding_of(self, value: float, side: Literal["low", "high"]) -> MeasuredFinding | None:
        """What a figure means that lies outside its range on that side."""
        found, away = (self.below, -1) if side == "low" else (self.above, 1)
        if found and found.graver and away * value > away * found.graver.beyond:
            return found.graver
        return found

    def range_of(self, age_years: float | None, sex: Sex | None) -> ReferenceRange:
        """The first range that fits."""
        return next((r for r in self.ranges if r.fits(age_years, sex)), ReferenceRange())
