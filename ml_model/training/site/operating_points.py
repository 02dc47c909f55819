"""Operating points that would fit a site: chosen as the recipes choose them, and measured on cases they have not seen.

Where a bundle never rules a finding out, a site's cases do not change that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml_model.diagnosis.population import AGE_GIVEN, view_key
from ml_model.inference.bundle import FindingThresholds
from ml_model.inference.local.thresholds import GENERAL, shipped_thresholds, with_thresholds
from ml_model.tasks.finding_schema import FindingRule
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.samples import ages_years
from ml_model.training.evaluation.answers import Answered, Evaluator, Facts, nothing_known, own_age_known
from ml_model.training.evaluation.evaluator import brief_of
from ml_model.training.evaluation.external import FEWEST
from ml_model.training.evaluation.findings import finding_truth, harmless
from ml_model.training.posthoc.calibration import FOLDS, by_group_folds
from ml_model.training.posthoc.findings import SLACK, allowed, finding_thresholds
from ml_model.training.site.figures import PointChosen, PointsMeasured
from ml_model.training.site.served import Served

Thresholds = Mapping[str, FindingThresholds]


@dataclass(frozen=True)
class Part:
    """Cases that are judged under one key. rows: which of all; facts: what their requests said."""

    key: str
    rows: NDArray[np.int64]
    answered: Answered
    facts: Facts


def points_measured(evaluator: Evaluator, served: Served) -> dict[str, PointsMeasured]:
    """By key; nothing of a model without thresholds."""
    if not evaluator.manifest.findings:
        return {}
    return {part.key: _measured(evaluator, served, part) for part in _parts(evaluator, served)}


def _parts(evaluator: Evaluator, served: Served) -> Iterator[Part]:
    """What the cases are judged as when a request says nothing, and when it says the age, where that counts."""
    told = evaluator.answered(served.samples, served.prediction)
    keys = np.array([(d.judgement and d.judgement.judged_as) or GENERAL for d in told.decisions])
    for key in sorted(set(keys.tolist())):
        rows = np.flatnonzero(keys == key)
        yield Part(key, rows, told.rows(rows), nothing_known)
    known = np.isfinite(ages_years(served.samples))
    if AGE_GIVEN in evaluator.manifest.findings_by_population and known.any():
        rows, own = np.flatnonzero(known), served.prediction.rows(known)
        samples = [s for s, of_age in zip(served.samples, known, strict=True) if of_age]
        yield Part(AGE_GIVEN, rows, evaluator.answered(samples, own, facts=own_age_known), own_age_known)


def _measured(evaluator: Evaluator, served: Served, part: Part) -> PointsMeasured:
    shipped = shipped_thresholds(evaluator.manifest, part.key)
    task = _with_shipped_refusals(evaluator.task, shipped)
    specificity = _specificity(task, part.key)
    folds = by_group_folds([s.group for s in part.answered.samples]) if _groups(part.answered) >= FOLDS else []
    why_not = {
        rule.code: _why_not(task, rule, part.answered, specificity, [others for others, _ in folds])
        for rule in task.findings
    }
    offered = [code for code, why in why_not.items() if why is None]
    whole = _chosen(task, part.answered, specificity, offered)
    points = {
        code: PointChosen(served=shipped[code], chosen=whole.get(code), why_not=why) for code, why in why_not.items()
    }
    crossed = None
    if offered:
        decisions = list(part.answered.decisions)
        for others, own in folds:
            chosen = _chosen(task, part.answered.rows(others), specificity, offered)
            held = replace(evaluator, manifest=with_thresholds(evaluator.manifest, part.key, chosen))
            raw = served.prediction.rows(part.rows[own])
            again = held.answered([part.answered.samples[i] for i in own], raw, facts=part.facts)
            for row, decision in zip(own, again.decisions, strict=True):
                decisions[row] = decision
        crossed = brief_of(replace(part.answered, decisions=decisions))
    return PointsMeasured(cases=len(part.rows), points=points, as_served=brief_of(part.answered), crossed=crossed)


def _with_shipped_refusals(task: ImageTask, shipped: Thresholds) -> ImageTask:
    """The task with findings that are never ruled out where the bundle's own are not."""
    why = {rule.code: rule.never_ruled_out or shipped[rule.code].never_ruled_out for rule in task.findings}
    rules = tuple(rule.model_copy(update={"never_ruled_out": why[rule.code]}) for rule in task.findings)
    return task.model_copy(update={"findings": rules})


def _specificity(task: ImageTask, key: str) -> float:
    """That which the recipes aim at for what is judged under the key."""
    own = (d for d in task.datasets if key == d.name or key.startswith(view_key(d.name, "")))
    return next((d.min_specificity for d in own if d.min_specificity), task.min_specificity)


def _chosen(
    task: ImageTask, answered: Answered, specificity: float, offered: list[str]
) -> dict[str, FindingThresholds]:
    if not offered:
        return {}
    found = finding_thresholds(task, answered.samples, answered.prediction.probabilities, specificity)
    return {code: found[code] for code in offered}


def _groups(answered: Answered) -> int:
    return len({s.group for s in answered.samples})


def _why_not(
    task: ImageTask, rule: FindingRule, answered: Answered, specificity: float, folds: list[NDArray[np.int64]]
) -> str | None:
    """Why these cases are too few to choose thresholds and to measure them; None where they suffice."""
    there, _ = finding_truth(rule, answered.samples, task.multi_label)
    without = harmless(task, answered.samples)
    if min(there.sum(), without.sum()) < FEWEST:
        return (
            f"too few cases: {there.sum()} with it and {without.sum()} without any finding; {FEWEST} of each are needed"
        )
    groups = np.array([s.group for s in answered.samples])
    targets = [(without, specificity, "without any finding")]
    if rule.never_ruled_out is None:
        targets.insert(0, (there, rule.min_sensitivity, "with it"))
    for rows, target, called in targets:
        fewest = min((len(set(groups[fold][rows[fold]])) for fold in folds), default=0)
        if allowed(fewest, target) < -SLACK:
            needed = int(np.ceil(1 / (1 - target) - 1 - SLACK))
            return (
                f"too few cases: in four fifths of them {fewest} groups (patients) are {called}; {needed} are needed "
                f"to promise {100 * target:g} %"
            )
    return None
