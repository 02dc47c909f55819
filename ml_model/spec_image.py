"""Parts of the task files that take a picture: input, classes with their clinical text, data sets."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

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
PlainName = Annotated[str, AfterValidator(_plain_name)]
Severity = Literal["healthy", "low", "moderate", "high", "critical"]
LesionType = Literal["benign", "malignant", "pre-cancerous", "normal", "abnormal"]


class Frozen(BaseModel):
    """Immutable; unknown keys are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ImageInput(Frozen):
    """What an image model takes: uint8 RGB (height_px, width_px, 3), 0-255."""

    modality: Text
    height_px: int = Field(ge=32, le=1024)
    width_px: int = Field(ge=32, le=1024)
    geometry: Literal["squash"] = "squash"
    min_side_px: int = Field(default=32, ge=1)


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
    staging: Staging
    urgency: Urgency
    treatment_options: tuple[Text, ...] = Field(min_length=1)


class DatasetSpec(Frozen):
    """A public data set the task is trained on.

    `folder` is what the download unpacks to, `also_found_as` other names it goes by.
    `labels` maps each of its labels to the class codes it can stand for: one code, or
    several where the label is coarser than the task's classes. `ages_years` (from, to) is the
    population whose own operating point is used when a client gives an age in it.
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


class OperatingPointRule(Frozen):
    """Call `positive` when its probability reaches the threshold that keeps this sensitivity on validation."""

    positive: Text
    negative: Text
    min_sensitivity: float = Field(gt=0, lt=1)
