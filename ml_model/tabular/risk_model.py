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
from ml_model.inference.bundle import Bundle
from ml_model.inputs.tabular import read_risk_values
from ml_model.tasks.registry import RiskTask

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
    """Coefficients (D,) over D columns, and the columns' mean (D,) and covariance (D, D)."""

    columns: tuple[Column, ...]
    intercept: float
    coefficients: Floats
    mean: Floats
    covariance: Floats

    def __post_init__(self) -> None:
        size = len(self.columns)
        if self.coefficients.shape != (size,) or self.mean.shape != (size,) or self.covariance.shape != (size, size):
            raise BundleInvalid(f"arrays of a risk model do not fit its {size} columns")

    def contributions(self, values: Mapping[str, float | None]) -> tuple[float, Floats]:
        """Log-odds of the average patient, and what each column adds to it (D,); missing columns are imputed."""
        row = np.array([column.of(values.get(column.feature)) for column in self.columns])
        row, variance = complete(row, self.mean, self.covariance, self.coefficients)
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
    across = covariance[np.ix_(missing, ~missing)]
    within = covariance[np.ix_(~missing, ~missing)]
    gain = np.linalg.solve(within, across.T).T if (~missing).any() else across
    filled[missing] = mean[missing] + gain @ (row - mean)[~missing]
    rest = covariance[np.ix_(missing, missing)] - gain @ across.T
    weights = coefficients[missing]
    return filled, max(0.0, float(weights @ rest @ weights))


@dataclass(frozen=True)
class RiskFactor:
    """One given factor. `contribution` is in log-odds against the average patient of the data."""

    name: str
    value: float
    unit: str
    risk: str
    contribution: float


@dataclass(frozen=True)
class RiskAssessment:
    """baseline_log_odds + the factors' contributions + imputed_log_odds is the logit of `probability`."""

    condition: str
    risk_level: str
    probability: float
    severity: str
    factors: tuple[RiskFactor, ...]
    recommendations: tuple[str, ...]
    missing: tuple[str, ...]
    baseline_log_odds: float
    imputed_log_odds: float


class HeartRiskModel:
    """A loaded risk bundle. Immutable; safe to share between threads."""

    def __init__(self, model: LogisticModel, task: RiskTask) -> None:
        if unknown := {c.feature for c in model.columns} - {f.name for f in task.features}:
            raise BundleInvalid(
                f"the risk model uses {', '.join(sorted(unknown))}, which {task.id}.toml does not declare"
            )
        self._model = model
        self._task = task

    @classmethod
    def load(cls, bundle: Bundle, task: RiskTask) -> HeartRiskModel:
        """Read a verified bundle. Raises BundleInvalid when its parts do not fit together or the task."""
        return cls(model_from_json(bundle.file(MODEL_FILE).read_text(encoding="utf-8")), task)

    def assess(self, values: Mapping[str, float | None]) -> RiskAssessment:
        """Risk of one person from named values; None or absent is missing.

        Raises OutOfRange naming field, value and range.
        """
        checked = read_risk_values(self._task, values)
        average, parts = self._model.contributions(checked)
        added = {feature.name: 0.0 for feature in self._task.features}
        for column, part in zip(self._model.columns, parts, strict=True):
            added[column.feature] += float(part)
        probability = sigmoid(average + math.fsum(added.values()))
        band = next((b for b in self._task.bands if probability < b.below), self._task.bands[-1])
        factors = tuple(
            RiskFactor(feature.name, value, feature.unit, feature.level(value), added[feature.name])
            for feature in self._task.features
            if (value := checked[feature.name]) is not None
        )
        missing = tuple(name for name, value in checked.items() if value is None)
        return RiskAssessment(
            condition=band.condition,
            risk_level=band.risk_level,
            probability=probability,
            severity=band.severity,
            factors=factors,
            recommendations=band.recommendations,
            missing=missing,
            baseline_log_odds=average,
            imputed_log_odds=math.fsum(added[name] for name in missing),
        )


def model_to_json(model: LogisticModel) -> str:
    """The model as JSON text; every number is finite."""
    columns = [{k: v for k, v in vars(c).items() if isinstance(v, float) and math.isfinite(v)} for c in model.columns]
    content = {
        "columns": [{"feature": c.feature, **rest} for c, rest in zip(model.columns, columns, strict=True)],
        "intercept": model.intercept,
        "coefficients": model.coefficients.tolist(),
        "mean": model.mean.tolist(),
        "covariance": model.covariance.tolist(),
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def model_from_json(text: str) -> LogisticModel:
    """Raises BundleInvalid when the text is not what `model_to_json` writes."""
    try:
        content = json.loads(text)
        arrays: Sequence[Floats] = [np.array(content[k], float) for k in ("coefficients", "mean", "covariance")]
        columns = tuple(Column(**c) for c in content["columns"])
        return LogisticModel(columns, float(content["intercept"]), *arrays)
    except (ValueError, KeyError, TypeError) as error:
        raise BundleInvalid(f"{MODEL_FILE}: {error}") from error
