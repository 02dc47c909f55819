"""Parts of the task files that take no picture: symptom lists and risk factors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
FactorRisk = Literal["normal", "moderate", "high"]
RiskLevel = Literal["Low", "Low-Moderate", "Moderate", "Moderate-High", "High"]


def contract_hash(contract: Mapping[str, Any]) -> str:
    """SHA-256 of plain data; independent of the order of keys."""
    return hashlib.sha256(json.dumps(contract, sort_keys=True).encode()).hexdigest()


class Part(BaseModel):
    """Immutable; unknown keys are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceSpec(Part):
    """A public table the task learns from, in `folder` of the data directory."""

    name: Text
    folder: Text
    file: Text
    population: Text
    group_key: Text
    licence: Text
    citation: Text


class RedFlag(Part):
    """Any of `symptoms` puts `message` before every other recommendation."""

    symptoms: tuple[Text, ...] = Field(min_length=1)
    message: Text


class DemographicRule(Part):
    """`diseases` exist only in this sex or age; they are left out when the person's differs."""

    reason: Text
    diseases: tuple[Text, ...] = Field(min_length=1)
    sex: Literal["female", "male"] | None = None
    min_age_years: float | None = Field(default=None, ge=0)
    max_age_years: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _restricts_something(self) -> DemographicRule:
        if self.sex is None and self.min_age_years is None and self.max_age_years is None:
            raise ValueError("a rule needs sex, min_age_years or max_age_years")
        return self


class ConditionText(Part):
    """What is known about one disease. `described_as` is its name in the table of descriptions."""

    disease: Text
    described_as: Text
    precautions: tuple[Text, ...] = Field(min_length=1)


class Language(Part):
    """How people write symptoms. `aliases` maps a symptom of the data to other words for it.

    Each of `families` is words that stand for the first of them ("pain", "ache", "hurts").
    """

    filler_words: tuple[Text, ...]
    negations: tuple[Text, ...]
    families: tuple[tuple[Text, ...], ...] = ()
    aliases: dict[str, tuple[Text, ...]]


class CategoryLevel(Part):
    """One value of a categorical factor, its label, and how it counts on its own."""

    value: int
    label: Text
    risk: FactorRisk


class RiskFeature(Part):
    """One input of a risk model: where it means something, and where it counts as raised on its own.

    A measured factor has `minimum`, `maximum` (in `unit`, both allowed) and the bounds from which it
    is moderate or high; `falling` turns the bounds round (less is worse). A factor with `categories`
    takes only their values.
    """

    name: Name
    label: Text
    unit: str
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    moderate_from: float | None = None
    high_from: float | None = None
    falling: bool = False
    categories: tuple[CategoryLevel, ...] = ()

    @model_validator(mode="after")
    def _measured_or_categorical(self) -> RiskFeature:
        bounds = (self.minimum, self.maximum)
        if self.categories:
            if any(b is not None for b in (*bounds, self.moderate_from, self.high_from)):
                raise ValueError(f"{self.name}: a factor with categories has no range")
            if len({c.value for c in self.categories}) != len(self.categories):
                raise ValueError(f"{self.name}: two categories share a value")
        elif self.minimum is None or self.maximum is None or self.minimum >= self.maximum:
            raise ValueError(f"{self.name}: needs minimum < maximum, or categories")
        return self

    def level(self, value: float) -> FactorRisk:
        """How the value counts on its own: normal, moderate or high."""
        for category in self.categories:
            if category.value == value:
                return category.risk
        sign = -1 if self.falling else 1
        if self.high_from is not None and sign * value >= sign * self.high_from:
            return "high"
        if self.moderate_from is not None and sign * value >= sign * self.moderate_from:
            return "moderate"
        return "normal"


class RiskBand(Part):
    """Probabilities below `below` (and not in an earlier band) get this level and text."""

    risk_level: RiskLevel
    below: float = Field(gt=0, le=1)
    condition: Text
    severity: Literal["healthy", "low", "moderate", "high", "critical"]
    recommendations: tuple[Text, ...] = Field(min_length=1)
