"""Symptoms and risk factors: what is asked and answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from backend.schemas import Answer, Asked, ModelAnswer, Probability
from ml_model.spec import Severity
from ml_model.spec_tabular import FactorRisk

Symptom = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class DiseaseQuestion(Asked):
    """Symptoms in the user's own words."""

    symptoms: list[Symptom] = Field(min_length=1, max_length=100, examples=[["fever", "head ache", "tired"]])
    age: float | None = Field(None, ge=0, le=120, description="years")
    sex: Literal["male", "female"] | None = None


class DiseasePrediction(Answer):
    disease: str
    confidence: Probability
    confidence_percent: str


class RankedDiseaseAnswer(Answer):
    disease: str
    probability: Probability
    description: str | None
    precautions: tuple[str, ...]


class UnrecognizedSymptom(Answer):
    given: str
    suggestions: tuple[str, ...]


class MatchedSymptomAnswer(Answer):
    given: str
    name: str
    score: float


class DiseaseAnswer(Answer):
    """Diseases that fit the symptoms, most probable first."""

    warning: str | None = None
    success: Literal[True]
    prediction: DiseasePrediction
    top_predictions: tuple[RankedDiseaseAnswer, ...]
    symptoms_analyzed: tuple[str, ...]
    symptoms_matched: tuple[MatchedSymptomAnswer, ...]
    symptoms_unrecognized: tuple[UnrecognizedSymptom, ...]
    recommendations: tuple[str, ...]
    model: ModelAnswer
    demo_mode: bool
    request_id: str
    processing_ms: float
    disclaimer: str


class RiskPrediction(Answer):
    condition: str
    risk_level: str
    probability: Probability
    confidence_percent: str


class RiskFactorAnswer(Answer):
    value: float
    unit: str
    risk: FactorRisk
    contribution: float = Field(description="log-odds that this factor adds, against the average patient of the data")


class RiskAnswer(Answer):
    """Risk of one condition from measured factors."""

    warning: str | None = None
    success: Literal[True]
    prediction: RiskPrediction
    risk_factors: dict[str, RiskFactorAnswer]
    baseline_log_odds: float = Field(description="with contributions and imputed part: the logit of probability")
    imputed_log_odds: float = Field(description="what the factors that were filled in add")
    severity: Severity
    recommendations: tuple[str, ...]
    missing: tuple[str, ...]
    model: ModelAnswer
    demo_mode: bool
    request_id: str
    processing_ms: float
    disclaimer: str


class SymptomAnswer(Answer):
    id: str
    name: str
    synonyms: tuple[str, ...]


class SymptomsAnswer(Answer):
    symptoms: tuple[SymptomAnswer, ...]
    count: int
