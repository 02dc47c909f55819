"""Cross-validated figures of a risk model: discrimination, calibration, by site, by what is given, against others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss

from ml_model.inference.measured_tabular import RiskFigures, RiskTest, SiteLeftOut
from ml_model.tasks.registry import RiskTask
from ml_model.training.evaluation.calibration_error import equal_mass_calibration_error
from ml_model.training.evaluation.intervals import resampled
from ml_model.training.evaluation.metrics import auc
from ml_model.training.heart_risk.data import RiskTable
from ml_model.training.heart_risk.fit import (
    Predict,
    fit_boosting,
    fit_logistic,
    make_columns,
    predict,
    shared_weights,
)
from ml_model.training.heart_risk.information import by_information, calm_figures, held_out_models, served

Floats = NDArray[np.float64]
Fit = Callable[[RiskTable], Predict]
FOLDS = 10
RESAMPLES = 1000


def figures(outcome: NDArray[np.bool_], probability: Floats) -> RiskFigures:
    """AUC with its 95 % bootstrap interval, Brier score, calibration error (`ece`, bins of equal mass)."""
    patients = np.arange(len(outcome))
    discrimination = resampled(patients, lambda rows: auc(outcome[rows], probability[rows]), draws=RESAMPLES)
    return RiskFigures(
        patients=len(outcome),
        with_outcome=int(outcome.sum()),
        auc=discrimination,
        brier=round(float(brier_score_loss(outcome, probability, labels=[False, True], pos_label=True)), 4),
        ece=round(equal_mass_calibration_error(probability, outcome), 4),
        mean_probability=round(float(probability.mean()), 4),
    )


def folds(outcome: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Fold (N,) of each patient, stratified by outcome."""
    rng = np.random.default_rng(seed)
    fold = np.zeros(len(outcome), np.int64)
    for value in (False, True):
        members = rng.permutation(np.flatnonzero(outcome == value))
        fold[members] = np.arange(len(members)) % FOLDS
    return fold


def held_out(fit: Fit, table: RiskTable, group: NDArray[Any], shown: Callable[[RiskTable], RiskTable]) -> Floats:
    """Probability (N,) of each patient by the model fitted without their group, seeing what `shown` leaves."""
    probability = np.zeros(len(table.outcome))
    for one in np.unique(group):
        out = group == one
        probability[out] = fit(table.where(~out))(shown(table.where(out)))
    return probability


def _with_prior(task: RiskTask, weights: Floats) -> Fit:
    def fit(table: RiskTable) -> Predict:
        model = fit_logistic(task, table, prior=weights)
        return lambda unseen: predict(model, unseen)

    return fit


def _boosting(given: tuple[str, ...]) -> Fit:
    return lambda table: fit_boosting(table.only(given))


def evaluate(task: RiskTask, table: RiskTable, others: dict[str, RiskTable], seed: int) -> RiskTest:
    """All figures of the manifest, for the served model and what it was compared with."""
    every = table.features
    seven = every[:7]
    given = {
        "seven_inputs": seven,
        "all_inputs": every,
        "without_exercise_test": ("age", "sex", "blood_pressure", "cholesterol", "chest_pain"),
        "age_and_sex_only": ("age", "sex"),
    }
    fold = folds(table.outcome, seed)
    unseen = {name: held_out_models(task, table, by) for name, by in {"ten_fold": fold, "site": table.site}.items()}
    tenfold = {name: served(unseen["ten_fold"], table.only(inputs)) for name, inputs in given.items()}
    by_site = {name: served(unseen["site"], table.only(given[name])) for name in list(given)[:2]}
    boosted = held_out(_boosting(seven), table, fold, lambda t: t.only(seven))
    boosted_by_site = held_out(_boosting(seven), table, table.site, lambda t: t.only(seven))
    columns = make_columns(task, table)
    pulls = {n: shared_weights(task, columns, other) for n, other in others.items()}
    priors = {n: held_out(_with_prior(task, w), table, fold, lambda t: t.only(seven)) for n, w in pulls.items()}
    return RiskTest(
        by_information=by_information(task, table, unseen["ten_fold"], unseen["site"]),
        calm={
            f"{way}_{name}": calm_figures(task, table.only(inputs), unseen[by])
            for way, by in {"ten_fold": "ten_fold", "a_site_left_out": "site"}.items()
            for name, inputs in given.items()
        },
        ten_fold={n: figures(table.outcome, p) for n, p in tenfold.items()},
        ten_fold_by_site=_sites(table, tenfold["seven_inputs"]),
        ten_fold_by_sex=_sexes(table, tenfold["seven_inputs"]),
        leave_one_site_out={n: _site_left_out(table, p) for n, p in by_site.items()},
        compared={
            "gradient_boosting_ten_fold": figures(table.outcome, boosted),
            "gradient_boosting_leave_one_site_out": _site_left_out(table, boosted_by_site),
            **{f"weights_pulled_to_{n}_ten_fold": figures(table.outcome, p) for n, p in priors.items()},
        },
    )


def _site_left_out(table: RiskTable, probability: Floats) -> SiteLeftOut:
    return SiteLeftOut(pooled=figures(table.outcome, probability), by_site=_sites(table, probability))


def _sites(table: RiskTable, probability: Floats) -> dict[str, RiskFigures]:
    return {
        str(site): figures(table.outcome[table.site == site], probability[table.site == site])
        for site in np.unique(table.site)
    }


def _sexes(table: RiskTable, probability: Floats) -> dict[str, RiskFigures]:
    sex = table.values[:, table.features.index("sex")]
    named = {"female": sex == 0, "male": sex == 1}
    return {name: figures(table.outcome[who], probability[who]) for name, who in named.items()}
