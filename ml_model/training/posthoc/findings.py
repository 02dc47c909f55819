"""Thresholds of a task's findings, chosen on cases that did not fit the model, with the risk controlled in expectation.

A group (patient, lesion) counts once: what is missed of it is the share of its answers that fall on the wrong side. Nor
may a larger share of all answers, of which some groups have more than others.
Angelopoulos AN, Bates S, Fisch A, Lei L, Schuster T. Conformal risk control. ICLR 2024.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from ml_model.inference.bundle import FindingThresholds
from ml_model.tasks.finding_schema import FindingRule
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.findings import finding_scores, finding_truth, harmless

Array = NDArray[np.float64]
MOST_RULED_OUT = 0.5  # what is more probable than not is never ruled out
CONFIDENCE = 0.95
DIGITS = 6  # thresholds are rounded to the safer side
SLACK = 1e-9
STEP = 0.25  # of a group


def allowed(groups: int, target: float) -> float:
    """How many groups may fall on the wrong side, (wrong + 1) / (groups + 1) <= 1 - target; below 0 where they are too
    few for any promise."""
    return (groups + 1) * (1 - target) - 1


def group_weights(groups: Sequence[str]) -> tuple[Array, Array]:
    """(N,) each answer's share of its group, and the same share for all: both sum to the number of groups."""
    _, group_of, rows = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    return np.asarray(1 / rows[group_of]), np.full(len(groups), len(rows) / max(1, len(groups)))


def enough(task: ImageTask, samples: Sequence[Sample], specificity: float) -> bool:
    """Whether thresholds of their own can be promised for these samples."""
    without = {s.group for s, own in zip(samples, harmless(task, samples), strict=True) if own}
    return allowed(len(without), specificity) >= -SLACK and all(
        allowed(len(_groups_with(rule, samples, task)), rule.min_sensitivity) >= -SLACK for rule in task.findings
    )


def _groups_with(rule: FindingRule, samples: Sequence[Sample], task: ImageTask) -> set[str]:
    there, _ = finding_truth(rule, samples, task.multi_label)
    return {s.group for s, own in zip(samples, there, strict=True) if own}


def finding_thresholds(
    task: ImageTask, samples: Sequence[Sample], probabilities: NDArray[np.floating], specificity: float
) -> dict[str, FindingThresholds]:
    """By finding. probabilities: (N, classes), calibrated, as served. specificity: of all the findings together."""
    groups, without = np.array([s.group for s in samples]), harmless(task, samples)
    scores = {rule.code: finding_scores(task, rule, probabilities) for rule in task.findings}
    absent = groups[without].tolist()
    rule_in = suspected_from({code: s[without] for code, s in scores.items()}, absent, specificity)
    chosen = {}
    for rule in task.findings:
        there, _ = finding_truth(rule, samples, task.multi_label)
        with_it = [Weighted(scores[rule.code][there], weights) for weights in group_weights(groups[there].tolist())]
        none = Weighted(scores[rule.code][without], group_weights(absent)[0])
        chosen[rule.code] = _chosen(rule, with_it, none, rule_in[rule.code], specificity)
    return chosen


class Weighted:
    """Scores (N,) in rising order with what each weighs; `groups`: how many there are, the sum of the weights."""

    def __init__(self, scores: Array, weights: Array) -> None:
        order = np.argsort(scores, kind="stable")
        self.scores, self.weights, self.groups = scores[order], weights[order], round(float(weights.sum()))
        self._below = np.concatenate([[0.0], np.cumsum(self.weights)])

    def below(self, threshold: float) -> float:
        """How many groups, in shares, lie below a threshold."""
        return float(self._below[np.searchsorted(self.scores, threshold, side="left")])

    def lowest_with_below(self, most: float) -> float:
        """The highest score with at most so many groups below it."""
        return float(self.scores[np.searchsorted(self._below[:-1], most + SLACK, side="right") - 1])

    def reached_by(self, most: float) -> float:
        """The lowest threshold that at most so many groups reach, half way to the next score."""
        reached = self._below[-1] - self._below[:-1]  # from each score on
        place = int(np.searchsorted(-reached, -(most + SLACK), side="left"))
        upper = self.scores[place] if place < len(self.scores) else 1.0
        lower = self.scores[place - 1] if place else 0.0
        return float((upper + lower) / 2) if upper > lower else float(np.nextafter(lower, 2))


def suspected_from(scores: Mapping[str, Array], groups: Sequence[str], specificity: float) -> dict[str, float]:
    """By finding, of harmless cases' scores (N,): the lowest threshold with which no more groups reach any than may,
    and no larger a share of all answers. Each finding is given as many groups of its own as the others."""
    both, most = group_weights(groups), allowed(len(set(groups)), specificity)
    own = {code: [Weighted(s, weights) for weights in both] for code, s in scores.items()}
    if most < -SLACK:
        return dict.fromkeys(scores, 1.0)

    def cut(each: float) -> dict[str, float]:
        return {code: max(ranked.reached_by(each) for ranked in ways) for code, ways in own.items()}

    def reached(limits: Mapping[str, float]) -> float:
        hit = np.any([scores[code] >= limit for code, limit in limits.items()], axis=0)
        return max(float(weights[hit].sum()) for weights in both)

    tried = (cut(float(each)) for each in np.arange(most, -SLACK, -STEP))
    return next((limits for limits in tried if reached(limits) <= most + SLACK), dict.fromkeys(scores, 1.0))


def _chosen(
    rule: FindingRule, with_it: Sequence[Weighted], none: Weighted, rule_in: float, specificity: float
) -> FindingThresholds:
    """with_it: of the cases with the finding, by group and by answer. none: of the harmless ones, by group."""
    by_group = with_it[0]
    misses, why, rule_out = allowed(by_group.groups, rule.min_sensitivity), rule.never_ruled_out, None
    if why is None and misses < -SLACK:
        needed = int(np.ceil(1 / (1 - rule.min_sensitivity) - 1 - SLACK))
        why = (
            f"{by_group.groups} cases are too few to promise that {100 * rule.min_sensitivity:g} % of them are not "
            f"ruled out; {needed} are needed"
        )
    if why is None:
        rule_out = min(ranked.lowest_with_below(misses) for ranked in with_it)
        if rule_out > rule_in:  # a good model reaches both targets anywhere between: the middle third stays open
            rule_out, rule_in = (float(rule_in ** (1 - part) * rule_out**part) for part in (1 / 3, 2 / 3))
        rule_out = float(np.floor(min(rule_out, MOST_RULED_OUT) * 10**DIGITS)) / 10**DIGITS
    rule_in = min(1.0, float(np.ceil(rule_in * 10**DIGITS)) / 10**DIGITS)
    missed = by_group.below(rule_out) if rule_out is not None else 0.0
    return FindingThresholds(
        rule_out_below=rule_out,
        rule_in_from=rule_in,
        min_sensitivity=rule.min_sensitivity,
        min_specificity=specificity,
        groups_with=by_group.groups,
        groups_without=none.groups,
        sensitivity_at_least=_at_least(by_group.groups - missed, by_group.groups),
        specificity_at_least=_at_least(none.below(rule_in), none.groups),
        never_ruled_out=why,
    )


def _at_least(right: float, count: int) -> float:
    """Exact one-sided lower bound of a share of groups (Clopper-Pearson)."""
    return round(float(beta.ppf(1 - CONFIDENCE, right, count - right + 1)), 4) if right > 0 else 0.0
