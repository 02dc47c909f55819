"""Parts of the task files that take a picture: input, classes with their clinical text, data sets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from ml_model.tasks.coding import Concept

# Least share of a picture's variance in detail (`Quality.detail` of the gate); below it, it is blurred beyond use. Of
# 22,709 real pictures (skin, chest X-ray and CT, ultrasound, mammogram, brain MRI) none has less than twice as much,
# nor have copies as JPEG of quality 30, of half or of twice the size. Of 982 blurred by a Gaussian of 8 % of their
# shorter side 99.9 % have less, with sensor noise (deviation 5 per pixel) on top too; of 5 %, 94 %; of 3 %, 19 %.
MIN_DETAIL = 0.001
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


def _colour(text: str) -> str:
    if not re.fullmatch(r"#[0-9a-f]{6}", text):
        raise ValueError(f"{text!r} is no colour; write # and six lowercase hexadecimal digits, such as #1a7f37")
    return text


def _plain_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]+", text):
        raise ValueError(f"{text!r} may have only letters, digits and underscores")
    return text


Colour = Annotated[str, AfterValidator(_colour)]
MarginShare = Annotated[float, Field(ge=0, le=0.5)]
PlainName = Annotated[str, AfterValidator(_plain_name)]
Severity = Literal["healthy", "low", "moderate", "high", "critical"]
LesionType = Literal["benign", "malignant", "pre-cancerous", "normal", "abnormal"]


class Frozen(BaseModel):
    """Immutable; unknown keys are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """The same with other fields; what was derived from the old ones is derived anew."""
        copied = super().model_copy(update=update, deep=deep)
        for name in copied.__dict__.keys() - type(copied).model_fields.keys():
            del copied.__dict__[name]
        return copied


