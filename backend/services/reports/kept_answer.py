"""What a report reads of an answer that was kept, whichever task it is of and whichever version made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from backend.schemas.common import ModelAnswer, ProvenanceAnswer, TriageAnswer
from backend.schemas.ecg import MeasurementAnswer, RecordingAnswer
from backend.schemas.findings import FindingAnswer, PredictionSetAnswer
from backend.schemas.images import DicomAnswer, FieldOfViewAnswer, RankedAnswer, RecommendationAnswer, UrgencyAnswer
from backend.schemas.symptoms import RankedDiseaseAnswer, RedFlagAnswer, UnderstoodAnswer
from backend.schemas.tabular import MissingFactorAnswer, ProbabilityInterval, RiskFactorAnswer
from ml_model.inputs.dicom.presentation import Presentation


class Part(BaseModel):
    """Reads what it knows and passes over the rest."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class KeptPrediction(Part):
    """What is named, by the fields of all kinds of answers."""

    name: str | None = None
    disease: str | None = None
    condition: str | None = None
    risk_level: str | None = None
    confidence: float | None = None
    probability: float | None = None
    interval: ProbabilityInterval | None = None
    settled: bool = True
    abstain: bool = False
    abstain_reason: str | None = None
    abstain_reasons: tuple[str, ...] = ()
    birads: str | None = None


class KeptCheck(Part):
    """What the input gate said."""

    modality: str | None = None
    expected: str = ""
    accepted: bool = True
    score: float | None = None
    threshold: float | None = None
    distance: float | None = None
    distance_limit: float | None = None
    quality: dict[str, Any] = Field(default_factory=dict)
    field_of_view: FieldOfViewAnswer | None = None
    cropped: tuple[int, int, int, int] | None = None
    cropped_pictures: tuple[tuple[int, int, int, int] | None, ...] = ()
    dicom: tuple[DicomAnswer | None, ...] = ()
    warnings: tuple[str, ...] = ()


class KeptExplanation(Part):
    explained: str = Field("", alias="class")
    method: str = ""
    note: str = ""
    peak_region: tuple[int, int, int, int] | None = None
    peak_seconds: tuple[float, float] | None = None


class KeptAnswer(Part):
    """An answer of `/analyze/<task>`, `/predict-disease` or `/predict-heart`."""

    warning: str | None = None
    triage: TriageAnswer
    urgency: UrgencyAnswer | None = None
    prediction: KeptPrediction | None = None
    headline: str | None = None
    findings: tuple[FindingAnswer, ...] = ()
    all_predictions: tuple[RankedAnswer, ...] = ()
    top_predictions: tuple[RankedDiseaseAnswer, ...] = ()
    multi_label: bool = False
    recommendation: RecommendationAnswer | None = None
    recommendations: Any = None
    prediction_set: PredictionSetAnswer | None = None
    explanation: KeptExplanation | None = None
    input_check: KeptCheck | None = None
    recording: RecordingAnswer | None = None
    measurements: tuple[MeasurementAnswer, ...] = ()
    red_flags: tuple[RedFlagAnswer, ...] = ()
    understood: tuple[UnderstoodAnswer, ...] = ()
    symptoms_analyzed: tuple[str, ...] = ()
    something_else: float | None = None
    abstain: bool = False
    abstain_reasons: tuple[str, ...] = ()
    age_years: float | None = None
    sex: str | None = None
    risk_factors: dict[str, RiskFactorAnswer] = Field(default_factory=dict)
    missing_factors: tuple[MissingFactorAnswer, ...] = ()
    information: float | None = None
    model: ModelAnswer
    provenance: ProvenanceAnswer
    disclaimer: str = ""

    @property
    def abstained(self) -> bool:
        """Whether no statement is made."""
        return self.abstain or bool(self.prediction and self.prediction.abstain)

    @property
    def abstain_texts(self) -> tuple[str, ...]:
        """Why not."""
        said = self.prediction
        of_named = (said.abstain_reason, *said.abstain_reasons) if said else ()
        return tuple(text for text in (*of_named, *self.abstain_reasons) if text)


def presentation_of(result: Mapping[str, Any]) -> Presentation:
    """Frame and window that a picture was answered from; before the answers told them the first frame was."""
    told = (result.get("input_check") or {}).get("dicom") or [None]
    asked = (result.get("provenance") or {}).get("request") or {}
    return Presentation(told[0]["frame"] if told[0] else 1, asked.get("window"))
