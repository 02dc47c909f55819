"""The page of a site: what the model does on its cases, beside the figures that it has at home."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from ml_model.diagnosis.population import AGE_GIVEN, PAGE
from ml_model.inference.interval import Interval
from ml_model.inference.local.thresholds import GENERAL
from ml_model.inference.measured import Brief
from ml_model.tasks.registry import ImageTask
from ml_model.training.evaluation.external import FEWEST
from ml_model.training.reports.markdown import COMPARED, INTERVALS, bullets, document, figure, section, table
from ml_model.training.site.figures import PointChosen, PointsMeasured, SiteEvaluation
from ml_model.training.site.summary import summary

HERE, HOME = "here", "at home"
NOTHING_KNOWN = "nothing known beside it"


def page(task: ImageTask, told: SiteEvaluation) -> str:
    """The whole page."""
    return document(
        f"{told.title}: the model on the cases of this site",
        _head(told), section("In short", bullets(summary(task, told))), _cases(task, told), _overall(task, told),
        _findings(task, told), _trust(task, told), _drift(told), _points(task, told), _limits(told),
    )  # fmt: skip


def _head(told: SiteEvaluation) -> str:
    rest = [f"{count} files could not be read ({why})" for why, count in told.unread.items()]
    rest += [f"{told.left_out} files without a label of the task were left out"] if told.left_out else []
    said = f" {'; '.join(rest)}." if rest else ""
    return f"""\
Model `{told.model}` {told.version} (SHA-256 `{told.sha256}`), evidence: {told.evidence}. Data: `{told.data}`, \
{told.here.count} cases of {told.here.groups} groups (patients), measured on {told.made_on}, each answered as the \
service answers it.{said} "{HOME.capitalize()}" is the test split of the data that the model was made from.
{INTERVALS}."""


def _cases(task: ImageTask, told: SiteEvaluation) -> str:
    rows = [
        [
            called(task, name),
            str(own.cases),
            str(own.groups),
            f"{own.share:.3f}",
            f"{own.told:.3f}",
            _share(own.home_share),
        ]
        for name, own in told.labels.items()
    ]
    text = f"""\
The mean probability that the model told, beside the share that has the label, shows whether it says too much or too \
little of it here. Shares at home are of the test split, as the bundle keeps none of training. From {FEWEST} cases of \
each label on a set is judged; fewer are too small to judge."""
    head = ["label", "cases", "groups", "share here", "mean probability told", f"share {HOME}"]
    return section("Cases", text, table(head, rows))


def called(task: ImageTask, label: str) -> str:
    """A label as it is read: a class by its name."""
    return task.by_code[label].name if label in task.by_code else label


def _share(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3f}"


def _overall(task: ImageTask, told: SiteEvaluation) -> str:
    rows = [
        [
            where,
            str(own.count),
            ", ".join(called(task, name) for name in labels),
            *(figure(getattr(own, name)) for name in COMPARED),
        ]
        for where, own, labels in ((HERE, told.here, told.here.labels), (HOME, told.home, told.home_labels))
    ]
    same = told.here.labels == told.home_labels
    text = "" if same else "Figures are comparable only as far as the labels are the same."
    apart = set(told.points) - {GENERAL, AGE_GIVEN, PAGE}
    pooled = f"Figures {HOME} are of all populations together; the model's card has each." if apart else ""
    return section("Overall", text, pooled, table(["", "cases", "labels", *map(_words, COMPARED)], rows))


def _words(name: str) -> str:
    return name.replace("_", " ").replace("auc", "AUC")


def _findings(task: ImageTask, told: SiteEvaluation) -> str:
    rows = [
        [rule.name, where, *row]
        for rule in task.findings
        for where, own in ((HERE, told.here), (HOME, told.home))
        for row in _finding_rows(rule.code, own)
    ]
    if not rows:
        return ""
    text = """\
At the thresholds that are served. Not ruled out, of the cases that have the finding, is its sensitivity; not \
suspected, of the cases that have it not, its specificity. What is neither ruled out nor suspected is open. Answered \
calmly: with a severity of "healthy" or "low", without abstaining."""
    head = ["finding", "", "cases", "with it: suspected", "open", "ruled out", "answered calmly",
            "without it: suspected", "open", "ruled out", "AUC"]  # fmt: skip
    return section("Findings", text, table(head, rows))


def _finding_rows(code: str, own: Brief) -> Iterator[list[str]]:
    measured = own.findings.get(code)
    if measured is None:
        return
    calm = own.triage.serious_answered_calm.get(code) if own.triage else None
    if not (measured.sensitivity and measured.suspected and measured.specificity and measured.ruled_out):
        yield [str(measured.count), *["not measured"] * 7, figure(measured.auc)]
        return
    missed, called = _rest(measured.sensitivity), _rest(measured.specificity)
    with_open = measured.sensitivity.value - measured.suspected.value
    without_open = measured.specificity.value - measured.ruled_out.value
    yield [
        str(measured.count), figure(measured.suspected), f"{with_open:.3f}", figure(missed), figure(calm),
        figure(called), f"{without_open:.3f}", figure(measured.ruled_out), figure(measured.auc),
    ]  # fmt: skip


def _rest(share: Interval) -> Interval:
    """One less a share."""
    return Interval(value=1 - share.value, low=1 - share.high, high=1 - share.low)


def _trust(task: ImageTask, told: SiteEvaluation) -> str:
    trust = told.trust
    if not trust.cases:
        return section("Calibration and prediction sets", "Not measured: no case has a label of the model's own.")
    rows = [
        [where, figure(own.after.calibration_error), figure(own.perfect.calibration_error if own.perfect else None),
         figure(own.after.brier_score)]
        for where, own in ((HERE, trust.calibration), (HOME, trust.home_calibration)) if own
    ]  # fmt: skip
    text = f"""\
