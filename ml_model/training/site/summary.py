"""The few sentences of a page that whoever reads nothing else should have read. They follow from its figures alone."""

from __future__ import annotations

from collections.abc import Iterator

from ml_model.inference.interval import Interval
from ml_model.tasks.finding_schema import FindingRule
from ml_model.tasks.registry import ImageTask
from ml_model.training.evaluation.external import FEWEST
from ml_model.training.evaluation.intervals import evidence_level
from ml_model.training.reports.markdown import figure
from ml_model.training.site.figures import SiteEvaluation

WORTH = {
    "insufficient": "too little shows that the model is right here",
    "limited": "there is limited evidence that the model is right here",
    "sufficient": "the model tells these cases apart well",
}


def summary(task: ImageTask, told: SiteEvaluation) -> list[str]:
    """Sentences, the most important first."""
    return [*_judgement(told), *(line for rule in task.findings for line in _finding(rule, told)), *_home(told),
            *_calibration(told), *_drift(told), *_points(told)]  # fmt: skip


def _judgement(told: SiteEvaluation) -> Iterator[str]:
    fewest = min(own.cases for own in told.labels.values())
    if not told.here.judged:
        yield (
            f"**Too small to judge**: {fewest} cases of the rarest label, {FEWEST} of each are needed. The figures are "
            "shown with their intervals; the model is not judged by them."
        )
    elif auc := told.here.macro_auc:
        level = evidence_level(auc.low)
        yield f"Judged by the lower end of its AUC here, {figure(auc)}: {WORTH[level]}."


def _finding(rule: FindingRule, told: SiteEvaluation) -> Iterator[str]:
    measured, triage = told.here.findings.get(rule.code), told.here.triage
    if measured is None:
        yield f"{_upper(rule.name)}: not measured, as cases with it and without it are needed."
        return
    if measured.suspected and measured.sensitivity and measured.specificity:
        suspected, kept = measured.suspected.value, measured.sensitivity.value
        line = (
            f"{_upper(rule.name)}: of {measured.count} cases with it {_of(suspected, measured.count)} are suspected, "
            f"{_of(kept - suspected, measured.count)} open and {_of(1 - kept, measured.count)} ruled out; of those "
            f"without it {100 * (1 - measured.specificity.value):.0f} % are suspected."
        )
        calm = triage.serious_answered_calm.get(rule.code) if triage else None
        if calm is not None:
            line += f" Answered calmly although it is there: {_of(calm.value, measured.count)} of {measured.count}."
        if measured.sensitivity.high < rule.min_sensitivity:
            kept_target = f"{100 * rule.min_sensitivity:g} %"
            line += f" **More are ruled out than the target of {kept_target} kept allows**, beyond chance."
        yield line


def _of(share: float, count: int) -> str:
    return str(round(share * count))


def _upper(name: str) -> str:
    return name[0].upper() + name[1:]


def _home(told: SiteEvaluation) -> Iterator[str]:
    here, home = told.here.macro_auc, told.home.macro_auc
    if here and home:
        yield f"AUC {figure(here)} here, {figure(home)} at home: {_apart(here, home)}."


def _apart(here: Interval, home: Interval) -> str:
    if here.high < home.low:
        return "worse here than at home"
    return "better here than at home" if here.low > home.high else "the intervals overlap"


def _calibration(told: SiteEvaluation) -> Iterator[str]:
    own = told.trust.calibration
    if own and own.perfect:
        error, perfect = own.after.calibration_error, own.perfect.calibration_error
        off = error.value > perfect.high
        said = (
            "probabilities are off here: do not read them as chances"
            if off
            else "probabilities fit as far as this can tell"
        )
        yield f"Calibration error {error.value:.3f} (up to {perfect.high:.3f} would be chance): {said}."


def _drift(told: SiteEvaluation) -> Iterator[str]:
    beyond, gated = told.drift.beyond, told.drift.gated
    if beyond:
        yield f"Unlike everything in training, so that the service refuses: {100 * beyond.value:.1f} % of the cases."
    if gated:
        yield f"Refused for kind or quality: {100 * gated.value:.1f} % of the cases."


def _points(told: SiteEvaluation) -> Iterator[str]:
    """What the thresholds that would fit here would change, at either end."""
    any_offered = False
    for key, own in told.points.items():
        for code, point in own.points.items():
            served, crossed = own.as_served.findings.get(code), own.crossed.findings.get(code) if own.crossed else None
            if not (point.chosen and served and crossed):
                continue
            any_offered = True
            judged = f" (judged as {key})" if key else ""
            yield (
                f"Thresholds that would fit here, {code}{judged}: with it {_both(served.suspected, crossed.suspected)} "
                f"suspected and {_both(served.sensitivity, crossed.sensitivity)} not ruled out; without it "
                f"{_both(served.specificity, crossed.specificity)} not suspected. The service uses them only "
                "where they are written and named to it."
            )
    if told.points and not any_offered:
        yield "No operating point of its own can be chosen for this site; the end of the page says why."


def _both(served: Interval | None, crossed: Interval | None) -> str:
    """From what is served to what it would be."""
    return " -> ".join("not measured" if one is None else f"{one.value:.3f}" for one in (served, crossed))
