"""The findings of a case in three zones: ruled out, indeterminate, suspected. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ml_model.inference.bundle import FindingThresholds, Manifest
from ml_model.tasks.finding_schema import FindingRule
from ml_model.tasks.registry import ImageTask

FindingState = Literal["ruled_out", "indeterminate", "suspected"]


@dataclass(frozen=True)
class Finding:
    """One finding of a case. probability: of its classes together, 0-1. thresholds: None where none were measured, as
    of an example or of a user's own model; then it stays indeterminate."""

    rule: FindingRule
    probability: float
    state: FindingState
    thresholds: FindingThresholds | None


def findings_of(
    task: ImageTask,
    manifest: Manifest,
    by_code: Mapping[str, float],
    judged_as: str | None,
    *,
    lowered: bool = False,
    unfit: bool = False,
) -> tuple[Finding, ...]:
    """The task's findings, in its order. judged_as: key of the thresholds. lowered: something was measured that the
    classes know nothing of, so that no more is claimed than that a finding is open. unfit: no answer to what was sent
    can be leant on, so that it rules nothing out."""
    found = []
    for rule in task.findings:
        probability = _probability(rule, by_code)
        thresholds = _thresholds(manifest, rule.code, judged_as)
        state = _state(probability, thresholds)
        if lowered or (unfit and state == "ruled_out"):
            state = "indeterminate"
        found.append(Finding(rule, probability, state, thresholds))
    return tuple(found)


def unsettled_findings(task: ImageTask, by_code: Mapping[str, float]) -> tuple[Finding, ...]:
    """Those of an example, which no model answered."""
    return tuple(Finding(rule, _probability(rule, by_code), "indeterminate", None) for rule in task.findings)


def _probability(rule: FindingRule, by_code: Mapping[str, float]) -> float:
    return min(1.0, sum(by_code[code] for code in rule.classes))


def _state(probability: float, thresholds: FindingThresholds | None) -> FindingState:
    if thresholds is None:
        return "indeterminate"
    if probability >= thresholds.rule_in_from:
        return "suspected"
    below = thresholds.rule_out_below
    return "ruled_out" if below is not None and probability < below else "indeterminate"


def _thresholds(manifest: Manifest, code: str, judged_as: str | None) -> FindingThresholds | None:
    """Of the population where it has its own; where it is not known, the more cautious of all at either end."""
    general = manifest.findings.get(code)
    if judged_as is not None:
        return manifest.findings_by_population.get(judged_as, {}).get(code, general)
    known = [manifest.findings_by_population[name] for name in manifest.populations_apart]
    return _most_cautious([own for own in (general, *(of.get(code) for of in known)) if own is not None])


def _most_cautious(thresholds: Sequence[FindingThresholds]) -> FindingThresholds | None:
    if len(thresholds) < 2:
        return thresholds[0] if thresholds else None
    never = next((own for own in thresholds if own.rule_out_below is None), None)
    base = never or min(thresholds, key=lambda own: own.rule_out_below or 0)
    first = min(thresholds, key=lambda own: own.rule_in_from)
    local = base.local or first.local  # measured of one key, and not of their mixture
    unmeasured = local and local.model_copy(update={"measured": None})
    return base.model_copy(update={"rule_in_from": first.rule_in_from, "local": unmeasured})
