"""Model card and classification report, written from the manifest: no number in them is typed by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ml_model.diagnosis.population import MIN_PROBABILITY
from ml_model.inference.bundle import BalancedDecision, Manifest
from ml_model.inference.measured import (
    AgeGiven,
    Brief,
    Crossed,
    ImageMetrics,
    ImageTest,
    Measured,
    Pages,
    Robustness,
    Summary,
)
from ml_model.tasks.registry import ImageTask
from ml_model.training.evaluation.evidence_level import evidence_level
from ml_model.training.reports.explanation_section import explanation_section
from ml_model.training.reports.markdown import INTERVALS, figure, table
from ml_model.training.reports.uncertainty_section import checklist, not_measured, trust_sections

FIGURES = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc")
COMPARED = ("accuracy", "balanced_accuracy", "macro_auc")
DETECTED = ("sensitivity", "specificity", "auc")


def figures_of(measured: Measured, names: Sequence[str]) -> list[str]:
    """The figures of these names, each as it is printed."""
    return [figure(getattr(measured, name)) for name in names]


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
        "quality 30, 30 % brighter\nor darker, turned by 15 degrees.\n"
    )
    kinds = (("### As users may send them\n", test.variants), (made_worse, test.corruptions))
    return "\n".join(f"{title}\n{_changed(test, rows)}\n" for title, rows in kinds if rows)


def _changed(test: ImageTest, changes: Mapping[str, Robustness]) -> str:
    """One row for the pictures as stored and one for each change of them."""
    rows = [["as stored", *(f"{getattr(test, k).value:.3f}" for k in COMPARED)]]
    rows += [[name.replace("_", " "), *(f"{getattr(row, k):.3f}" for k in COMPARED)] for name, row in changes.items()]
    return table(["sent as", "accuracy", "balanced accuracy", "macro AUC"], rows)


def _populations(test: ImageTest) -> str:
    """How well the picture alone tells the population; empty for a task with one population."""
    told = test.populations_told
    if not told:
        return ""
    names = list(next(iter(told.values())))
    rows = [[source, *(f"{shares[name]:.3f}" for name in names)] for source, shares in told.items()]
    return f"""
### Which population a picture is judged for when no age is given
Share of each source's test pictures, told from the picture at a probability of {MIN_PROBABILITY} or more. What is
told apart are the data sets: children's films of another hospital may look different.

{table(["source", *(f"judged for {name}" if name != "not told" else name for name in names)], rows)}
"""


def _derived(derived: Summary | None) -> str:
    """Figures against categories that were derived from pixels; empty where there are none."""
    if derived is None:
        return ""
    return f"""
### The derived categories
Within a label the categories were derived from the pixels of the picture (mean, standard deviation, shares of dark and
bright pixels; the rule is in the task file), not read by a radiologist. These figures say how well the model
reproduces that rule; the figures above, on the labels, are what was measured.

{table(list(FIGURES), [figures_of(derived, FIGURES)])}

{_per_class(derived, derived.per_class)}
"""


def _sources(test: ImageTest) -> str:
    """How far the data set shows in the embedding; empty where no label is shared."""
    told = test.source_told_by_embedding
    if not told:
        return ""
    rows = [[label.replace("+", " or "), str(row.count), f"{row.auc:.3f}"] for label, row in told.items()]
    return f"""
### Whether the model sees where a picture comes from
AUC with which a linear model tells the data sets apart from the embedding, within one label (.5: not at all). Where
it is high, a picture's origin may have moved the answer.

{table(["label", "n", "AUC of the source"], rows)}
"""


def _measured_of(brief: Brief) -> list[str]:
    """Names of the figures that a part has."""
    return [n for n in (*COMPARED, "sensitivity", "specificity") if getattr(brief, n)]


def _cases(case: Brief | None) -> str:
    """Several views of one case averaged; empty where a request holds one picture."""
    if case is None:
        return ""
    names = _measured_of(case)
    return f"""
### Views of one case averaged
{case.count} cases (one side of one patient).

{table([n.replace("_", " ") for n in names], [figures_of(case, names)])}
"""


def _age_given(aged: AgeGiven | None) -> str:
    """What a known age changes; empty where it moves no answer."""
    if aged is None:
        return ""
    names = _measured_of(aged)
    rows = [["pictures", str(aged.count), *figures_of(aged, names), figure(aged.calibration_error)]]
    if case := aged.by_case:
        rows.append(["views of one case averaged", str(case.count), *figures_of(case, names), ""])
    for name, row in (aged.alerts or {}).items():
        found = {"macro_auc": row.auc, "sensitivity": row.sensitivity, "specificity": row.specificity}
        cells = [figure(found[n]) if n in found else "" for n in names]
        rows.append([f"alert: {name}", str(row.count), *cells, ""])
    return f"""
### When the age is known as well
All other figures are of the picture alone. Here each came with the age that its data set gives, as `age_years` or a
DICOM file says it; how much an age counts was learnt from the training data and weighed on validation.

{table(["", "n", *(n.replace("_", " ") for n in names), "calibration error"], rows)}
"""


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
    return f"""
