"""A measured figure with its interval, as it stands in manifests."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class Measured(BaseModel):
    """Base of all figures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_serializer(mode="wrap")
    def _without_the_unmeasured(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in write(self).items() if value is not None}


def _not_a_number(value: object) -> object:
    """JSON has no NaN: where a figure could not be told, as of no cases, it holds null."""
    return math.nan if value is None else value


Figure = Annotated[float, BeforeValidator(_not_a_number)]


class Interval(Measured):
    """A figure with its 95 % interval, which counts groups and not rows."""

    value: Figure
    low: Figure
    high: Figure
