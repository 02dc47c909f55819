"""Truth, scores and figures of the findings that a task file declares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml_model.diagnosis.decision import Decision
from ml_model.inference.interval import Interval
from ml_model.inference.measured_findings import FindingMeasured, TriageMeasured
from ml_model.tasks.finding_schema import FindingRule
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.intervals import proportion, resampled
from ml_model.training.evaluation.metrics import auc

Bools = NDArray[np.bool_]
DRAWS = 200
CALM = ("healthy", "low")


def finding_truth(rule: FindingRule, samples: Sequence[Sample], multi_label: bool) -> tuple[Bools, Bools]:
    """(N,) whether the finding is there, and (N,) whether the label tells."""
    classes = set(rule.classes)
    there = [bool(classes & set(s.codes)) if multi_label else classes >= set(s.codes) for s in samples]
    told = [multi_label or t or not classes & set(s.codes) for t, s in zip(there, samples, strict=True)]
    return np.array(there, dtype=bool), np.array(told, dtype=bool)


def harmless(task: ImageTask, samples: Sequence[Sample]) -> Bools:
    """(N,) whether the label says that none of the findings is there."""
    truths = [finding_truth(rule, samples, task.multi_label) for rule in task.findings]
    return np.asarray(np.all([told & ~there for there, told in truths], axis=0))


def finding_scores(task: ImageTask, rule: FindingRule, probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N,) summed probability of the finding's classes. probabilities: (N, classes)."""
    columns = [task.codes.index(code) for code in rule.classes]
    return np.asarray(np.minimum(probabilities[:, columns].astype(np.float64).sum(axis=1), 1))


def finding_figures(
    task: ImageTask,
    samples: Sequence[Sample],
    probabilities: NDArray[np.floating],
    decisions: Sequence[Decision] | None,
) -> dict[str, FindingMeasured]:
    """By finding that occurs and is absent. decisions: what the pipeline decides of each sample; None of a model
    without thresholds, of which the AUC is all that can be said."""
    groups, figures = np.array([s.group for s in samples]), {}
    for i, rule in enumerate(task.findings):
        there, told = finding_truth(rule, samples, task.multi_label)
        absent = told & ~there
        if not there.any() or not absent.any():
            continue
        scores = finding_scores(task, rule, probabilities)
        figures[rule.code] = FindingMeasured(
            count=int(there.sum()),
            auc=_auc(there[told], scores[told], groups[told]),
            **(_of_states([d.findings[i].state for d in decisions], there, absent, groups) if decisions else {}),
        )
    return figures


def _auc(there: Bools, scores: NDArray[np.float64], groups: NDArray[np.str_]) -> Interval:
    return resampled(groups, lambda rows: auc(there[rows], scores[rows]), draws=DRAWS)


def _of_states(states: Sequence[str], there: Bools, absent: Bools, groups: NDArray[np.str_]) -> dict[str, Interval]:
    state = np.array(states)
    return {
        "sensitivity": proportion(state[there] != "ruled_out", groups[there]),
        "suspected": proportion(state[there] == "suspected", groups[there]),
        "specificity": proportion(state[absent] != "suspected", groups[absent]),
        "ruled_out": proportion(state[absent] == "ruled_out", groups[absent]),
    }


def triage_figures(task: ImageTask, samples: Sequence[Sample], decisions: Sequence[Decision]) -> TriageMeasured | None:
    """What the answers come to, of serious and of harmless cases; None of a task without findings."""
    if not task.findings:
        return None
    groups, none = np.array([s.group for s in samples]), harmless(task, samples)
    abstains = np.array([bool(d.abstain_reasons) for d in decisions], dtype=bool)
    calm = np.array([d.triage.severity in CALM for d in decisions], dtype=bool)
    suspected = np.array([any(f.state == "suspected" for f in d.findings) for d in decisions], dtype=bool)
    ruled_out = np.array([all(f.state == "ruled_out" for f in d.findings) for d in decisions], dtype=bool)
    calm_of, count = {}, {}
    for rule in task.findings:
        there, _ = finding_truth(rule, samples, task.multi_label)
        if there.any():
            calm_of[rule.code] = proportion((calm & ~abstains)[there], groups[there])
            count[rule.code] = int(there.sum())
    without = bool(none.any())
    return TriageMeasured(
        abstained=proportion(abstains, groups),
        harmless=int(none.sum()),
        serious_answered_calm=calm_of,
        harmless_suspected=proportion(suspected[none], groups[none]) if without else None,
        harmless_ruled_out=proportion(ruled_out[none], groups[none]) if without else None,
    )