### Pictures of pages
The test recordings drawn as pages, in the usual look (3 rows of 4 leads, a rhythm strip, 25 mm/s) and in many looks;
then spoilt as cameras and copiers do. The signal is read off the page and answered; a page that cannot be read is
refused, or answered by the model of pictures where there is one. The AUC is that of the answered pages.

{table(named, rows)}
"""


def _headline(manifest: Manifest) -> str:
    """What must be read first: where the figures do not carry an answer; else empty."""
    auc, crossed = manifest.image_test.macro_auc, manifest.image_metrics.cross_validation
    lines = []
    if evidence_level(auc.low) == "insufficient":
        lines.append(f"**Not to be relied on: macro AUC {figure(auc)} on the test pictures.**\n\n")
    if crossed and evidence_level(crossed.model.macro_auc.low) == "insufficient":
        lines.append(
            f"**Not to be relied on for pictures like those of {crossed.source}: macro AUC "
            f"{figure(crossed.model.macro_auc)} over patients that\nthe model had not seen.**\n\n"
        )
    return "".join(lines)


def _crossed(crossed: Crossed | None) -> str:
    """Cross-validation of a data set too small for a split; empty where there is none."""
    if crossed is None:
        return ""
    by_name = {"model": crossed.model, "colour only": crossed.colour_only}
    rows = [[name, str(row.count), *figures_of(row, FIGURES)] for name, row in by_name.items()]
    return f"""
### {crossed.source}, cross-validated
{crossed.folds} folds by group; each picture is answered by a model that saw none of its group. Beside it what the
mean and the deviation of the colours tell by themselves.

{table(["", "n", *FIGURES], rows)}
"""


def _frame(metrics: ImageMetrics, test: ImageTest) -> str:
    """What the frame of the picture tells by itself; empty where it was not measured."""
    if not metrics.frame_only:
        return ""
    rows = []
    for name, row in metrics.frame_only.items():
        whole = test.part(row.population, row.view)
        rows.append([name, str(row.count), figure(row.macro_auc), figure(whole.macro_auc if whole else None)])
    return f"""
### What the frame of the picture tells by itself
A linear model of the outer tenth of the picture on each side, trained on the same data. What it reaches owes nothing
to the organ: lines, letters, arms and collimation tell the classes apart so far.

{table(["group", "n", "macro AUC of the frame", "macro AUC of the model"], rows)}
"""


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
    return f"{members}; the mean of their logits. {training.recordings} recordings, {training.minutes} minutes."


def _called(task: ImageTask, manifest: Manifest) -> str:
    """How the class that is named follows from the probabilities."""
    point = manifest.operating_point
    called = (
        f"Named is the class with {point.rule}."
        if isinstance(point, BalancedDecision)
        else f"`{point.positive}` is called at a probability of {point.threshold:.3f} or more ({point.rule}; there: "
        f"sensitivity {point.validation_sensitivity}, specificity {point.validation_specificity})."
        if point
        else "The gravest of the labels that reach 0.5 is named, or else the most probable one."
        if task.multi_label
        else "The most probable class is named."
    )
    for name, own in manifest.operating_points.items():
        called += (
            f"\nJudged for the population of {name}: from {own.threshold:.3f} (validation: sensitivity "
            f"{own.validation_sensitivity}, specificity {own.validation_specificity}; evidence "
            f"{manifest.evidence_by_population.get(name, manifest.evidence)})."
        )
    return called


def measured_markdown(task: ImageTask, manifest: Manifest) -> str:
    """Everything that was measured, without a title."""
    metrics, test = manifest.image_metrics, manifest.image_test
    sections = (
        f"### By source and subgroup\n{_by_group(test)}\n{not_measured(task)}",
        trust_sections(task, manifest),
        _changes(test),
        _populations(test),
        _derived(test.derived_categories),
        _sources(test),
        _cases(test.by_case),
        _age_given(test.age_given),
        _frame(metrics, test),
        _crossed(metrics.cross_validation),
        _pages(metrics.pages),
        explanation_section(metrics.explanation),
    )
    measured = "\n\n".join(section.strip() for section in sections if section.strip())
    return f"""{test.count} pictures of {test.groups} groups, with the served decoder and runtime;
{INTERVALS}. {_called(task, manifest)}

{table(list(FIGURES), [figures_of(test, FIGURES)])}

{_per_class(test, test.labels)}

{measured}"""


def card_markdown(task: ImageTask, manifest: Manifest) -> str:
    """The card of an image model."""
    data = "\n".join(
        f"- {d.name}: {d.population} Licence: {d.licence} Grouped by {d.group_key}. {d.citation}" for d in task.datasets
    )
    limits = "\n".join(f"- {limit}" for limit in task.limits_of_use)
    return f"""# {task.title}

{_headline(manifest)}Evidence: **{manifest.evidence}**. For research and education only; not a medical device.

Version {manifest.version}, created {manifest.created}, licence of the model: {task.licence}

## Intended use
{task.intended_use}

## Limits
{limits}

## Data
{data}

## Test figures
{measured_markdown(task, manifest)}

## Training
{_training(manifest)}
{checklist(task, manifest)}"""
