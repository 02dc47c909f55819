"""What goes in and out over HTTP. The OpenAPI document is made from these classes.

Answers are written by `backend.endpoint`: fields that were not set are left out (a `warning` is
there only in demo mode), fields set to None are null, and NaN is refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ml_model.tasks.triage_scale import TriageLevel

Probability = Annotated[float, Field(ge=0, le=1)]
Evidence = Literal["sufficient", "limited", "insufficient"]
Source = Literal["bundled", "model_dir", "user"]


FHIR_JSON = "application/fhir+json"
FHIR_R4_JSON = f"{FHIR_JSON}; fhirVersion=4.0"  # as a client may ask for it
# What the OpenAPI document says of a bundle, of whose resources HL7's own schema tells.
FHIR_CONTENT: dict[str, Any] = {
    FHIR_JSON: {"schema": {"type": "object", "required": ["resourceType", "type", "entry"]}}
}

# Of an answer that an account has kept; left out where none is.
KEPT_AS: Any = Field(default=None, description="of the record, where the answer is kept; null for an example")


class Answer(BaseModel):
    """Base of what is sent."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class TriageReasonAnswer(Answer):
    code: str = Field(description="snake_case, for programs")
    level: TriageLevel
    text: str


class TriageAnswer(Answer):
    """How soon a case must be acted on: the gravest of its reasons."""

    level: TriageLevel
    reasons: tuple[TriageReasonAnswer, ...] = Field(description="the gravest first")
    text: str = Field(description="what is to be done")


class ErrorAnswer(Answer):
    """The one shape of every error."""

    success: Literal[False]
    error: str = Field(description="what was wrong, what was received, what to do")
    code: str = Field(description="snake_case, for programs", pattern="^[a-z0-9_]+$")
    request_id: str


class ProblemAnswer(ErrorAnswer):
    """The same as RFC 9457 problem details, for who asks for application/problem+json."""

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str


class ModelAnswer(Answer):
    """Which model answered. Null where none did (demo mode)."""

    task: str
    source: Source | None = Field(description="bundled: shipped; model_dir: of MODEL_DIR; user: a user's own file")
    version: str | None
    sha256: str | None
    trained_on: str | None
    operating_point: dict[str, Any] | None = Field(description="of a task with one finding; see findings")
    local_operating_points: str | None = Field(
        None, description="SHA-256 of the site's own thresholds that findings were held against; else left out"
    )
    population: str | None = Field(None, description="the population it was judged for; null if not known")
    population_told_by: Literal["age_years", "dicom", "picture"] | None = None
    view: str | None = Field(None, description="the projection whose own operating point it was; null if none")
    judged_as: str | None = Field(
        None,
        description="whose thresholds of findings and prediction set it was held against: a population, one of its "
        "views, `age given`, or `page` for a signal that was read off one; null: those of everything",
    )
    age_told_by: Literal["age_years", "dicom"] | None = Field(
        None, description="who said the age that the probabilities take into account; null if none was"
    )
    evidence: Evidence


class ProvenanceAnswer(Answer):
    """With `model`, all that the answer was made from: `python -m ml_model.replay` makes it again."""

    input_sha256: tuple[str, ...] = Field(description="of the files in their order, or of the JSON body, as sent")
    preprocessing_sha256: str = Field(
        description="of the input's declaration, of the code and data that make the model's input of it, and of the "
        "libraries which that code calls"
    )
    engine: str | None = Field(description="what computed the model; null in demo mode")
    request: dict[str, Any] = Field(description="the query parameters that were not left at their defaults")


class HealthAnswer(Answer):
    status: Literal["healthy", "degraded"] = Field(
        description="degraded: a bundle is there that cannot be used, or a folder of bundles that was named is not"
    )
    service: str
    version: str
    models: dict[str, bool]
    problems: dict[str, str] = Field(description="by task: why its own or a user's model is not the one serving")
    notes: dict[str, str] = Field(
        description="what is amiss though every answer is as ever: by task, or by the setting of a folder"
    )
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
    source: Source | None
    version: str | None
    sha256: str | None
    trained_on: str | None
    evidence: Evidence
    licence: str
    intended_use: str
    limits_of_use: tuple[str, ...]
    multi_label: bool | None = None
    input: dict[str, Any] | None = None
    signal: dict[str, Any] | None = Field(None, description="what the model of recordings takes")
    classes: tuple[dict[str, Any], ...] | None = None
    fields: tuple[dict[str, Any], ...] | None = None
    findings: dict[str, Any] = Field({}, description="by code, the thresholds between which nothing is settled")
    populations: tuple[dict[str, Any], ...] = Field((), description="those judged apart: name, evidence, findings")
    age_counts: bool = Field(False, description="whether an age, where one is known, moves the probabilities")
    members: tuple[dict[str, Any], ...] = Field(
        (), description="further models of the task, such as that of recordings"
    )
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
