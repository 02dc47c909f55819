"""Parts of the task files that take no picture: symptom lists and risk factors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ml_model.tasks.coding import Concept
from ml_model.tasks.triage_scale import TriageLevel

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
FactorRisk = Literal["normal", "moderate", "high"]
RiskLevel = Literal["Low", "Low-Moderate", "Moderate", "Moderate-High", "High"]
FACTOR_RISKS: tuple[FactorRisk, ...] = ("normal", "moderate", "high")


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
    """One value of a categorical factor, and its label.

    at_most: the gravest word for it, whatever it adds to an estimate. note: what must be known of it beside what it
    adds. triage: how soon it must be acted on by itself, for the reason that `note` gives.
    """

    value: int
    label: Text
    at_most: FactorRisk = "high"
    note: Text | None = None
    triage: TriageLevel | None = None

    @model_validator(mode="after")
    def _says_why(self) -> CategoryLevel:
        if self.triage is not None and self.note is None:
            raise ValueError(f"{self.label}: triage needs a note that says why")
        return self


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
    concept: Concept | None = None
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

    @property
    def contract(self) -> dict[str, Any]:
        """What a bundle is bound to: the name, the unit, the range or the values."""
        shape = {"name", "unit", "required", "minimum", "maximum"}
        return {**self.model_dump(mode="json", include=shape), "values": [c.value for c in self.categories]}

    def value_level(self, value: float) -> FactorRisk | None:
        """Where a measured value lies in the factor's own range; None of a factor with categories, or without bounds.

        It says nothing of what the value adds to an estimate.
        """
        if self.moderate_from is None and self.high_from is None:
            return None
        sign = -1 if self.falling else 1
        if self.high_from is not None and sign * value >= sign * self.high_from:
            return "high"
        if self.moderate_from is not None and sign * value >= sign * self.moderate_from:
            return "moderate"
        return "normal"

    def category(self, value: float) -> CategoryLevel | None:
        """The category of that value; None of a measured factor."""
        return next((category for category in self.categories if category.value == value), None)


class FactorWords(Part):
    """From which contribution, in log-odds against the average patient, a factor is called moderate or high."""

    moderate_from: float = Field(gt=0)
    high_from: float = Field(gt=0)

    @model_validator(mode="after")
    def _rise(self) -> FactorWords:
        if self.moderate_from >= self.high_from:
            raise ValueError("moderate_from must be below high_from")
        return self

    def word(self, contribution: float, category: CategoryLevel | None = None) -> FactorRisk:
        """What a factor that adds so much is called; what lowers the estimate is normal."""
        word: FactorRisk = "normal"
        if contribution >= self.moderate_from:
            word = "high" if contribution >= self.high_from else "moderate"
        return min(word, category.at_most, key=FACTOR_RISKS.index) if category else word


class RiskBand(Part):
    """Probabilities below `below` (and not in an earlier band) get this level and text."""

    risk_level: RiskLevel
    below: float = Field(gt=0, le=1)
    condition: Text
    severity: Literal["healthy", "low", "moderate", "high", "critical"]
    recommendations: tuple[Text, ...] = Field(min_length=1)


def _has_room_for(text: str, *names: str) -> str:
    """A text with places for these values and no other. Raises ValueError."""
    try:
        text.format(**dict.fromkeys(names, "x"))
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"{text!r} may only have places for {', '.join(names)}") from error
    return text


class Withheld(Part):
    """What is said where too little is given. `reason` may name given, minimum and next."""

    risk_level: Text
    condition: Text
    reason: Text
    recommendations: tuple[Text, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> Withheld:
        _has_room_for(self.reason, "given", "minimum", "next")
        return self


class LevelTexts(Part):
    """What is to be done at each level, in a sentence."""

    none: Text
    routine: Text
    soon: Text
    urgent: Text
    emergency: Text


class RiskReasonTexts(Part):
    """Why an answer has its level: the band it is in, a graver one that its interval reaches, the one above which the
    interval lies though the answer is withheld, and a model that was not shown to be of use. The first three may name
    condition, probability, low and high."""

    named: Text
    in_question: Text
    at_least: Text
    insufficient_evidence: Text

    @model_validator(mode="after")
    def _fit(self) -> RiskReasonTexts:
        for text in (self.named, self.in_question, self.at_least):
            _has_room_for(text, "condition", "probability", "low", "high")
        return self


class RiskAnswerRules(Part):
    """How a probability becomes an answer.

    minimum_information: share of the log-odds' variance that the given inputs must carry for an answer, 0-1.
    """

    minimum_information: float = Field(ge=0, lt=1)
    factor_words: FactorWords
    withheld: Withheld
    reasons: RiskReasonTexts
    levels: LevelTexts
