"""Model card and classification report, written from the manifest: no number in them is typed by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ml_model.inference.bundle import Manifest
from ml_model.inference.measured import (
    AgeGiven,
    Brief,
    ImageTest,
    LabelCoverage,
    Pages,
    Robustness,
    Summary,
)
from ml_model.tasks.registry import ImageTask
from ml_model.training.evaluation.intervals import evidence_level
from ml_model.training.reports.card import task_card
from ml_model.training.reports.explanation_section import explanation_section
from ml_model.training.reports.findings_section import findings_section
from ml_model.training.reports.markdown import COMPARED, FIGURES, INTERVALS, figure, figures_of, joined, section, table
from ml_model.training.reports.source_sections import (
    crossed_section,
    external_section,
    frame_section,
    left_out_section,
    populations_section,
    sources_section,
)
from ml_model.training.reports.uncertainty_section import checklist, not_measured, trust_sections

DETECTED = ("sensitivity", "specificity", "auc")


def classification_report(test: ImageTest) -> str:
    """Plain text, one line per class, with 95 % intervals."""
    lines = [f"{'class':<28}{'n':>6}  {'sensitivity':<22}{'specificity':<22}{'AUC':<22}"]
    for name in test.labels:
        row = test.per_class[name]
        cells = "".join(f"{cell:<22}" for cell in figures_of(row, DETECTED))
        lines.append(f"{name:<28}{row.count:>6}  {cells}".rstrip())
    lines += [f"{name:<28}{test.count:>6}  {figure(getattr(test, name))}" for name in FIGURES]
    return "\n".join(lines) + "\n"


def _per_class(measured: Summary, names: Iterable[str]) -> str:
    found = measured.per_class
    rows = [[name, str(found[name].count), *figures_of(found[name], DETECTED)] for name in names]
    return table(["class", "n", "sensitivity", "specificity", "AUC"], rows)


def _by_group(test: ImageTest) -> str:
    rows = [[name, str(row.count), *figures_of(row, COMPARED)] for name, row in test.by_group.items()]
    return table(["group", "n", "accuracy", "balanced accuracy", "macro AUC"], rows)


def _changes(test: ImageTest) -> str:
    """What the figures become when the test samples are changed; the kinds of change that were measured."""
    made_worse = (
        "### Made worse\nPictures: blurred (deviation 0.8 % of the side), with noise (deviation 12 levels), as JPEG of "
        "quality 30, 30 % brighter\nor darker, turned by 15 degrees."
    )
    kinds = (("### As users may send them", test.variants), (made_worse, test.corruptions))
    return joined(*(joined(head, _changed(test, rows)) for head, rows in kinds if rows))


def _changed(test: ImageTest, changes: Mapping[str, Robustness]) -> str:
    """One row for the pictures as stored and one for each change of them."""
    rows = [["as stored", *(f"{getattr(test, k).value:.3f}" for k in COMPARED)]]
    for name, row in changes.items():
        told = [getattr(row, k) for k in COMPARED]
        rows.append([name.replace("_", " "), *("not measured" if x is None else f"{x:.3f}" for x in told)])
    return table(["sent as", "accuracy", "balanced accuracy", "macro AUC"], rows)


def _derived(derived: Summary | None) -> str:
    """Figures against categories that were derived from pixels; empty where there are none."""
    if derived is None:
        return ""
    text = """\
Within a label the categories were derived from the pixels of the picture (mean, standard deviation, shares of dark and
bright pixels; the rule is in the task file), not read by a radiologist. These figures say how well the model
reproduces that rule; the figures above, on the labels, are what was measured."""
    whole = table(list(FIGURES), [figures_of(derived, FIGURES)])
    return section("The derived categories", text, whole, _per_class(derived, derived.per_class), level=3)


def _measured_of(brief: Brief) -> list[str]:
    """Names of the figures that a part has."""
    return [n for n in COMPARED if getattr(brief, n)]


def _cases(case: Brief | None) -> str:
    """Several views of one case averaged; empty where a request holds one picture."""
    if case is None:
        return ""
    names = _measured_of(case)
    found = table([n.replace("_", " ") for n in names], [figures_of(case, names)])
    return section("Views of one case averaged", f"{case.count} cases (one side of one patient).", found, level=3)


def _age_given(aged: AgeGiven | None) -> str:
    """What a known age changes; empty where it moves no answer."""
    if aged is None:
        return ""
    names = _measured_of(aged)
    rows = [["pictures", str(aged.count), *figures_of(aged, names), figure(aged.calibration_error)]]
    if case := aged.by_case:
        rows.append(["views of one case averaged", str(case.count), *figures_of(case, names), ""])
    text = """\
