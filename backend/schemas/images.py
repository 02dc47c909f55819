"""Pictures and recordings: what is asked and answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema

from backend.schemas.common import KEPT_AS, Answer, ModelAnswer, Probability, ProvenanceAnswer, TriageAnswer
from backend.schemas.ecg import MeasurementAnswer, RecordingAnswer
from backend.schemas.findings import FindingAnswer, OperatingPointAnswer, PredictionSetAnswer
from ml_model.inputs.dicom.presentation import WINDOW, WINDOWS_HU, is_window
from ml_model.tasks.registry import Severity


def _a_window(text: str) -> str:
    if not is_window(text):
        raise ValueError(f"expected {', '.join(WINDOWS_HU)}, or centre,width in figures such as -600,1500")
    return text


Window = Annotated[str, AfterValidator(_a_window), WithJsonSchema({"type": "string", "pattern": WINDOW})]


class PictureQuery(BaseModel):
    """Which picture of a DICOM file is read, and how."""

    frame: int | None = Field(
        None, ge=1, le=100_000, description="of a DICOM file of several, from 1; the middle one if absent"
    )
    window: Window | None = Field(
        None,
        description="of a grey DICOM picture, in place of the file's own: of CT lung, bone, brain or soft; or "
        "centre,width in the file's values (of CT Hounsfield units)",
    )


class AnalyzeQuery(PictureQuery):
    """How an image answer should look."""

    explain: Literal["none", "url", "inline"] = Field("url", description="where the heatmap goes")
    target: str | None = Field(None, description="code of the class to explain; the predicted one if absent")
    top_k: int | None = Field(None, ge=1, le=1000, description="at most this many entries in all_predictions")
    modality: str | None = Field(
        None, description="what kind of picture it is, where a task reads several; capitals and `-` for `_` will do"
    )
    age_years: float | None = Field(None, ge=0, le=130, description="age, where it counts or tells populations apart")
    sex: Literal["female", "male"] | None = Field(None, description="for the reference ranges of an ECG")
    view: Literal["PA", "AP"] | None = Field(None, description="projection of a chest X-ray")
    sampling_rate_hz: float | None = Field(None, gt=0, le=10_000, description="of a recording that does not say it")
    gate: Literal["on", "warn", "off"] = Field(
        "on", description="refuse what is of another kind or of poor quality, only warn of it, or do not look"
    )
    prevalence: float | None = Field(
        None, gt=0, lt=1, description="share of people with the finding, for the predictive values"
    )
    pixel_size_um: float | None = Field(None, gt=0, le=1000, description="of a microscope picture, in micrometres")


class PredictionAnswer(Answer):
    """The class the answer settles on."""

    class_id: int
    code: str
    name: str
    type: str
    confidence: Probability
    confidence_percent: str
    settled: bool = Field(
        description="whether the class can be leant on: nothing graver is open, it lies in the prediction set, and the "
        "model's evidence suffices"
    )
    abstain: bool = Field(description="whether no statement can be made")
    abstain_reason: str | None
    birads: str | None = None
    screening_probability: Probability | None = Field(
        default=None, description="calibrated, at the prevalence of screening"
    )


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
    map_url: str | None = Field(default=None, description="the same map as numbers")
    peak_region: tuple[int, int, int, int] | None = Field(None, description="x, y, width, height in original pixels")
    peak_seconds: tuple[float, float] | None = Field(default=None, description="of a recording: from, to")
    note: str


class ActivationMapAnswer(Answer):
    """The map behind an overlay, as numbers."""

    success: Literal[True]
    method: str
    explained: str = Field(serialization_alias="class", description="code of the class whose score it explains")
    rows: int
    columns: int
    values: tuple[tuple[Probability, ...], ...] = Field(
        description="from the top row down, each from the left; the strongest cell is 1, all are 0 in an empty map"
    )
    peak: float = Field(ge=0, description="the strongest cell as the model gave it; values times it are the model's")
    frame: tuple[float, float, float, float] | None = Field(
        description="x, y, width, height of the map in original pixels, beyond the picture where that was filled up by "
        "reflection; null for a recording"
    )
    seconds: tuple[float, float] | None = Field(description="of a recording: from, to; null for a picture")
    note: str


class FieldOfViewAnswer(Answer):
    """Size of a microscope picture's field; told_by "pixels" means at least so large."""

    width_um: float
    height_um: float
    told_by: Literal["pixel_size_um", "dicom", "pixels"]
    expected_um: tuple[float, float] = Field(description="narrowest and widest field that the model expects")


