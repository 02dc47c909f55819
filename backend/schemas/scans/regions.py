"""The region of interest of a picture: what is asked and answered."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from backend.schemas.common import Answer, ModelAnswer, ProvenanceAnswer, TriageAnswer
from backend.schemas.images import AnalyzeQuery, InputCheckAnswer, PictureQuery, PredictionAnswer
from backend.schemas.scans.answers import SCAN_TYPE, RegionAnswer

View = Literal["crop", "mask", "outline", "enhanced"]
PixelSizeTold = Literal["dicom", "pixel_size_um"]


class ProcessQuery(PictureQuery):
    """What the picture is, which class is explained, and where the pictures go."""

    model_config = ConfigDict(populate_by_name=True)

    modality: str | None = SCAN_TYPE
    target: str | None = Field(None, description="code of the class whose map is taken; the predicted one if absent")
    gate: Literal["on", "warn", "off"] = Field("on", description="as of POST /analyze/<task>")
    age_years: float | None = Field(None, ge=0, le=130)
    view: Literal["PA", "AP"] | None = Field(None, description="projection of a chest X-ray")
    pixel_size_um: float | None = Field(None, gt=0, le=1000, description="of a microscope picture, in micrometres")
    images: Literal["url", "inline"] = Field("url", description="where the pictures go: addresses, or data URLs")

    def asked(self) -> AnalyzeQuery:
        """What the answer is asked for."""
        return AnalyzeQuery.model_validate(self.model_dump(exclude={"modality", "images"}, exclude_unset=True))


class BoxAnswer(Answer):
    """In pixels of the picture as it was sent, upright."""

    x: int
    y: int
    w: int
    h: int


class InterestAnswer(Answer):
    """A region of interest: where the activation map is strong, outlined by the picture's own levels. No lesion was
    measured."""

    box: BoxAnswer
    contours: tuple[tuple[tuple[float, float], ...], ...] = Field(
        description="closed outlines as x, y in pixels of the picture as it was sent, upright"
    )
    area_px: float = Field(ge=0)
    area_mm2: float | None = Field(description="null where nothing says how large a pixel is")
    size_mm: tuple[float, float] | None = Field(description="width and height of the box")
    share_of_picture: float = Field(ge=0, le=1)


class ViewsAnswer(Answer):
    """PNG, at most 1,024 pixels on the longer side: addresses on this server, or data URLs."""

    crop: str | None
    mask: str | None
    outline: str | None
    enhanced: str = Field(description="the whole picture with its contrast evened out part by part (CLAHE)")
    heatmap: str | None


class ProcessAnswer(Answer):
    """A picture prepared to be looked at, beside what was answered of it."""

    warning: str | None = None
    success: Literal[True]
    scan_type: str
    scan_type_told_by: Literal["request", "content", "dicom", "picture"]
    headline: str
    triage: TriageAnswer
    prediction: PredictionAnswer
    width_px: int | None = Field(description="of the upright upload; null where no map was made")
    height_px: int | None
    pixel_size_mm: tuple[float, float] | None = Field(description="between rows, between columns")
    pixel_size_told_by: PixelSizeTold | None
    at_detector: bool = Field(
        description="whether that is at the detector, as of radiographs, so that the body is smaller"
    )
    region: InterestAnswer | None = Field(description="null where the map has no activation, or no model made one")
    regions: tuple[RegionAnswer, ...] = Field(
        description="boxes of the activation map alone, as POST /api/analyze has them"
    )
    views: ViewsAnswer
    note: str
    input_check: InputCheckAnswer
    model: ModelAnswer
    provenance: ProvenanceAnswer
    demo_mode: bool
    request_id: str
    processing_ms: float
    disclaimer: str
