"""The card's section on findings: between which probabilities nothing is settled, and what that came to on test."""

from __future__ import annotations

from collections.abc import Iterator

from ml_model.inference.bundle import Manifest
from ml_model.inference.measured import Brief, ImageTest, PageFigures
from ml_model.inference.measured_findings import TriageMeasured
from ml_model.tasks.registry import ImageTask
from ml_model.training.reports.markdown import figure, figures_of, joined, section, table

MEASURED = ("auc", "sensitivity", "suspected", "specificity", "ruled_out")
ANSWERS = """\
Serious cases answered calmly: those of the finding whose answer's severity is "healthy" or "low", without abstaining.
Harmless are the cases with none of the findings."""


def findings_section(task: ImageTask, manifest: Manifest) -> str:
    """Thresholds, figures and what the answers come to; empty for a task without findings."""
    if not manifest.findings:
        return ""
    text = """\
Below the first threshold a finding is ruled out, from the second one on it is suspected, between them it stays open.
Chosen on validation, counted by group, on answers that no calibration was fitted to. The lower bounds are exact (95 %,
one-sided), of validation."""
    never = [
        f"{rule.name}: {why}"
        for rule in task.findings
        if rule.code in manifest.findings and (why := manifest.findings[rule.code].never_ruled_out)
    ]
    head = ["judged as", "finding", "ruled out below", "suspected from", "groups with / without", "bounds"]
    return section(
        "Findings", text, table(head, list(_thresholds(manifest))),
        joined(*(f"Never ruled out, {line}" for line in never)), _measured(manifest), _answers(manifest), level=3,
    )  # fmt: skip


def _thresholds(manifest: Manifest) -> Iterator[list[str]]:
    for key, found in {"any": manifest.findings, **manifest.findings_by_population}.items():
        for code, own in found.items():
            below = "never" if own.rule_out_below is None else f"{own.rule_out_below:.4f}"
            bounds = f"sensitivity {own.sensitivity_at_least:.3f}, specificity {own.specificity_at_least:.3f}"
            groups = f"{own.groups_with} / {own.groups_without}"
            yield [key, code, below, f"{own.rule_in_from:.4f}", groups, bounds]


def parts_of(manifest: Manifest) -> Iterator[tuple[str, ImageTest | Brief | PageFigures]]:
    """What the findings were measured on, with its name: all test pictures, populations, with the age, pages that were
    drawn of the test recordings, abroad."""
    test = manifest.image_test
    yield "test", test
    for part in test.by_group.values():
        if part.findings and part.attribute is None and len(test.by_group) > 1:
            yield part.title, part
    if test.age_given:
        yield "age given", test.age_given
        if test.age_given.by_case:
            yield "views averaged, age given", test.age_given.by_case
    if pages := manifest.image_metrics.pages:
        yield from ((f"pages, {name.replace('_', ' ')}", row) for name, row in pages.rows() if row.findings)
    yield from ((f"abroad: {name}", row) for name, row in (manifest.image_metrics.external or {}).items())


def _measured(manifest: Manifest) -> str:
    rows = [
        [name, code, str(told.count), *figures_of(told, MEASURED)]
        for name, part in parts_of(manifest)
        for code, told in part.findings.items()
    ]
    head = ["of", "finding", "n", "AUC", "not ruled out", "suspected", "without it: not suspected", "ruled out"]
    return table(head, rows)


def _answers(manifest: Manifest) -> str:
    rows = [[name, *_row(told)] for name, part in parts_of(manifest) if (told := part.triage)]
    head = ["of", "answered calmly", "harmless", "suspected", "all ruled out", "abstained"]
    return joined(ANSWERS, table(head, rows))


def _row(told: TriageMeasured) -> list[str]:
    calm = "; ".join(f"{code} {figure(share)}" for code, share in told.serious_answered_calm.items())
    shares = figure(told.harmless_suspected), figure(told.harmless_ruled_out), figure(told.abstained)
    return [calm or "none", str(told.harmless), *shares]
