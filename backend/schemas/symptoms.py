"""Symptoms: what is answered; what is asked is read by `ml_model.inputs.tabular`."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from backend.schemas.common import KEPT_AS, Answer, ModelAnswer, Probability, ProvenanceAnswer, TriageAnswer
from backend.schemas.findings import PredictionSetAnswer
from ml_model.tasks.registry import Severity

Ranking = Literal["knowledge", "table"]


class DiseasePrediction(Answer):
    disease: str
    confidence: Probability
    confidence_percent: str


class RankedDiseaseAnswer(Answer):
    disease: str
    probability: Probability
    description: str | None
    precautions: tuple[str, ...]
    lay_name: str | None = Field(default=None, description="what one tells a patient")
    icd10: str | None = None
    speaks_for: tuple[str, ...] = Field(default=(), description="findings of the case, the strongest first")
    speaks_against: tuple[str, ...] = Field(default=(), description="findings of the case, absent ones too")


class UnrecognizedSymptom(Answer):
    given: str
    suggestions: tuple[str, ...]


class MatchedSymptomAnswer(Answer):
    given: str
    name: str
    score: float


class RedFlagAnswer(Answer):
    id: str
    level: Literal["emergency", "urgent", "soon"]
    message: str


class ToldAnswer(Answer):
    text: str
    start: int = Field(description="of the first character, in `description`")
    end: int = Field(description="behind the last one")


class UnderstoodAnswer(ToldAnswer):
    finding: str = Field(description="an id of GET /symptoms")
    name: str
    present: bool = Field(description="false: it was said not to be there")
    history: bool = Field(description="said of the past or of the family")


class QuestionAnswer(Answer):
    finding: str = Field(description="to be sent in `answers` with yes, no or unsure")
    question: str


class DiseaseAnswer(Answer):
    """Diseases that fit what was told, most probable first, and how soon it must be seen."""

    warning: str | None = None
    success: Literal[True]
    prediction: DiseasePrediction | None = Field(
        description="null where nothing is ranked, as of thoughts of self-harm"
    )
    top_predictions: tuple[RankedDiseaseAnswer, ...]
    ranking: Ranking = Field(
        description="knowledge: of the conditions of the symptom checker; table: learnt from a table"
    )
    symptoms_analyzed: tuple[str, ...]
    symptoms_matched: tuple[MatchedSymptomAnswer, ...]
    symptoms_unrecognized: tuple[UnrecognizedSymptom, ...]
    recommendations: tuple[str, ...]
    triage: TriageAnswer
    severity: Severity
    red_flags: tuple[RedFlagAnswer, ...] = Field(description="the gravest first")
    understood: tuple[UnderstoodAnswer, ...] = Field(description="of the description")
    not_understood: tuple[ToldAnswer, ...] = Field(description="words of the description that nothing was made of")
    prediction_set: PredictionSetAnswer = Field(description="its `classes` are the diseases still in question")
    something_else: Probability | None = Field(description="that it is none of the known diseases; null if not known")
    abstain: bool
    abstain_reasons: tuple[str, ...]
    next_questions: tuple[QuestionAnswer, ...] = Field(description="whose answers would tell most")
    age_years: float | None = Field(description="as given, or as told in the description")
    sex: Literal["female", "male"] | None
    model: ModelAnswer
    provenance: ProvenanceAnswer
    prediction_id: UUID | None = KEPT_AS
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
