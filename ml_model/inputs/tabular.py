"""The one reader of symptoms and of measured values: shapes and ranges, for training and serving alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from ml_model.errors import InvalidValue, OutOfRange, UnknownField
from ml_model.inputs.json_body import shown
from ml_model.tasks.registry import RiskTask
from ml_model.tasks.tabular_schema import RiskFeature

# What str.strip takes away, spelt out: \s means another set in each dialect of regular expressions.
BLANKS = r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


def _stripped(text: str) -> str:
    words = text.strip()
    if not words:
        raise PydanticCustomError("string_too_short", "String should have at least 1 character")
    return words


Symptom = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    AfterValidator(_stripped),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 200, "pattern": f"[^{BLANKS}]"}),
]


# One of these must tell something; the check itself is `_tells_something`.
_TOLD: dict[str, JsonDict] = {
    "symptoms": {"type": "array", "minItems": 1},
    "description": {"type": "string", "pattern": f"[^{BLANKS}]"},
    "answers": {"type": "object", "minProperties": 1},
}


class DiseaseQuestion(BaseModel):
    """What troubles somebody: symptoms, or a description in free text, or both. Unknown fields are refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={"anyOf": [{"required": [n], "properties": {n: told}} for n, told in _TOLD.items()]},
    )

    symptoms: list[Symptom] = Field([], max_length=100, examples=[["fever", "head ache", "tired"]])
    description: str = Field("", max_length=5000, description="free text, as one would tell a doctor")
    answers: dict[str, Literal["yes", "no", "unsure"]] = Field(
        {}, max_length=100, description="to earlier `next_questions`, by finding, an id of GET /symptoms"
    )
    age: float | None = Field(None, ge=0, le=120, description="years")
    sex: Literal["male", "female"] | None = None
    ranking: Literal["knowledge", "table"] = Field(
        "knowledge", description="knowledge: the symptom checker; table: the ranking learnt from a synthetic table"
    )

    @model_validator(mode="after")
    def _tells_something(self) -> DiseaseQuestion:
        if not (self.symptoms or self.description.strip() or self.answers):
            raise PydanticCustomError("nothing_told", "send symptoms, a description, or answers")
        return self


def allowed(feature: RiskFeature) -> str:
    """The values a factor may take, in words."""
    if feature.categories:
        return "out of " + ", ".join(f"{c.value} ({c.label})" for c in feature.categories)
    return f"from {feature.minimum:g} to {feature.maximum:g} {feature.unit}".rstrip()


def checked_value(feature: RiskFeature, value: float) -> float:
    """`value` as float. Raises OutOfRange naming field, value, unit and what is allowed."""
    number = float(value)
    unit = f" {feature.unit}" if feature.unit else ""
    if feature.categories:
        if number not in {float(c.value) for c in feature.categories}:
            allowed = ", ".join(f"{c.value} ({c.label})" for c in feature.categories)
            raise OutOfRange(f"{feature.name}: received {value:g}, allowed are {allowed}")
        return number
    if feature.minimum is None or feature.maximum is None:
        raise OutOfRange(f"{feature.name}: the task file gives no range")
    if not (math.isfinite(number) and feature.minimum <= number <= feature.maximum):
        raise OutOfRange(
            f"{feature.name}: received {value:g}{unit}, allowed is {feature.minimum:g} to {feature.maximum:g}{unit}"
        )
    return number


def read_risk_values(task: RiskTask, values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Every feature of the task in order, checked; None for what is missing.

    Raises OutOfRange for a value outside its range, a required one that is missing, or an unknown name.
    """
    known = {feature.name for feature in task.features}
    if unknown := sorted(set(values) - known):
        raise OutOfRange(f"{unknown[0]}: unknown field, allowed are {', '.join(f.name for f in task.features)}")
    checked: dict[str, float | None] = {}
    for feature in task.features:
        value = values.get(feature.name)
        if value is None and feature.required:
            raise OutOfRange(f"{feature.name}: required, but nothing was received")
        checked[feature.name] = None if value is None else checked_value(feature, value)
    return checked


def risk_values(task: RiskTask, content: dict[str, Any]) -> dict[str, float | None]:
    """The factors of a request, checked. Raises UnknownField, InvalidValue or OutOfRange."""
    names = tuple(feature.name for feature in task.features)
    if unknown := [name for name in content if name not in names]:
        raise UnknownField(f"unknown field {unknown[0]!r:.80}; this endpoint reads: {', '.join(names)}")
    for feature in task.features:
        value = content.get(feature.name)
        # bool is an int to Python, not to a clinician; an int can be too large for a float.
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300):
            raise InvalidValue(f"{feature.name}: received {shown(value)}; expected a number {allowed(feature)}")
    return read_risk_values(task, content)
