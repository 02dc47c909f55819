"""No answer contradicts itself, whatever the probabilities and thresholds of any task."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tasks import decided
from numpy.typing import NDArray

from ml_model.diagnosis.decision import Decision
from ml_model.tasks.image_schema import Severity
from ml_model.tasks.registry import ImageTask, load_image_tasks
from ml_model.tasks.triage_scale import LEVELS, SEVERITIES, level_of

GRAVITY = {severity: place for place, severity in enumerate(SEVERITIES)}


@st.composite
def cases(draw: st.DrawFn) -> tuple[ImageTask, NDArray[np.float32], dict[str, Any]]:
    """A task of the registry, probabilities that fit it, and how they are judged."""
    task = draw(st.sampled_from(load_image_tasks()))
    weights = np.array([draw(st.floats(0, 1)) ** 3 for _ in task.codes], np.float64)
    total = weights.sum()
    spread = weights / total if total else np.full(len(weights), 1 / len(weights))
    probabilities = weights if task.multi_label else spread
    limits: dict[str, Any] = {}
    for rule in task.findings:
        below = draw(st.one_of(st.none(), st.floats(0, 0.5)))
        limits[rule.code] = (below, draw(st.floats(below or 0, 1)))
    return task, probabilities.astype(np.float32), {"in_set_from": draw(st.floats(0, 0.6)), **limits}


def least_level(decision: Decision, task: ImageTask) -> int:
    """The level that the answer may not stay below: an open finding has a calmer text of its own."""
    told: list[Severity] = [decision.diagnosis.predicted.severity]
    calmer = {code for f in decision.findings if f.state == "indeterminate" for code in f.rule.classes}
    told += [SEVERITIES[LEVELS.index(f.rule.open_level)] for f in decision.findings if f.state == "indeterminate"]
    told += ["moderate" if code in calmer else task.by_code[code].severity for code in decision.prediction_set]
    for finding in decision.findings:
        if finding.state == "suspected":
            told.append(min((task.by_code[c].severity for c in finding.rule.classes), key=GRAVITY.__getitem__))
    return max(LEVELS.index(level_of(severity)) for severity in told)


@settings(deadline=None, max_examples=400)  # a busy machine must not fail it
@given(cases(), st.sampled_from(["sufficient", "limited", "insufficient"]))
def test_no_answer_contradicts_itself(
    case: tuple[ImageTask, NDArray[np.float32], dict[str, Any]], evidence: str
) -> None:
    task, probabilities, judged = case
    told = decided(task, probabilities, evidence=evidence, **judged)
    diagnosis, level = told.diagnosis, LEVELS.index(told.triage.level)
    if not told.abstain_reasons:
        assert level >= least_level(told, task)
    assert told.triage.severity == SEVERITIES[level]
    assert diagnosis.predicted.code in told.prediction_set or not diagnosis.settled
    open_or_worse = [finding for finding in told.findings if finding.state != "ruled_out"]
    if level <= LEVELS.index("routine"):
        assert not open_or_worse
        assert diagnosis.predicted.code in task.harmless
        assert set(told.prediction_set) <= set(task.harmless)
        assert evidence != "insufficient"
        assert not told.abstain_reasons
    suspected = {code for finding in told.findings if finding.state == "suspected" for code in finding.rule.classes}
    assert not suspected or diagnosis.predicted.code in suspected
    if diagnosis.settled:
        graver = [f for f in told.findings if f.state == "indeterminate"]
        gravities = [max(GRAVITY[task.by_code[c].severity] for c in f.rule.classes) for f in graver]
        assert all(gravity < GRAVITY[diagnosis.predicted.severity] for gravity in gravities)
    if told.abstain_reasons:
        assert level >= LEVELS.index("soon")
        assert told.triage.advice == task.undecided
    for first, second in pairwise(diagnosis.ranking):
        assert first.probability >= second.probability
    for finding in told.findings:
        if finding.state == "ruled_out":
            assert set(finding.rule.classes).isdisjoint(told.prediction_set)
