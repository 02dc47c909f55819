"""Prediction sets by class-conditional split conformal prediction, chosen on validation.

In expectation over the validation cases a plain rank keeps the promise; of few cases, the ones at hand may still fall
far short. So the rank is that which keeps it with a stated confidence. Vovk V. Conditional validity of inductive
conformal predictors. Machine Learning 2013;92:349-376.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from ml_model.tasks.registry import ImageTask
from ml_model.training.data.labels import label_space
from ml_model.training.evaluation.metrics import Scored
from ml_model.training.posthoc.findings import by_group

Array = NDArray[np.floating]
COVERAGE = 0.9
CONFIDENCE = 0.9  # that a label's share of new cases in their sets is COVERAGE or more, over the draw of validation
FEWEST_OF_A_LABEL = 10  # validation groups within a population; with fewer the thresholds for all serve


def set_thresholds(task: ImageTask, validation: Scored) -> dict[str, float]:
    """By measured label, the probability that COVERAGE of the label's cases reach, counted by group: of a group's
    answers the least sure one counts."""
    thresholds = {}
    for i, name in enumerate(label_space(task).names):
        own = validation.truth[:, i]
        scores = validation.probabilities[own, i].astype(np.float64)
        thresholds[name] = conformal_threshold(by_group(scores, validation.groups[own].tolist(), np.minimum))
    return thresholds


def enough_of_each(validation: Scored) -> bool:
    """Whether every label has groups enough for a threshold of its own."""
    return all(len(set(validation.groups[own].tolist())) >= FEWEST_OF_A_LABEL for own in validation.truth.T)


def conformal_threshold(probabilities: Array) -> float:
    """The largest threshold that the share COVERAGE of new cases reaches with CONFIDENCE, by as many exchangeable cases
    as are given (N,); 0 where they are too few to tell.

    With the threshold at the k-th lowest of n cases that share is distributed as Beta(n + 1 - k, k).
    """
    count = len(probabilities)
    ranks = np.arange(1, count + 1)
    kept = ranks[beta.cdf(COVERAGE, count + 1 - ranks, ranks) <= 1 - CONFIDENCE]
    return float(np.sort(probabilities)[kept[-1] - 1]) if len(kept) else 0.0


def rescaled_weights(
    weights: Mapping[str, float], slope: Sequence[float], intercept: Sequence[float]
) -> dict[str, float]:
    """Weights of a balanced decision that name the same classes on calibrated probabilities as `weights` on the
    model's own; in output order."""
    scaled = np.array(list(weights.values())) ** np.array(slope) * np.exp(-np.array(intercept))
    return {code: round(float(w), 6) for code, w in zip(weights, scaled / scaled.max(), strict=True)}
