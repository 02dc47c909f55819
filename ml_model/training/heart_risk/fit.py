"""Fits the additive logistic model: joint Gaussian of the columns by EM, then penalised, sign-constrained weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ml_model.tabular.logistic_model import Column, LogisticModel, conditional
from ml_model.tasks.registry import RiskTask
from ml_model.tasks.tabular_schema import RiskFeature
from ml_model.training.heart_risk.data import RiskTable

Floats = NDArray[np.float64]
EM_ROUNDS = 60
EM_TOLERANCE = 1e-5
RIDGE = 1e-3
PENALTY = 3.0
FREE_SIGN = ("chest_pain",)

Predict = Callable[[RiskTable], Floats]


def make_columns(task: RiskTask, table: RiskTable) -> tuple[Column, ...]:
    """Design columns; centre and scale are mean and standard deviation, held at the smallest and largest value."""
    columns: list[Column] = []
    for at, feature in enumerate(task.features):
        if feature.categories:
            columns += [Column(feature.name, equals=float(c.value)) for c in feature.categories[1:]]
            continue
        seen = table.values[:, at]
        seen = seen[~np.isnan(seen)]
        columns.append(
            Column(feature.name, *(round(float(v), 4) for v in (seen.min(), seen.max(), seen.mean(), seen.std())))
        )
    return tuple(columns)


def design(columns: tuple[Column, ...], table: RiskTable) -> Floats:
    """Design matrix (N, D), NaN where the factor is missing."""
    at = [table.features.index(c.feature) for c in columns]
    rows = [[c.of(float(row[i])) for c, i in zip(columns, at, strict=True)] for row in table.values]
    return np.array(rows)


def fit_gaussian(matrix: Floats) -> tuple[Floats, Floats]:
    """Mean (D,) and covariance (D, D) of rows with NaN, by expectation maximisation."""
    mean = np.nanmean(matrix, axis=0)
    covariance = np.diag(np.nanvar(matrix, axis=0) + RIDGE)
    for _ in range(EM_ROUNDS):
        filled, spread = _expected(matrix, mean, covariance)
        mean = filled.mean(axis=0)
        centred = filled - mean
        before = covariance
        covariance = (centred.T @ centred + spread) / len(matrix) + RIDGE * np.eye(len(mean))
        if np.abs(covariance - before).max() < EM_TOLERANCE:
            break
    return mean, covariance


def _expected(matrix: Floats, mean: Floats, covariance: Floats) -> tuple[Floats, Floats]:
    """Rows with NaN replaced by their conditional mean, and the summed conditional covariance (D, D)."""
    filled, spread = matrix.copy(), np.zeros_like(covariance)
    patterns, which = np.unique(np.isnan(matrix), axis=0, return_inverse=True)
    for number, missing in enumerate(patterns):
        rows = which.ravel() == number
        if not missing.any():
            continue
        gain, rest = conditional(missing, covariance)
        filled[np.ix_(rows, missing)] = mean[missing] + (matrix[np.ix_(rows, ~missing)] - mean[~missing]) @ gain.T
        spread[np.ix_(missing, missing)] += rows.sum() * rest
    return filled, spread


def sign_bounds(task: RiskTask, columns: tuple[Column, ...]) -> list[tuple[float | None, float | None]]:
    """Allowed range of each weight: a factor that medicine counts as raising the risk must not lower it."""
    features = {f.name: f for f in task.features}
    return [_bound(features[c.feature]) for c in columns]


def _bound(feature: RiskFeature) -> tuple[float | None, float | None]:
    if feature.name in FREE_SIGN:
        return (None, None)
    return (None, 0.0) if feature.falling else (0.0, None)


def fit_logistic(
    task: RiskTask,
    table: RiskTable,
    penalty: float = PENALTY,
    prior: Floats | None = None,
    columns: tuple[Column, ...] | None = None,
) -> LogisticModel:
    """Penalised maximum likelihood with sign constraints, on columns completed by their conditional mean.

    The covariance of the weights is that of other patients of the same hospitals (Laplace).
    prior: weights (D,) that the penalty pulls to, in place of 0.
    """
    from scipy.optimize import minimize

    columns = columns or make_columns(task, table)
    matrix = design(columns, table)
    mean, covariance = fit_gaussian(matrix)
    filled, _ = _expected(matrix, mean, covariance)
    sign = np.where(table.outcome, 1.0, -1.0)
    target = np.zeros(len(columns)) if prior is None else prior

    def loss(theta: Floats) -> tuple[float, Floats]:
        margin = sign * (theta[0] + filled @ theta[1:])
        slope = -sign / (1 + np.exp(np.clip(margin, -500, 500)))
        pull = theta[1:] - target
        value = float(np.logaddexp(0, -margin).sum() + penalty / 2 * pull @ pull)
        return value, np.concatenate([[slope.sum()], filled.T @ slope + penalty * pull])

    bounds = [(None, None), *sign_bounds(task, columns)]
    found = minimize(loss, np.zeros(len(columns) + 1), jac=True, method="L-BFGS-B", bounds=bounds)
    weights = np.asarray(found.x)
    spread = _laplace(np.column_stack([np.ones(len(filled)), filled]), weights, penalty)
    return LogisticModel(columns, float(weights[0]), weights[1:], mean, covariance, spread)


def _laplace(design: Floats, weights: Floats, penalty: float) -> Floats:
    """Covariance (1 + D, 1 + D) of the weights; a weight that its sign constraint holds at 0 does not vary."""
    probability = 1 / (1 + np.exp(-(design @ weights)))
    curvature = (design * (probability * (1 - probability))[:, None]).T @ design
    curvature += penalty * np.diag([0.0, *np.ones(len(weights) - 1)])
    free = np.flatnonzero(np.concatenate([[True], weights[1:] != 0]))
    spread = np.zeros_like(curvature)
    spread[np.ix_(free, free)] = np.linalg.inv(curvature[np.ix_(free, free)])
    return spread


def fit_served(task: RiskTask, table: RiskTable) -> LogisticModel:
    """The model that is served: its weights vary with the patients, and with the hospitals.

    How much with the hospitals is told by leaving each out in turn (jackknife of groups).
    """
    model = fit_logistic(task, table)
    sites = np.unique(table.site)
    if len(sites) == 1:
        return model
    without = [fit_logistic(task, table.where(table.site != site), columns=model.columns) for site in sites]
    weights = np.array([[one.intercept, *one.coefficients] for one in without])
    apart = weights - weights.mean(axis=0)
    jackknife = (len(sites) - 1) / len(sites) * apart.T @ apart
    return replace(model, weight_covariance=model.weight_covariance + jackknife)


def predict(model: LogisticModel, table: RiskTable) -> Floats:
    """Probabilities (N,) exactly as served."""
    rows = (
        {n: (None if np.isnan(v) else float(v)) for n, v in zip(table.features, r, strict=True)} for r in table.values
    )
    return np.array([model.probability(row) for row in rows])


def fit_boosting(table: RiskTable) -> Predict:
    """Gradient boosting on the same values, for comparison."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    booster = HistGradientBoostingClassifier(
        max_depth=3, learning_rate=0.05, max_iter=100, min_samples_leaf=15, random_state=0
    )
    seen = ~np.isnan(table.values).all(axis=0)
    booster.fit(table.values[:, seen], table.outcome)
    return lambda other: np.asarray(booster.predict_proba(other.values[:, seen])[:, 1])


def shared_weights(task: RiskTask, columns: tuple[Column, ...], table: RiskTable) -> Floats:
    """Weights (D,) that another population gives to the factors it has; 0 for the others."""
    has = np.array([not np.isnan(table.values[:, table.features.index(c.feature)]).all() for c in columns])
    some = tuple(c for c, h in zip(columns, has, strict=True) if h)
    weights = np.zeros(len(columns))
    weights[has] = fit_logistic(task, table, columns=some).coefficients
    return weights
