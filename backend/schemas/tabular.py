"""Symptoms and risk factors: what is answered; what is asked is read by `ml_model.inputs.tabular`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from backend.schemas.common import Answer, ModelAnswer, Probability, ProvenanceAnswer
from ml_model.tasks.registry import Severity
from ml_model.tasks.tabular_schema import FactorRisk


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
    provenance: ProvenanceAnswer
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
    provenance: ProvenanceAnswer
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
