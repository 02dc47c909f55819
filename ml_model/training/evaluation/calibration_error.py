"""How far probabilities are from the share of cases in which they hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml_model.inference.interval import Interval
from ml_model.training.evaluation.intervals import TAILS, rounded
from ml_model.training.evaluation.metrics import Scored

BINS = 15  # of equal mass


def calibration_error(s: Scored) -> float:
    """Expected calibration error over bins of equal mass: of the largest probability of each picture against how
    often it is right; in multi-label tasks of every label's probability against how often it is true."""
    return equal_mass_calibration_error(*confidences(s))


def error_of_perfect_calibration(s: Scored, *, draws: int = 500, seed: int = 0) -> Interval:
    """What `calibration_error` reads, on as many pictures, of answers that hold exactly as often as they claim.

    Mean, and the middle 95 % of the draws of what holds: a bar below this cannot be told from a miss.
    """
    confidence, rng = confidences(s)[0], np.random.default_rng(seed)
    errors = [equal_mass_calibration_error(confidence, rng.random(len(confidence)) < confidence) for _ in range(draws)]
    return rounded(float(np.mean(errors)), *np.quantile(errors, TAILS))


def equal_mass_calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Expected calibration error of what was claimed (N,), 0-1, against what held (N,), over BINS of equal mass.

    Where answers of one confidence fall into several bins, each gets their common share of right ones: which of
    them comes first says nothing.
    """
    _, same = np.unique(confidence, return_inverse=True)
    share = (np.bincount(same, right) / np.bincount(same))[same]
    order = np.argsort(confidence, kind="stable")
    error = sum(abs(confidence[b].sum() - share[b].sum()) for b in np.array_split(order, BINS) if len(b))
    return float(error / len(confidence))


def confidences(s: Scored) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """What each answer claims, 0-1, and whether it held: its most probable label, or in multi-label tasks each."""
    p = s.probabilities.astype(np.float64)
    if _several_hold(s):
        return p.ravel(), s.truth.ravel()
    named = p.argmax(axis=1)
    return p[np.arange(len(p)), named], s.truth[np.arange(len(p)), named]


def brier_score(s: Scored) -> float:
    """Mean over pictures of the summed squared distance between probabilities and truth; lower is better."""
    distances = np.clip(s.probabilities, 0, 1) - s.truth  # a sum of classes may round beyond 1
    return float(np.square(distances).mean(axis=0).sum())


def _several_hold(s: Scored) -> bool:
    """A multi-label task's truth does not sum to one label a picture, nor do its probabilities to 1."""
    return bool((s.truth.sum(axis=1) != 1).any() or (np.abs(s.probabilities.sum(axis=1) - 1) > 0.05).any())