On {trust.cases} cases, in the labels of the model. The calibration error is how far confidence and the share of right \
answers lie apart; "if perfect" is what it would read, on as many cases, if every confidence were exactly right."""
    errors = table(["", "calibration error", "if perfect", "Brier score"], rows)
    names = {*trust.coverage, *trust.home_coverage}
    sets = [
        [called(task, name), *(
            f"{own[name].count}: {figure(own[name].coverage_interval)}" if name in own else "none"
            for own in (trust.coverage, trust.home_coverage)
        )]
        for name in told.home_labels if name in names
    ]  # fmt: skip
    covered = f"""\
How often the prediction set holds the label that is true (cases: share), made for nine in ten. The service abstains \
from {figure(trust.abstained)} of the cases here, {figure(trust.home_abstained)} at home."""
    tables = [covered, table(["label", HERE, HOME], sets)] if sets else []
    return section("Calibration and prediction sets", text, errors, _reliability(told), *tables)


def _reliability(told: SiteEvaluation) -> str:
    """Bins of equal mass side by side; of each: answers, mean confidence, share right."""
    both = [own.reliability if own else () for own in (told.trust.calibration, told.trust.home_calibration)]
    rows = [[str(i), *(c for one in pair for c in _bin(one))] for i, pair in enumerate(zip_longest(*both), 1)]
    head = [f"{what} {where}" for where in (HERE, HOME) for what in ("answers", "mean confidence", "share right")]
    return table(["bin", *head], rows)


def _bin(told: tuple[float, float, int] | None) -> list[str]:
    return [str(told[2]), f"{told[0]:.3f}", f"{told[1]:.3f}"] if told else [""] * 3


def _drift(told: SiteEvaluation) -> str:
    drift = told.drift
    rows = [
        ["as unusual as 2 in 100 of validation, or more", figure(drift.unusual), "0.020 of validation"],
        ["beyond the familiarity limit (the service refuses)", figure(drift.beyond), _share(drift.home_beyond)],
        ["refused by the input gate (kind, quality)", figure(drift.gated), _share(drift.home_gated)],
        ["refused by the service, for any reason", figure(drift.refused), "not measured"],
        ["altered or faulty, so that nothing is stated", figure(drift.unfit), "not measured"],
    ]
    reasons = [f"{count} cases: {reason}" for reason, count in drift.reasons.items()]
    said = (
        f"What the gate and the service said of the cases that they would refuse:\n\n{bullets(reasons)}"
        if reasons
        else ""
    )
    quality = [[_words(name), f"{own.mean:.4g}", f"{own.deviation:.4g}"] for name, own in drift.quality.items()]
    looks = table(["quality, levels 0-255", "mean", "standard deviation"], quality) if quality else ""
    text = """\
Figures on this page count every case that could be read, also those that the service would refuse. What is refused \
"at home" is of the test split and of the input gate's own test pictures."""
    return section("Drift against training", text, table(["share of cases", HERE, HOME], rows), said, looks)


def _points(task: ImageTask, told: SiteEvaluation) -> str:
    blocks = [block for key, own in told.points.items() for block in _judged_apart(task, key, own)]
    if not blocks:
        return ""
    text = f"""\
Chosen on these cases by the rule of the recipes: counted by group, with the risk controlled in expectation and the \
task's targets. Sensitivity and specificity "if used" are cross-fitted: each case is held against thresholds that were \
chosen without its group, five folds. Nothing is offered where the cases are too few ({FEWEST} with the finding and \
{FEWEST} without any, and groups enough for the targets in four fifths of them). A finding that the bundle never rules \
out is not ruled out here either. Prediction sets keep the bundle's thresholds."""
    return section("Operating points that would fit here", text, *blocks)


def _judged_apart(task: ImageTask, key: str, own: PointsMeasured) -> Iterator[str]:
    rows = []
    for rule in task.findings:
        point = own.points[rule.code]
        rows.append([rule.name, "served", *_limits_of(point, "served"), *_worth(own.as_served, rule.code)])
        if point.chosen and own.crossed:
            rows.append([rule.name, "if used here", *_limits_of(point, "chosen"), *_worth(own.crossed, rule.code)])
        else:
            rows.append([rule.name, f"none: {point.why_not}", *["—"] * 7])
    head = ["finding", "thresholds", "ruled out below", "suspected from", "not ruled out (sensitivity)", "suspected",
            "not suspected (specificity)", "ruled out", "answered calmly"]  # fmt: skip
    yield f"Judged as: {key or NOTHING_KNOWN}, {own.cases} cases.\n\n{table(head, rows)}"


def _limits_of(point: PointChosen, which: str) -> list[str]:
    limits = point.chosen if which == "chosen" and point.chosen else point.served
    below = "never" if limits.rule_out_below is None else f"{limits.rule_out_below:.4f}"
    return [below, f"{limits.rule_in_from:.4f}"]


def _worth(brief: Brief, code: str) -> list[str]:
    measured = brief.findings.get(code)
    if measured is None:
        return ["not measured"] * 5
    calm = brief.triage.serious_answered_calm.get(code) if brief.triage else None
    shares = (measured.sensitivity, measured.suspected, measured.specificity, measured.ruled_out, calm)
    return [figure(share) for share in shares]


def _limits(told: SiteEvaluation) -> str:
    return section("Limits", bullets((
        "The labels are the site's; whether they are right was not looked at.",
        "How the cases were gathered decides what their shares mean: picked cases have another prior than a clinic.",
        "Research and education only. A page on past cases is no proof that the next ones are answered as well.",
    )))  # fmt: skip
