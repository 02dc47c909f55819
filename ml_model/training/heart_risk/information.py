"""What an answer is worth by what its inputs carry: every combination of inputs, ten-fold and with a site left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ml_model.inference.measured_tabular import CalmFigures, InformationFigures
from ml_model.tabular.logistic_model import LogisticModel, conditional
from ml_model.tabular.risk_model import HeartRiskModel
from ml_model.tabular.risk_uncertainty import Z_90, information
from ml_model.tasks.registry import RiskTask
from ml_model.training.evaluation.calibration_error import equal_mass_calibration_error
from ml_model.training.evaluation.intervals import proportion, resampled
from ml_model.training.evaluation.metrics import auc
from ml_model.training.heart_risk.data import RiskTable
from ml_model.training.heart_risk.fit import design, fit_served, predict

Floats = NDArray[np.float64]
EDGES = (0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.001)
RESAMPLES = 1000


@dataclass(frozen=True)
class HeldOut:
    """A model and the patients (rows of `matrix`, (N, D), and their numbers in the table) that it did not see."""

    model: LogisticModel
    patients: NDArray[np.int64]
    matrix: Floats


@dataclass(frozen=True)
class Spread:
    """Of N patients: log-odds as served, log-odds of the completed row, and half of their 90 % interval."""

    served: Floats
    logit: Floats
    half: Floats


def held_out_models(task: RiskTask, table: RiskTable, group: NDArray[np.generic]) -> tuple[HeldOut, ...]:
    """For each group (N,) the model that is fitted without it."""
    found = []
    for one in np.unique(group):
        out = group == one
        model = fit_served(task, table.where(~out))
        found.append(HeldOut(model, np.flatnonzero(out), design(model.columns, table.where(out))))
    return tuple(found)


def served(models: Sequence[HeldOut], table: RiskTable) -> Floats:
    """Probability (N,) of each patient, exactly as the model that did not see them would serve it."""
    probability = np.zeros(len(table.outcome))
    for held in models:
        probability[held.patients] = predict(held.model, table.where(held.patients))
    return probability


def spread(model: LogisticModel, matrix: Floats) -> Spread:
    """What `model.probability` and `uncertainty` give for rows (N, D) with NaN, all at once."""
    filled, of_missing, unsure = matrix.copy(), np.zeros(len(matrix)), np.zeros(len(matrix))
    patterns, which = np.unique(np.isnan(matrix), axis=0, return_inverse=True)
    for number, missing in enumerate(patterns):
        rows = which.ravel() == number
        gain, rest = conditional(missing, model.covariance)
        filled[np.ix_(rows, missing)] = model.mean[missing] + (matrix[rows] - model.mean)[:, ~missing] @ gain.T
        of_missing[rows] = model.coefficients[missing] @ rest @ model.coefficients[missing]
        unsure[rows] = (model.weight_covariance[1:, 1:][np.ix_(missing, missing)] * rest).sum()
    row = np.column_stack([np.ones(len(filled)), filled])
    logit = row @ np.concatenate([[model.intercept], model.coefficients])
    variance = of_missing + unsure + np.einsum("nd,de,ne->n", row, model.weight_covariance, row)
    return Spread(logit / np.sqrt(1 + np.pi * of_missing / 8), logit, Z_90 * np.sqrt(variance))


def all_combinations(task: RiskTask) -> Iterator[tuple[str, ...]]:
    """Every set of inputs that may be given; the required ones always are."""
    required = tuple(f.name for f in task.features if f.required)
    optional = tuple(f.name for f in task.features if not f.required)
    for count in range(len(optional) + 1):
        yield from (required + some for some in combinations(optional, count))


def shown(held: HeldOut, given: Sequence[str]) -> Floats:
    """The patients' columns without those of factors that are not given."""
    hidden = np.array([column.feature not in given for column in held.model.columns])
    return np.where(hidden, np.nan, held.matrix)


@dataclass(frozen=True)
class _Judged:
    """One combination: its share of information, probabilities and interval widths (N,), and what was covered."""

    carries: float
    ten_fold: Floats
    site_left_out: Floats
    width: Floats
    covered: tuple[float, float]


