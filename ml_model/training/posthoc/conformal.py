"""Prediction sets by class-conditional split conformal prediction, chosen on validation.

In expectation over the validation cases a plain rank keeps the promise; of few cases, the ones at hand may still fall
far short. So the rank is that which keeps it with a stated confidence. Vovk V. Conditional validity of inductive
conformal predictors. Machine Learning 2013;92:349-376.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import beta

from ml_model.inference.bundle import FindingThresholds
from ml_model.tasks.registry import ImageTask
from ml_model.training.posthoc.crossed import Answers
from ml_model.training.posthoc.findings import SLACK, Weighted, group_weights

COVERAGE = 0.9
CONFIDENCE = 0.9  # that a label's share of new cases in their sets is COVERAGE or more, over the draw of validation


def set_thresholds(
    task: ImageTask, answers: Answers, findings: Mapping[str, FindingThresholds], coverage: float = COVERAGE
) -> dict[str, float]:
    """By measured label, the probability that `coverage` of the label's cases reach, counted by group. A case of a
    finding that is ruled out is not in the set, whatever its probability."""
    scored, told = answers.scored(task), dict[str, float]()
    out = {rule.classes: findings[rule.code].rule_out_below or 0.0 for rule in task.findings}
    for i, (name, classes) in enumerate(task.measured_labels.items()):
        own = scored.truth[:, i]
        scores = scored.probabilities[own, i].astype(np.float64)
        for of_finding, below in out.items():
            if set(classes) <= set(of_finding):
                scores = np.where(answers.summed(task, of_finding)[own] < below, -1.0, scores)
        both = group_weights(scored.groups[own].tolist())
        told[name] = min(conformal_threshold(Weighted(scores, weights), coverage) for weights in both)
    return told


def conformal_threshold(own: Weighted, coverage: float = COVERAGE) -> float:
    """The highest of a label's scores that the share `coverage` of new cases reaches with CONFIDENCE; 0 where its cases
    are too few to tell. With m of n groups below a threshold, that share is distributed as Beta(n - m, m + 1)."""
    below = own.weights.cumsum() - own.weights
    kept = own.scores[beta.cdf(coverage, np.maximum(own.groups - below, SLACK), below + 1) <= 1 - CONFIDENCE]
    return max(0.0, float(kept[-1])) if len(kept) else 0.0


def rescaled_weights(
    weights: Mapping[str, float], slope: Sequence[float], intercept: Sequence[float]
) -> dict[str, float]:
    """Weights of a balanced decision that name the same classes on calibrated probabilities as `weights` on the
    model's own; in output order."""
    scaled = np.array(list(weights.values())) ** np.array(slope) * np.exp(-np.array(intercept))
    return {code: round(float(w), 6) for code, w in zip(weights, scaled / scaled.max(), strict=True)}
