"""How sure an answer may be: calibrated probabilities, the classes still in question, and when to abstain. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml_model.inference.bundle import AgeEffect, Calibration

_SMALLEST = 1e-7  # float32 probabilities of 0 and 1 have no logarithm


def calibrated(probabilities: NDArray[np.floating], calibration: Calibration) -> NDArray[np.float32]:
    """The probabilities that a model's own, (N, classes), stand for: as often right as they say, on validation."""
    if calibration.method == "none":
        return np.asarray(probabilities, np.float32)
    p = np.clip(probabilities.astype(np.float64), _SMALLEST, 1 - _SMALLEST)
    slope, intercept = np.array(calibration.slope), np.array(calibration.intercept)
    if calibration.method == "logistic":
        return np.asarray(1 / (1 + np.exp(-(slope * np.log(p / (1 - p)) + intercept))), np.float32)
    return _softmax(slope * np.log(p) + intercept)


def with_age(
    probabilities: NDArray[np.float32], ages_years: Sequence[float] | NDArray[np.float64], effect: AgeEffect
) -> NDArray[np.float32]:
    """Probabilities (N, classes) of single-label answers, taking the ages (N,) into account; NaN: one is not known."""
    ages = np.asarray(ages_years, np.float64)
    decades = (np.clip(ages, effect.youngest_years, effect.oldest_years) - effect.reference_years) / 10
    added = np.array(effect.at_reference) + decades[:, None] * np.array(effect.per_decade)
    told = _softmax(np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST)) + added)
    return np.where(np.isnan(ages)[:, None], probabilities, told)


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float32]:
    exp = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(exp / exp.sum(axis=1, keepdims=True), np.float32)
