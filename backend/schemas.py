"""What goes in and out over HTTP. The OpenAPI document is made from these classes.

Answers are written with `to_json`: fields that were not set are left out (a `warning` is
there only in demo mode), fields set to None are null, and NaN is refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ml_model.spec import Severity
from ml_model.spec_tabular import FactorRisk

Probability = Annotated[float, Field(ge=0, le=1)]
Evidence = Literal["sufficient", "limited", "insufficient"]


class Answer(BaseModel):
    """Base of what is sent."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Asked(BaseModel):
    """Base of what is received: unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def to_json(answer: Answer, status: int = 200) -> Response:
    """An answer as a response."""
    text = answer.model_dump_json(by_alias=True, exclude_unset=True)
    return Response(text + "\n", status=status, mimetype="application/json")


class ErrorAnswer(Answer):
    """The one shape of every error."""

    success: Literal[False]
    error: str = Field(description="what was wrong, what was received, what to do")
    code: str = Field(description="snake_case, for programs")
    request_id: str


class AnalyzeQuery(BaseModel):
    """How an image answer should look. Unknown parameters are ignored."""

    explain: Literal["none", "url", "inline"] = Field("url", description="where the heatmap goes")
    target: str | None = Field(None, description="code of the class to explain; the predicted one if absent")
    top_k: int | None = Field(None, ge=1, le=1000, description="at most this many entries in all_predictions")
    modality: str | None = Field(None, description="what kind of picture it is, where a task reads several kinds")
    age_years: float | None = Field(None, ge=0, le=130, description="age, where populations are judged apart")
    view: Literal["PA", "AP"] | None = Field(None, description="projection of a chest X-ray")


class PredictionAnswer(Answer):
    """The class the answer settles on."""

    class_id: int
    code: str
    name: str
    type: str
    confidence: Probability
    confidence_percent: str
    birads: str | None = None


class RankedAnswer(Answer):
    code: str
    name: str
    confidence: Probability


class StagingAnswer(Answer):
    stage: str
    description: str
    prognosis: str


class UrgencyAnswer(Answer):
    timeline: str
    action: str
    color: str


class RecommendationAnswer(Answer):
    level: Severity
    title: str
    message: str
    actions: tuple[str, ...]


class ExplanationAnswer(Answer):
    """Which part of the picture pushed the class's score up."""

    method: str
    explained: str = Field(serialization_alias="class")
    heatmap_url: str | None = None
    heatmap_png_base64: str | None = None
    peak_region: tuple[int, int, int, int] | None = Field(None, description="x, y, width, height in original pixels")
    note: str


class PredictionSetAnswer(Answer):
    coverage: Probability
    classes: tuple[str, ...]
    note: str


class InputCheckAnswer(Answer):
    modality: str | None
    expected: str
    accepted: bool
    score: float | None
    quality: dict[str, Any]


class ModelAnswer(Answer):
    """Which model answered. Null where none did (demo mode)."""

    task: str
    version: str | None
    sha256: str | None
    trained_on: str | None
    operating_point: dict[str, Any] | None
    population: str | None = Field(None, description="the population it was judged for; null if not known")
    population_told_by: Literal["age_years", "dicom", "picture"] | None = None
    view: str | None = Field(None, description="the projection whose own operating point it was; null if none")
    evidence: Evidence


class AnalyzeAnswer(Answer):
    """Answer to one medical image."""

    warning: str | None = None
    success: Literal[True]
    prediction: PredictionAnswer
    multi_label: bool
    positives: tuple[str, ...] = Field(description="codes of the classes called present")
    all_predictions: tuple[RankedAnswer, ...]
    severity: Severity
    staging: StagingAnswer
    urgency: UrgencyAnswer
    treatment_options: tuple[str, ...]
    recommendations: RecommendationAnswer | tuple[str, ...]
    recommendation: RecommendationAnswer
    explanation: ExplanationAnswer
    prediction_set: PredictionSetAnswer
    input_check: InputCheckAnswer
    model: ModelAnswer
    demo_mode: bool
    request_id: str
    processing_ms: float
    disclaimer: str


class LabelAnswer(Answer):
    """An image answer in the labels of the data set, for clients that know no categories."""

    warning: str | None = None
    success: Literal[True]
    risk_level: str
    probability: Probability = Field(description="of the classification")
    classification: str
    diagnosis: str
    class_probabilities: dict[str, Probability]
    model: ModelAnswer
    demo_mode: bool
    request_id: str
    processing_ms: float
    disclaimer: str


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


class HealthAnswer(Answer):
    status: Literal["healthy"]
    service: str
    version: str
    models: dict[str, bool]
    problems: dict[str, str] = Field(description="by task: why its own or a user's model is not the one serving")
    demo_mode: bool = Field(description="whether a task without a model answers with an example")
    tensorflow: bool
    pil: bool
    uptime_s: float


class StateAnswer(Answer):
    status: str
    models: dict[str, bool] | None = None


class ModelDescription(Answer):
    """One task and the model that serves it."""

    task: str
    title: str
    kind: Literal["image", "symptoms", "risk"]
    endpoint: str
    loaded: bool
    source: Literal["bundled", "user"] | None
    version: str | None
    sha256: str | None
    trained_on: str | None
    evidence: Evidence
    licence: str
    intended_use: str
    limits_of_use: tuple[str, ...]
    multi_label: bool | None = None
    input: dict[str, Any] | None = None
    classes: tuple[dict[str, Any], ...] | None = None
    fields: tuple[dict[str, Any], ...] | None = None
    operating_point: dict[str, Any] | None
    populations: tuple[dict[str, Any], ...] = Field((), description="those judged apart: name, evidence, own point")
    metrics: dict[str, Any]


class ModelsAnswer(Answer):
    models: tuple[ModelDescription, ...]
    count: int


class EndpointAnswer(Answer):
    method: str
    path: str
    summary: str


class IndexAnswer(Answer):
    name: str
    version: str
    endpoints: tuple[EndpointAnswer, ...]
    disclaimer: str
