"""Calibrated probabilities: fitted on validation, measured on test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from ml_model.inference.bundle import Calibration
from ml_model.inference.calibration import calibrated

Array = NDArray[np.floating]
FOLDS = 5
ALIKE = 0.02
BIAS_PENALTY = 0.02  # on the squared intercepts, per sample's log-likelihood: few cases must not move a class far
SLOPE_RANGE = (0.05, 20.0)


def fit_calibration(probabilities: Array, masks: Array, groups: Sequence[str], *, multi_label: bool) -> Calibration:
    """From a model's own probabilities (N, classes) and the masks (N, classes) of what each label can stand for.

    None, unless one temperature, then one with an intercept per class beside it, or of several labels a logistic
    regression each, has the clearly better likelihood in a cross-validation by group: a fit to few cases that need
    none makes them worse, and intercepts change which class is named.
    """
    found, losses = "none", negative_log_likelihoods(probabilities, masks, multi_label=multi_label)
    for further in ("logistic",) if multi_label else ("temperature", "temperature_and_bias"):
        crossed = _crossed_losses(probabilities, masks, groups, further)
        if clearly_better(crossed, losses, groups):
            found, losses = further, crossed
    return fitted_calibration(probabilities, masks, found)


def clearly_better(losses: NDArray[np.float64], than: NDArray[np.float64], groups: Sequence[str]) -> bool:
    """Whether the losses (N,) are less than the others in sum, by more than one standard error over the groups."""
    _, group_of = np.unique(groups, return_inverse=True)
    gains = np.bincount(group_of, than - losses)  # a sum for each group: its pictures are no own witnesses
    return bool(gains.sum() > np.sqrt(len(gains)) * gains.std())


def negative_log_likelihoods(probabilities: Array, masks: Array, *, multi_label: bool = False) -> NDArray[np.float64]:
    """(N,) -log of the probability given to the classes in the mask; multi-label: to each class being as it is."""
    p = probabilities.astype(np.float64)
    if multi_label:
        return np.asarray(-np.log(np.maximum(np.where(masks > 0, p, 1 - p), 1e-12)).sum(axis=1))
    return np.asarray(-np.log(np.maximum((p * masks).sum(axis=1), 1e-12)))


def _logistic(probabilities: Array, masks: Array) -> Calibration:
    slopes, intercepts = [], []
    for p, truth in zip(np.clip(probabilities, 1e-7, 1 - 1e-7).T.astype(np.float64), masks.T > 0, strict=True):
        slope, intercept = 1.0, 0.0
        if truth.any() and not truth.all():
            fitted = LogisticRegression(C=100.0).fit(np.log(p / (1 - p))[:, None], truth)
            if fitted.coef_[0, 0] > 0:
                slope, intercept = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
        slopes.append(round(slope, 5))
        intercepts.append(round(intercept, 5))
    return Calibration(method="logistic", slope=tuple(slopes), intercept=tuple(intercepts))


def fitted_calibration(probabilities: Array, masks: Array, method: str) -> Calibration:
    """By one method of `Calibration`."""
    classes = probabilities.shape[1]
    if method == "none":
        return Calibration(method="none", slope=(1.0,) * classes, intercept=(0.0,) * classes)
    if method == "logistic":
        return _logistic(probabilities, masks)
    with_bias = method == "temperature_and_bias"

    def unpacked(x: Array) -> Calibration:
        slope = float(np.exp(np.clip(x[0], *np.log(SLOPE_RANGE))))
        intercept = x[1:] - x[1:].mean() if with_bias else np.zeros(classes)
        return Calibration.model_construct(method=method, slope=(slope,) * classes, intercept=tuple(intercept))

    def loss(x: Array) -> float:
        penalty = BIAS_PENALTY * float((x[1:] ** 2).sum())
        return float(negative_log_likelihoods(calibrated(probabilities, unpacked(x)), masks).mean()) + penalty

    found = unpacked(minimize(loss, np.zeros(1 + classes * with_bias), method="Powell").x)
    return Calibration(
        method=method,  # type: ignore[arg-type]
        slope=tuple(round(value, 5) for value in found.slope),
        intercept=tuple(round(float(value), 5) for value in found.intercept),
    )


def nearly_alike(one: Calibration | None, other: Calibration) -> bool:
    """Whether both give the same probabilities but for rounding: those of an engine move a fit by so much."""
    if one is None or one.method != other.method:
        return False
    return bool(np.allclose([*one.slope, *one.intercept], [*other.slope, *other.intercept], atol=ALIKE))


def by_group_folds(groups: Sequence[str]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Row numbers to fit on, and those of the groups that are left out."""
    split = GroupKFold(min(FOLDS, len(set(groups)))).split(np.zeros(len(groups)), groups=groups)
    return [(fitted_on, left_out) for fitted_on, left_out in split]


def _crossed_losses(probabilities: Array, masks: Array, groups: Sequence[str], method: str) -> NDArray[np.float64]:
    """(N,) negative log-likelihoods, each by a fit that has not seen the sample's group."""
    losses = np.zeros(len(probabilities))
    for fitted_on, left_out in by_group_folds(groups):
        found = fitted_calibration(probabilities[fitted_on], masks[fitted_on], method)
        told = calibrated(probabilities[left_out], found)
        losses[left_out] = negative_log_likelihoods(told, masks[left_out], multi_label=method == "logistic")
    return losses
