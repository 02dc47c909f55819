"""Measured risk factors: what is answered; what is asked is read by `ml_model.inputs.tabular`."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from backend.schemas.common import KEPT_AS, Answer, ModelAnswer, Probability, ProvenanceAnswer, TriageAnswer
from ml_model.tasks.registry import Severity
from ml_model.tasks.tabular_schema import FactorRisk


class ProbabilityInterval(Answer):
    low: Probability
    high: Probability


class RiskPrediction(Answer):
    condition: str
    risk_level: str = Field(description="Undetermined where the answer is withheld")
    probability: Probability
    interval: ProbabilityInterval = Field(
        description="of at least 90 %, by what is missing and by the patients and hospitals it was fitted to"
    )
    confidence_percent: str
    abstain: bool = Field(description="too little was given: the probability is no answer, and in no band")
    abstain_reasons: tuple[str, ...]


class RiskFactorAnswer(Answer):
    value: float
    unit: str
    risk: FactorRisk = Field(description="a word for the contribution")
    contribution: float = Field(description="log-odds that this factor adds, against the average patient of the data")
    value_level: FactorRisk | None = Field(
        description="where the value lies in the factor's own range, whatever it adds; null without one"
    )
    note: str | None = Field(description="what must be known of the value beside what it adds")


class MissingFactorAnswer(Answer):
    name: str
    information: Probability = Field(description="share of the log-odds' variance over patients that it would add")
    low: Probability = Field(description="once it is given, nine of ten such patients have a probability from here")
    high: Probability = Field(description="to here")


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
    triage: TriageAnswer
    missing: tuple[str, ...]
    information: Probability | None = Field(
        description="share of the log-odds' variance over patients that the given factors carry; null in demo mode"
    )
    missing_factors: tuple[MissingFactorAnswer, ...] = Field(description="what is missing, the most telling first")
    model: ModelAnswer
    provenance: ProvenanceAnswer
    prediction_id: UUID | None = KEPT_AS
    demo_mode: bool
    request_id: str
    processing_ms: float
    disclaimer: str
