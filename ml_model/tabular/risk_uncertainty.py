"""How sure a probability of risk is: what the given inputs carry, and how far what is missing could move it.

Two things are unsure: the missing columns given the observed ones (Gaussian, covariance R), and the weights themselves
(covariance C). With x the completed columns, the log-odds have the variance

    w R w + x C x + trace(C R).

The first term never shrinks when an input is taken away; the other two stay the same on average over patients.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_model.tabular.logistic_model import LogisticModel, complete, conditional, sigmoid

Z_90 = 1.6448536269514722  # half of a two-sided 90 % interval, in standard deviations


@dataclass(frozen=True)
class MissingFactor:
    """One input that was not given.

    information: share of the log-odds' variance over patients that it would add, 0-1. low, high: where the probability
    would lie once it is given, in nine of ten patients.
    """

    name: str
    information: float
    low: float
    high: float


@dataclass(frozen=True)
class Uncertainty:
    """low, high: 90 % interval of the probability. information: share of the log-odds' variance over patients that the
    given inputs carry, 0-1. missing: the most telling first."""

    low: float
    high: float
    information: float
    missing: tuple[MissingFactor, ...]


def remaining_variance(model: LogisticModel, given: Collection[str]) -> float:
    """Variance of the log-odds over patients who agree in the given factors."""
    missing = np.array([column.feature not in given for column in model.columns])
    if not missing.any():
        return 0.0
    _, rest = conditional(missing, model.covariance)
    weights = model.coefficients[missing]
    return max(0.0, float(weights @ rest @ weights))


def information(model: LogisticModel, given: Collection[str]) -> float:
    """Share of the log-odds' variance over patients that these factors carry, 0-1."""
    whole = remaining_variance(model, ())
    return min(1.0, max(0.0, 1 - remaining_variance(model, given) / whole)) if whole else 1.0


def logit_variance(model: LogisticModel, filled: NDArray[np.float64], missing: NDArray[np.bool_]) -> float:
    """Variance of the log-odds of a completed row (D,), by the missing columns (D,) and by the weights."""
    row = np.concatenate([[1.0], filled])
    variance = float(row @ model.weight_covariance @ row)
    if missing.any():
        _, rest = conditional(missing, model.covariance)
        weights = model.coefficients[missing]
        of_missing = model.weight_covariance[1:, 1:][np.ix_(missing, missing)]
        variance += float(weights @ rest @ weights) + float((of_missing * rest).sum())
    return max(0.0, variance)


def uncertainty(model: LogisticModel, values: Mapping[str, float | None]) -> Uncertainty:
    """Of the probability that `model.probability` gives for these values."""
    row = model.row(values)
    filled, _ = complete(row, model.mean, model.covariance, model.coefficients)
    logit = model.intercept + float(model.coefficients @ filled)
    half = Z_90 * math.sqrt(logit_variance(model, filled, np.isnan(row)))
    probability = model.probability(values)
    given = {name for name, value in values.items() if value is not None}
    return Uncertainty(
        low=min(probability, sigmoid(logit - half)),
        high=max(probability, sigmoid(logit + half)),
        information=information(model, given),
        missing=_missing(model, logit, given, [name for name in values if name not in given]),
    )


def _missing(model: LogisticModel, logit: float, given: set[str], names: list[str]) -> tuple[MissingFactor, ...]:
    now, whole = remaining_variance(model, given), remaining_variance(model, ())
    found = []
    for name in names:
        then = remaining_variance(model, given | {name})
        move, shrink = Z_90 * math.sqrt(max(0.0, now - then)), 1 / math.sqrt(1 + math.pi * then / 8)
        low, high = (sigmoid(shrink * (logit + sign * move)) for sign in (-1, 1))
        found.append(MissingFactor(name, max(0.0, now - then) / whole if whole else 0.0, low, high))
    return tuple(sorted(found, key=lambda factor: -factor.information))


def inputs_to_reach(model: LogisticModel, given: Collection[str], missing: Collection[str], least: float) -> list[str]:
    """Which missing inputs to give next, the most telling first, until `least` of information is reached."""
    known, left = set(given), list(missing)
    asked: list[str] = []
    while left and information(model, known) < least:
        best = min(left, key=lambda name: remaining_variance(model, known | {name}))
        left.remove(best)
        known.add(best)
        asked.append(best)
    return asked
