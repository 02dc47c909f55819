"""The one reader of measured values: range checks for training and serving alike."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ml_model.errors import OutOfRange
from ml_model.spec import RiskTask
from ml_model.spec_tabular import RiskFeature


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