class DicomAnswer(Answer):
    """What the header of a DICOM picture says, in DICOM's words; null where it is silent or says none of these."""

    modality: str | None
    body_part: str | None
    view: str | None
    laterality: Literal["R", "L", "B", "U"] | None
    pixel_spacing_mm: tuple[float, float] | None = Field(
        description="between rows, between columns; at the detector for radiographs"
    )
    frame: int = Field(description="the one that was answered, from 1")
    frames: int


class InputCheckAnswer(Answer):
    modality: str | None
    expected: str
    accepted: bool
    score: float | None
    quality: dict[str, Any]
    threshold: float | None = Field(default=None, description="score from which the expected kind is accepted")
    distance: float | None = Field(default=None, description="to the training pictures, in the embedding")
    distance_limit: float | None = Field(default=None, description="distance from which a picture is refused")
    kind_told_by: Literal["request", "dicom", "picture"] | None = Field(
        default=None, description="what decided between the kinds that the address reads, or that the request said it"
    )
    field_of_view: FieldOfViewAnswer | None = Field(default=None, description="of a microscope picture")
    cropped: tuple[int, int, int, int] | None = Field(
        default=None,
        description="x, y, width and height, in pixels of the upload, of the part that was answered from, "
        "where a frame or a window was around it; of the first of several pictures",
    )
    cropped_pictures: tuple[tuple[int, int, int, int] | None, ...] | None = Field(
        default=None,
        description="the same of each picture, where several were sent and something was around any of them",
    )
    dicom: tuple[DicomAnswer | None, ...] | None = Field(
        default=None, description="of each picture in its order, null for one that is not DICOM; left out where none is"
    )
    warnings: tuple[str, ...] = Field(default=(), description="what speaks against relying on the answer")


class AnalyzeAnswer(Answer):
    """Answer to one medical image."""

    warning: str | None = None
    success: Literal[True]
    headline: str = Field(description="the named class, what is open beside it, what was measured beyond its range")
    triage: TriageAnswer
    findings: tuple[FindingAnswer, ...]
    prediction: PredictionAnswer
    multi_label: bool
    positives: tuple[str, ...] = Field(
        description="codes of the classes called present: the named one, or of several labels those suspected"
    )
    all_predictions: tuple[RankedAnswer, ...]
    severity: Severity
    staging: StagingAnswer
    urgency: UrgencyAnswer
    treatment_options: tuple[str, ...]
    recommendations: RecommendationAnswer | tuple[str, ...]
    recommendation: RecommendationAnswer
    explanation: ExplanationAnswer
    prediction_set: PredictionSetAnswer
    operating_points: tuple[OperatingPointAnswer, ...]
    input_check: InputCheckAnswer
    recording: RecordingAnswer | None = Field(default=None, description="of an ECG")
    measurements: tuple[MeasurementAnswer, ...] | None = Field(
        default=None, description="of an ECG whose signal was read"
    )
    model: ModelAnswer
    provenance: ProvenanceAnswer
    prediction_id: UUID | None = KEPT_AS
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
    settled: bool = Field(description="false: the classification is the likeliest, and something graver is open")
    triage: TriageAnswer
    diagnosis: str
    class_probabilities: dict[str, Probability]
    model: ModelAnswer
    provenance: ProvenanceAnswer
    demo_mode: bool
    request_id: str
    processing_ms: float
    disclaimer: str


class HistoryEntry(Answer):
    """One answer of this session; nothing of the file is kept."""

    task: str
    prediction: str
    settled: bool
    confidence: Probability
    answered_at: str = Field(description="UTC")
    request_id: str
    model_version: str | None


class HistoryAnswer(Answer):
    """This session's answers, newest first."""

    success: Literal[True]
    history: tuple[HistoryEntry, ...]
    count: int


class TissueAnswer(Answer):
    """A histology answer in two words."""

    warning: str | None = None
    success: Literal[True]
    prediction: str
    settled: bool = Field(description="false: the word is the likelier one, and something graver is open")
    triage: TriageAnswer
    confidence: Probability
    model: ModelAnswer
    provenance: ProvenanceAnswer
    demo_mode: bool
    request_id: str
    processing_ms: float
    disclaimer: str
