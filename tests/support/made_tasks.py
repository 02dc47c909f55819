"""Tasks, findings, thresholds and decisions that tests make up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from predictions import manifest, predicted

from ml_model.diagnosis.decision import Beside, Decision, decide
from ml_model.diagnosis.population import KnownFacts
from ml_model.inference.bundle import FindingThresholds, PredictionSets
from ml_model.tasks.finding_schema import Advice, FindingRule, Unsettled
from ml_model.tasks.image_schema import Severity, Staging, Urgency
from ml_model.tasks.registry import ClassSpec, DatasetSpec, ImageInput, ImageTask, Recommendation


def advice(title: str) -> Advice:
    return Advice(title=title, message=f"{title} message", actions=("a",), timeline="t", action="do", color="#000000")


def made_class(code: str, severity: Severity) -> ClassSpec:
    return ClassSpec(
        code=code,
        name=f"Class {code}",
        type="abnormal",
        severity=severity,
        staging=Staging(stage="s", description="d", prognosis="p"),
        urgency=Urgency(timeline=f"{code} timeline", action=f"{code} action", color="#000000"),
        treatment_options=("o",),
    )


def made_finding(code: str, classes: Sequence[str], min_sensitivity: float = 0.95) -> FindingRule:
    return FindingRule(
        code=code, name=code, classes=tuple(classes), min_sensitivity=min_sensitivity,
        suspected=f"{code} is suspected", open=advice(f"{code} open"),
    )  # fmt: skip


def made_task(*severities: Severity, multi_label: bool = False, findings: Sequence[FindingRule] = ()) -> ImageTask:
    """Classes c0, c1, … of the given severities."""
    codes = [f"c{i}" for i in range(len(severities))]
    told = {s: Recommendation(title=s, message=f"{s} message", actions=(f"{s} action",)) for s in set(severities)}
    return ImageTask(
        id="made-up",
        kind="image",
        title="Made up",
        health_key="made_up",
        licence="CC0",
        intended_use="Tests.",
        limits_of_use=("Tests.",),
        multi_label=multi_label,
        input=ImageInput(modality="none", height_px=32, width_px=32),
        classes=tuple(made_class(code, s) for code, s in zip(codes, severities, strict=True)),
        recommendations=told,
        findings=tuple(findings),
        undecided=advice("undecided"),
        weak_evidence=advice("weak"),
        unsettled=Unsettled(staging="no stage", treatment="no treatment"),
        demo_probabilities=(1.0, *[0.0] * (len(codes) - 1)),
        datasets=(
            DatasetSpec(
                name="d", folder="f", group_key="g", population="p", licence="l", citation="c",
                labels={code: (code,) for code in codes},
            ),
        ),
    )  # fmt: skip


def thresholds(rule_out_below: float | None, rule_in_from: float) -> FindingThresholds:
    return FindingThresholds(
        rule_out_below=rule_out_below, rule_in_from=rule_in_from, min_sensitivity=0.95, min_specificity=0.9,
        groups_with=100, groups_without=100, sensitivity_at_least=0.9, specificity_at_least=0.85,
        never_ruled_out="too few" if rule_out_below is None else None,
    )  # fmt: skip


def values(*probabilities: float) -> NDArray[np.float32]:
    return np.array(probabilities, np.float32)


def sets(task: ImageTask, threshold: float = 0.0) -> PredictionSets:
    return PredictionSets(coverage=0.9, thresholds=dict.fromkeys(task.measured_labels, threshold))


def decided(
    task: ImageTask,
    probabilities: NDArray[np.float32],
    *,
    in_set_from: float = 0.02,
    evidence: str = "sufficient",
    beside: Beside | None = None,
    **states: tuple[float | None, float],
) -> Decision:
    """states: by finding, below which probability it is ruled out and from which on it is suspected."""
    found = {code: thresholds(*limits) for code, limits in states.items()}
    settled = manifest(task, findings=found, prediction_sets=sets(task, in_set_from))
    settled = settled.model_copy(update={"evidence": evidence})
    return decide(task, settled, predicted(probabilities[None]), KnownFacts(), beside or Beside())
