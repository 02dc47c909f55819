"""What must not be missed, in three states."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from backend.schemas.common import Answer, Probability


class IntervalAnswer(Answer):
    """A figure on the test split with its 95 % interval."""

    value: Probability
    low: Probability
    high: Probability


class SiteThresholdsAnswer(Answer):
    """Where a site's own thresholds are from, and what they came to on its cases (cross-fitted); null where that was
    not measured."""

    made_on: str = Field(description="year-month-day")
    cases: int = Field(description="of the site, that the thresholds were chosen on")
    count: int | None = Field(description="of these, with the finding")
    sensitivity: IntervalAnswer | None = Field(description="share of those with it that are not ruled out")
    suspected: IntervalAnswer | None = Field(description="share of those with it that are suspected")
    specificity: IntervalAnswer | None = Field(description="share of those without it that are not suspected")
    ruled_out: IntervalAnswer | None = Field(description="share of those without it that are ruled out")


class FindingAnswer(Answer):
    """Something that must not be missed, in one of three states. Figures: of the test split, of the population judged
    for where that was measured; null with a site's own thresholds, whose figures are in `site`."""

    code: str
    name: str
    classes: tuple[str, ...]
    probability: Probability = Field(description="of its classes together")
    state: Literal["ruled_out", "indeterminate", "suspected"]
    message: str | None = Field(description="what to do; null where it is ruled out")
    rule_out_below: Probability | None = Field(description="null: never ruled out, why_never_ruled_out says why")
    rule_in_from: Probability | None = Field(description="null where nothing was measured")
    why_never_ruled_out: str | None = None
    site: SiteThresholdsAnswer | None = Field(
        default=None, description="of thresholds that are the site's own (LOCAL_OPERATING_POINTS); else left out"
    )
    count: int | None = Field(description="test cases with it")
    sensitivity: IntervalAnswer | None = Field(description="share of those with it that are not ruled out")
    suspected: IntervalAnswer | None = Field(description="share of those with it that are suspected")
    specificity: IntervalAnswer | None = Field(description="share of those without it that are not suspected")
    ruled_out: IntervalAnswer | None = Field(description="share of those without it that are ruled out")
    prevalence: Probability | None = Field(default=None, description="as asked with ?prevalence=")
    positive_predictive_value: Probability | None = Field(
        default=None, description="how often a suspected finding is there"
    )
    negative_predictive_value: Probability | None = Field(
        default=None, description="how often a finding that is ruled out is not there"
    )


class OperatingPointAnswer(Answer):
    """A finding as suspected or not, for clients that know no three states; `findings` says more."""

    finding: str
    classes: tuple[str, ...]
    probability: Probability
    threshold: Probability
    reached: bool
    rule: str
    sensitivity: IntervalAnswer | None = Field(description="on the test split, of the population judged for")
    specificity: IntervalAnswer | None
    prevalence: Probability | None = Field(default=None, description="as asked with ?prevalence=")
    positive_predictive_value: Probability | None = None
    negative_predictive_value: Probability | None = None
    message: str | None = Field(default=None, description="what to do; only where it is suspected or open")


class PredictionSetAnswer(Answer):
    coverage: Probability = Field(description="what it was made for")
    measured: dict[str, IntervalAnswer] = Field(
        description="how often sets hold it, by label on test, or over `vignettes`; empty where it was not measured"
    )
    classes: tuple[str, ...]
    note: str