class ImageInput(Frozen):
    """What an image model takes: uint8 RGB (height_px, width_px, 3), 0-255.

    geometry, how a picture comes to that size: "squash" stretches it; "mirror" keeps its proportions and fills
    the rest with its mirror image; "field" does so too, but shows a picture of few pixels at half the size, so
    that microscope patches and whole fields come to a similar scale; "breast" un-inverts a mammogram, crops it
    to the breast, turns the chest wall to the left, stretches that and evens its levels; "body" crops a CT
    slice to the trunk, stretches that and brings lung and soft tissue to fixed levels, whatever the window.
    max_pictures: how many views of one case a request may hold (their probabilities are averaged). pdf_pages:
    whether the first page of a PDF document is taken as a picture. field_width_um: smallest and largest width of
    the field, in micrometres, that a microscope picture should show. min_detail: least share of the levels'
    variance (0-1) in structures of 1/8 to 1/16 of the side; a picture with less is refused as blurred.
    dark_margins, light_margins: shares of a side up to which flat margins of such a colour are the picture's own, at
    both ends of one side and all around; wider ones, and those of other colours, are a frame and are cut off.
    grey: whether such pictures have no colour, so that colour tells of a photograph. film: whether they are frontal
    chest films, which are looked at for how they lie. most_noise: levels (0-255) of noise at the model's size up to
    which training pictures have it (`intensity.too_much_noise`); with more a picture is smoothed. 0: not looked at.
    denoising: how, by a Gaussian or by non-local means.
    """

    modality: Text
    height_px: int = Field(ge=32, le=1024)
    width_px: int = Field(ge=32, le=1024)
    geometry: Literal["squash", "mirror", "field", "breast", "body"] = "squash"
    min_side_px: int = Field(default=32, ge=1)
    max_pictures: int = Field(default=1, ge=1, le=8)
    pdf_pages: bool = False
    field_width_um: tuple[float, float] | None = None
    min_detail: float = Field(default=MIN_DETAIL, ge=0, lt=1)
    dark_margins: tuple[MarginShare, MarginShare] = (0.0, 0.0)
    light_margins: tuple[MarginShare, MarginShare] = (0.0, 0.0)
    grey: bool = False
    film: bool = False
    most_noise: float = Field(default=0.0, ge=0)
    denoising: Literal["gaussian", "means"] = "gaussian"

    @cached_property
    def cut_to_content(self) -> bool:
        """Whether what a picture shows decides which part of it the model sees."""
        return self.geometry in ("breast", "body")

    @cached_property
    def own_dark_margins(self) -> tuple[float, float]:
        """`dark_margins`; of a picture that is cut to its content all are its own."""
        return (0.5, 0.5) if self.cut_to_content else self.dark_margins

    @field_validator("field_width_um")
    @classmethod
    def _rising(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not 0 < value[0] <= value[1]:
            raise ValueError(f"must be two widths above 0, the smaller one first, got {list(value)}")
        return value


class SignalInput(Frozen):
    """What the model of a task's recordings takes: float32 (samples, leads) in mV, twelve standard leads.

    min_page_quality: a picture of a page is answered from the signal read off it when the quality (0-1) of
    that reading, its mean over the leads, is at least this; else the model of pictures answers.
    """

    sampling_rate_hz: int = Field(ge=50, le=1000)
    duration_s: float = Field(gt=0, le=60)
    leads: Literal[12] = 12
    min_page_quality: float = Field(default=0.5, ge=0, le=1)

    @property
    def samples(self) -> int:
        """Length in samples."""
        return round(self.sampling_rate_hz * self.duration_s)


class ProbabilityBand(Frozen):
    """A category given to probabilities below `below` (0-1) and not below the band before."""

    birads: Text
    below: float = Field(gt=0, le=1)


class ScreeningBands(Frozen):
    """BI-RADS category by the probability of `positive`, carried over to the prevalence of screening, where it is
    suspected; the first band's while it is open, and `ruled_out_birads` where it is ruled out."""

    positive: Text
    ruled_out_birads: Text = "1"
    screening_prevalence: float = Field(gt=0, lt=1)
    bands: tuple[ProbabilityBand, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _rising(self) -> ScreeningBands:
        limits = [band.below for band in self.bands]
        if limits != sorted(set(limits)) or limits[-1] != 1:
            raise ValueError(f"bands: `below` must rise and end at 1, got {limits}")
        return self


class Staging(Frozen):
    stage: Text
    description: Text
    prognosis: Text


class Urgency(Frozen):
    timeline: Text
    action: Text
    color: Colour


class Recommendation(Frozen):
    title: Text
    message: Text
    actions: tuple[Text, ...] = Field(min_length=1)


class ClassSpec(Frozen):
    """One output of the model, with the clinical text that goes with it."""

    code: PlainName
    name: Text
    type: LesionType
    severity: Severity
    birads: Text | None = None
    concept: Concept | None = None
    staging: Staging
    urgency: Urgency
    treatment_options: tuple[Text, ...] = Field(min_length=1)


class CategoryStep(Frozen):
    """A class, and what the pixels of a picture must reach to be put into it (levels 0-255, shares 0-1)."""

    code: PlainName
    min_mean_level: float = Field(default=0, ge=0, le=255)
    min_texture: float = Field(default=0, ge=0, le=128)
    min_dark_share: float = Field(default=0, ge=0, le=1)
    min_bright_share: float = Field(default=0, ge=0, le=1)


class CategoryRule(Frozen):
    """How a label that is coarser than the classes is refined by pixels; see training/data/pixel_derived_labels.py.

    Pixels below the grey level `dark_below` count as dark, those from `bright_from` on as bright. Of each
    label's steps the last one whose minima are all reached gives the class; the first one asks for nothing.
    """

    dark_below: int = Field(gt=0, le=255)
    bright_from: int = Field(gt=0, le=255)
    labels: dict[Text, Annotated[tuple[CategoryStep, ...], Field(min_length=1)]] = Field(min_length=1)


class DatasetSpec(Frozen):
    """A public data set the task is trained on.

    `folder` is what the download unpacks to, `also_found_as` other names it goes by.
    `labels` maps each of its labels to the class codes it can stand for: one code, or
    several where the label is coarser than the task's classes; pictures with one of `ignored_labels`
    are left out. `ages_years` (from, to) is the
    population whose own operating point is used when a client gives an age in it, or the picture looks
    like one of its. With `views_judged_apart` its projections (column `view`: PA, AP) have their own as well.
    `population_of`: the other data set whose population its pictures are from, and whose operating point serves them.
    With `groups_within_labels` the groups of split.csv are numbered anew in each label. `min_specificity`: of the
    task's findings together on its population, where another than the task's is aimed at.
    """

    name: Text
    folder: Text
    also_found_as: tuple[Text, ...] = ()
    group_key: Text
    population: Text
    ages_years: tuple[float, float] | None = None
    licence: Text
    citation: Text
    labels: dict[Text, Annotated[tuple[Text, ...], Field(min_length=1)]] = Field(min_length=1)
    ignored_labels: tuple[Text, ...] = ()
    views_judged_apart: bool = False
    population_of: Text | None = None
    groups_within_labels: bool = False
    min_specificity: float | None = Field(default=None, gt=0, lt=1)
    category_rule: CategoryRule | None = None

    @model_validator(mode="after")
    def _rule_refines_labels(self) -> DatasetSpec:
        for label, steps in self.category_rule.labels.items() if self.category_rule else ():
            found, known = [step.code for step in steps], self.labels.get(label, ())
            if len(found) != len(set(found)) or set(found) != set(known):
                raise ValueError(
                    f"category_rule.labels.{label}: gives {', '.join(found)}; "
                    f"the label stands for {', '.join(known) or 'nothing'}"
                )
        return self
