"""One calibrated probability from risk factors, with what each factor adds to it.

A logistic model over columns made of the factors: a measured factor gives one column, centred and
scaled, held at the edges of the training data; a factor with n categories gives n - 1. Missing factors
take their expected columns given the observed ones (a joint Gaussian of the columns), and the spread
that remains pulls the log-odds towards zero: with variance v of the missing part,

    logit = (intercept + sum of contributions) / sqrt(1 + pi v / 8).

Everything is linear, so the contributions add up to the logit exactly.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_model.errors import BundleInvalid

MODEL_FILE = "model.json"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """A column of the design: (value held in [low, high] - centre) / scale, or 1 where the value equals `equals`."""

    feature: str
    low: float = -math.inf
    high: float = math.inf
    centre: float = 0.0
    scale: float = 1.0
    equals: float | None = None

    def of(self, value: float | None) -> float:
        """The column's entry; NaN when the value is missing."""
        if value is None or math.isnan(value):
            return math.nan
        if self.equals is not None:
            return float(value == self.equals)
        return (min(max(value, self.low), self.high) - self.centre) / self.scale


@dataclass(frozen=True)
class LogisticModel:
    """Coefficients (D,) over D columns, the columns' mean (D,) and covariance (D, D), and how sure the weights are.

    weight_covariance: (1 + D, 1 + D), of the intercept and the coefficients as other patients and other hospitals
    would have given them.
    """

    columns: tuple[Column, ...]
    intercept: float
    coefficients: Floats
    mean: Floats
    covariance: Floats
    weight_covariance: Floats

    def __post_init__(self) -> None:
        size = len(self.columns)
        arrays = (self.coefficients, self.mean, self.covariance, self.weight_covariance)
        if [a.shape for a in arrays] != [(size,), (size,), (size, size), (size + 1, size + 1)]:
            raise BundleInvalid(f"arrays of a risk model do not fit its {size} columns")

    def row(self, values: Mapping[str, float | None]) -> Floats:
        """The columns (D,) of named values; NaN where one is missing."""
        return np.array([column.of(values.get(column.feature)) for column in self.columns])

    def contributions(self, values: Mapping[str, float | None]) -> tuple[float, Floats]:
        """Log-odds of the average patient, and what each column adds to it (D,); missing columns are imputed."""
        row, variance = complete(self.row(values), self.mean, self.covariance, self.coefficients)
        shrink = 1 / math.sqrt(1 + math.pi * variance / 8)
        average = self.intercept + float(self.coefficients @ self.mean)
        return shrink * average, shrink * self.coefficients * (row - self.mean)

    def probability(self, values: Mapping[str, float | None]) -> float:
        """Probability of the outcome, 0..1."""
        average, parts = self.contributions(values)
        return sigmoid(average + float(parts.sum()))


def sigmoid(log_odds: float) -> float:
    """Probability of log-odds, without overflow."""
    return 0.5 * (1 + math.tanh(log_odds / 2))


def complete(row: Floats, mean: Floats, covariance: Floats, coefficients: Floats) -> tuple[Floats, float]:
    """Fill the NaN of a row with their conditional mean; also the variance of coefficients @ row that remains."""
    missing = np.isnan(row)
    if not missing.any():
        return row, 0.0
    filled = row.copy()
    gain, rest = conditional(missing, covariance)
    filled[missing] = mean[missing] + gain @ (row - mean)[~missing]
    weights = coefficients[missing]
    return filled, max(0.0, float(weights @ rest @ weights))


def conditional(missing: NDArray[np.bool_], covariance: Floats) -> tuple[Floats, Floats]:
    """What the observed columns tell of the M missing ones: their regression (M, D - M), and the covariance (M, M)
    that remains. It never grows with a column observed."""
    across = covariance[np.ix_(missing, ~missing)]
    within = covariance[np.ix_(~missing, ~missing)]
    gain = np.asarray(np.linalg.solve(within, across.T).T, np.float64) if (~missing).any() else across
    return gain, covariance[np.ix_(missing, missing)] - gain @ across.T


def model_to_json(model: LogisticModel) -> str:
    """The model as JSON text; every number is finite."""
    columns = [{k: v for k, v in vars(c).items() if isinstance(v, float) and math.isfinite(v)} for c in model.columns]
    content = {
        "columns": [{"feature": c.feature, **rest} for c, rest in zip(model.columns, columns, strict=True)],
        "intercept": model.intercept,
        "coefficients": model.coefficients.tolist(),
        "mean": model.mean.tolist(),
        "covariance": model.covariance.tolist(),
        "weight_covariance": model.weight_covariance.tolist(),
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def model_from_json(text: str) -> LogisticModel:
    """Raises BundleInvalid when the text is not what `model_to_json` writes."""
    try:
        content = json.loads(text)
        names = ("coefficients", "mean", "covariance", "weight_covariance")
        arrays: Sequence[Floats] = [np.array(content[name], float) for name in names]
        columns = tuple(Column(**c) for c in content["columns"])
        return LogisticModel(columns, float(content["intercept"]), *arrays)
    except (ValueError, KeyError, TypeError) as error:
        raise BundleInvalid(f"{MODEL_FILE}: {error}") from error