def by_information(
    task: RiskTask, table: RiskTable, ten_fold: Sequence[HeldOut], by_site: Sequence[HeldOut]
) -> tuple[InformationFigures, ...]:
    """The figures of each range of information that some combination falls into."""
    model = fit_served(task, table)
    whole = spread(model, design(model.columns, table)).logit
    judged = [_judge(model, whole, given, ten_fold, by_site) for given in all_combinations(task)]
    ranges = zip(EDGES, EDGES[1:], strict=False)
    parts = [(low, high, [j for j in judged if low <= j.carries < high]) for low, high in ranges]
    return tuple(_figures(task, table, low, high, part) for low, high, part in parts if part)


def _judge(
    model: LogisticModel, whole: Floats, given: Sequence[str], ten_fold: Sequence[HeldOut], by_site: Sequence[HeldOut]
) -> _Judged:
    probability, width = np.zeros((2, len(whole))), np.zeros((2, len(whole)))
    covered = np.zeros((2, len(whole)), bool)
    for way, models in enumerate((ten_fold, by_site)):
        for held in models:
            found, rows = spread(held.model, shown(held, given)), held.patients
            probability[way, rows] = _sigmoid(found.served)
            width[way, rows] = _sigmoid(found.logit + found.half) - _sigmoid(found.logit - found.half)
            covered[way, rows] = np.abs(whole[rows] - found.logit) <= found.half
    return _Judged(
        carries=information(model, given),
        ten_fold=probability[0],
        site_left_out=probability[1],
        width=width[0],
        covered=(float(covered[0].mean()), float(covered[1].mean())),
    )


def _figures(
    task: RiskTask, table: RiskTable, low: float, high: float, judged: Sequence[_Judged]
) -> InformationFigures:
    outcome = table.outcome
    worst = min((j.site_left_out for j in judged), key=lambda probability: auc(outcome, probability))
    called_low = [outcome[j.ten_fold < task.bands[0].below] for j in judged]
    patients = np.arange(len(outcome))
    return InformationFigures(
        at_least=low,
        below=min(high, 1.0),
        combinations=len(judged),
        auc_ten_fold=_mean([auc(outcome, j.ten_fold) for j in judged]),
        auc_site_left_out=resampled(patients, lambda rows: auc(outcome[rows], worst[rows]), draws=RESAMPLES),
        ece_ten_fold=_mean([equal_mass_calibration_error(j.ten_fold, outcome) for j in judged]),
        low_with_outcome=_mean(np.concatenate(called_low)),
        interval_width=_mean([j.width.mean() for j in judged]),
        covered_ten_fold=_mean([j.covered[0] for j in judged]),
        covered_site_left_out=_mean([j.covered[1] for j in judged]),
    )


def calm_figures(task: RiskTask, table: RiskTable, models: Sequence[HeldOut]) -> CalmFigures:
    """How often patients whom the models did not see are answered calmly, or not at all."""
    calm, withheld = np.zeros(len(table.outcome), bool), np.zeros(len(table.outcome), bool)
    for held in models:
        model = HeartRiskModel(held.model, task)
        for row in held.patients:
            values = zip(table.features, table.values[row], strict=True)
            found = model.assess({n: float(v) for n, v in values if not np.isnan(v)})
            withheld[row] = found.withheld is not None
            calm[row] = found.triage.level in ("none", "routine")
    sick, patients = table.outcome, np.arange(len(table.outcome))
    return CalmFigures(
        with_outcome=proportion(calm[sick], patients[sick]),
        without_outcome=proportion(calm[~sick], patients[~sick]),
        withheld=_mean(withheld),
    )


def _sigmoid(log_odds: Floats) -> Floats:
    return 0.5 * (1 + np.tanh(log_odds / 2))


def _mean(values: Sequence[float] | NDArray[np.bool_]) -> float:
    """To four digits; NaN of nothing."""
    return round(float(np.mean(values)), 4) if len(values) else float("nan")