All other figures are of the picture alone. Here each came with the age that its data set gives, as `age_years` or a
DICOM file says it; how much an age counts was learnt from the training data and weighed on validation."""
    head = ["", "n", *(n.replace("_", " ") for n in names), "calibration error"]
    return section("When the age is known as well", text, table(head, rows), level=3)


def _balanced(balanced: Brief | None) -> str:
    """What weights that count rare classes more would name; empty where there are none."""
    if balanced is None:
        return ""
    found = table([n.replace("_", " ") for n in COMPARED], [figures_of(balanced, COMPARED)])
    text = "The class whose probability times a weight is largest; the weights undo how rare a class was in training."
    return section("Were the classes named by weight", text, found, level=3)


APART = """\
A signal that was read off a page is held against thresholds of its own (judged as `page`), chosen on validation
recordings drawn as pages, in the usual look and in two others of each. What the answers come to stands among the
findings; so often the prediction sets hold each label:"""


def _pages(pages: Pages | None) -> str:
    """Pages drawn from the test recordings; empty for a model that is not asked about any."""
    if pages is None:
        return ""
    alone = pages.usual_look is not None and pages.usual_look.picture_alone is not None
    rows = []
    for name, row in pages.rows():
        cells = [name.replace("_", " "), f"{row.answered:.3f}", f"{row.from_signal:.3f}", figure(row.macro_auc)]
        rows.append([*cells, figure(row.picture_alone)] if alone else cells)
    named = ["pages", "answered", "from the signal", "macro AUC", *(["the picture alone"] if alone else [])]
    text = """\
The test recordings drawn as pages, in the usual look (3 rows of 4 leads, a rhythm strip, 25 mm/s) and in many looks;
then spoilt as cameras and copiers do. The signal is read off the page and answered; a page that cannot be read is
refused, or answered by the model of pictures where there is one. The AUC is that of the answered pages."""
    sets = [(name, row.prediction_sets.by_label) for name, row in pages.rows() if row.prediction_sets]
    labels = sorted({label for _, found in sets for label in found})
    covered = [[name.replace("_", " "), *(_coverage(found.get(label)) for label in labels)] for name, found in sets]
    held = f"{APART}\n\n{table(['sets of pages', *labels], covered)}" if covered else ""
    return section("Pictures of pages", text, table(named, rows), held, level=3)


def _coverage(label: LabelCoverage | None) -> str:
    return figure(label.coverage_interval if label else None)


def _headline(manifest: Manifest) -> str:
    """What must be read first: where the figures do not carry an answer; else empty."""
    auc, crossed = manifest.image_test.macro_auc, manifest.image_metrics.cross_validation
    lines = []
    if evidence_level(auc.low) == "insufficient":
        lines.append(f"**Not to be relied on: macro AUC {figure(auc)} on the test pictures.**")
    if crossed and evidence_level(crossed.model.macro_auc.low) == "insufficient":
        lines.append(
            f"**Not to be relied on for pictures like those of {crossed.source}: macro AUC "
            f"{figure(crossed.model.macro_auc)} over patients that\nthe model had not seen.**"
        )
    return joined(*lines)


def _training(manifest: Manifest) -> str:
    recipe, training = manifest.recipe, manifest.image_metrics.training
    if training is None:
        return "Not recorded."
    if "backbone" in recipe:
        return (
            f"Backbone {recipe['backbone']} from {recipe['weights']}, all layers fine-tuned; loss {recipe['loss']}, "
            f"seed\n{manifest.seed}; {training.pictures} pictures, {training.minutes} minutes."
        )
    members = ", ".join(f"{architecture} (seed {seed})" for architecture, seed in recipe["members"])
    told = f"{members}; the mean of their logits. {training.recordings} recordings, {training.minutes} minutes."
    if recipe["weights"] == "none":
        return told
    return (
        f"{told}\nThey start from {recipe['weights']}: networks that others trained on all of PTB-XL's folds 1 to 8 "
        "and stopped on\nfold 9 (Apache-2.0), so that what is chosen on fold 9, as thresholds are, is a little hopeful."
    )


def _called(task: ImageTask) -> str:
    if not task.findings:
        return "The most probable class is named."
    return """\
With a finding suspected, its most probable class is named (of the gravest, where there are several); with all ruled out
the most probable class that belongs to none; otherwise the most probable of all, and the answer is not settled."""


def measured_markdown(task: ImageTask, manifest: Manifest) -> str:
    """Everything that was measured, without a title."""
    metrics, test = manifest.image_metrics, manifest.image_test
    sections = (
        findings_section(task, manifest),
        _balanced(test.balanced),
        section("By source and subgroup", _by_group(test), not_measured(task), level=3),
        trust_sections(task, manifest),
        _changes(test),
        populations_section(test),
        _derived(test.derived_categories),
        sources_section(test),
        _cases(test.by_case),
        _age_given(test.age_given),
        frame_section(metrics, test),
        crossed_section(metrics.cross_validation),
        left_out_section(metrics.left_out),
        external_section(metrics.external),
        _pages(metrics.pages),
        explanation_section(metrics.explanation),
    )
    text = f"""{test.count} pictures of {test.groups} groups, with the served decoder and runtime;
{INTERVALS}.
{_called(task)}"""
    return joined(text, table(list(FIGURES), [figures_of(test, FIGURES)]), _per_class(test, test.labels), *sections)


def card_markdown(task: ImageTask, manifest: Manifest) -> str:
    """The card of an image model."""
    parts = (
        section("Test figures", measured_markdown(task, manifest)),
        section("Training", _training(manifest)),
        checklist(task, manifest),
    )
    return task_card(task, manifest, *parts, warning=_headline(manifest))
