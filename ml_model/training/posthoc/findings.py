"""Thresholds of a task's findings, chosen on cases that did not fit the model, with the risk controlled in expectation
and counted by group: of a group's answers the worst one counts."""

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


def allowed(groups: int, target: float) -> int:
    """How many groups may fall on the wrong side: (wrong + 1) / (groups + 1) <= 1 - target; -1 where they are too
    few."""
    return int(np.floor((groups + 1) * (1 - target) + 1e-9)) - 1


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
        there, told = finding_truth(rule, samples, task.multi_label)
        own = there & told
        with_it = by_group(scores[rule.code][own], groups[own].tolist(), np.minimum)
        none = by_group(scores[rule.code][without], absent, np.maximum)
        chosen[rule.code] = _chosen(rule, with_it, none, rule_in[rule.code], specificity)
    return chosen


def by_group(scores: Array, groups: Sequence[str], worst: np.ufunc) -> Array:
    """One score a group, rising: the smallest or the largest of its own."""
    told: dict[str, float] = {}
    for group, score in zip(groups, scores.tolist(), strict=True):
        told[group] = float(worst(told.get(group, score), score))
    return np.sort(np.array(list(told.values())))


def suspected_from(scores: Mapping[str, Array], groups: Sequence[str], specificity: float) -> dict[str, float]:
    """By finding, of harmless cases' scores (N,): the lowest threshold with which no more groups reach any than may.
    Each finding is given as many groups of its own as the others."""
    names, group_of = np.unique(np.array(groups), return_inverse=True)
    most = allowed(len(names), specificity)
    worst = {code: np.zeros(len(names)) for code in scores}
    for code, own in scores.items():
        np.maximum.at(worst[code], group_of, own)
    for each in range(most, -1, -1):
        cut = {code: _reached_by(np.sort(w)[::-1], each) for code, w in worst.items()}
        if np.any([worst[code] >= cut[code] for code in cut], axis=0).sum() <= most:
            return cut
    return dict.fromkeys(scores, 1.0)


def _reached_by(falling: Array, each: int) -> float:
    """A threshold that so many reach: half way to the next one."""
    if each >= len(falling):
        return 0.0
    upper = falling[each - 1] if each else 1.0
    return float((upper + falling[each]) / 2) if upper > falling[each] else float(np.nextafter(falling[each], 2))


def _chosen(rule: FindingRule, with_it: Array, none: Array, rule_in: float, specificity: float) -> FindingThresholds:
    misses, why, rule_out = allowed(len(with_it), rule.min_sensitivity), rule.never_ruled_out, None
    if why is None and misses < 0:
        needed = int(np.ceil(1 / (1 - rule.min_sensitivity) - 1 - 1e-9))
        why = (
            f"{len(with_it)} cases are too few to promise that {100 * rule.min_sensitivity:g} % of them are not ruled "
            f"out; {needed} are needed"
        )
    if why is None:
        rule_out = float(with_it[misses])
        if rule_out > rule_in:  # a good model reaches both targets anywhere between: the middle third stays open
            rule_out, rule_in = (float(rule_in ** (1 - part) * rule_out**part) for part in (1 / 3, 2 / 3))
        rule_out = float(np.floor(min(rule_out, MOST_RULED_OUT) * 10**DIGITS)) / 10**DIGITS
    rule_in = min(1.0, float(np.ceil(rule_in * 10**DIGITS)) / 10**DIGITS)
    kept = int((with_it >= rule_out).sum()) if rule_out is not None else len(with_it)
    return FindingThresholds(
        rule_out_below=rule_out,
        rule_in_from=rule_in,
        min_sensitivity=rule.min_sensitivity,
        min_specificity=specificity,
        groups_with=len(with_it),
        groups_without=len(none),
        sensitivity_at_least=_at_least(kept, len(with_it)),
        specificity_at_least=_at_least(int((none < rule_in).sum()), len(none)),
        never_ruled_out=why,
    )


def _at_least(right: int, count: int) -> float:
    """Exact one-sided lower bound of a share (Clopper-Pearson)."""
    return round(float(beta.ppf(1 - CONFIDENCE, right, count - right + 1)), 4) if right else 0.0
