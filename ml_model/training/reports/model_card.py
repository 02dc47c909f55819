"""Model card and classification report, written from the manifest: no number in them is typed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml_model.diagnosis.population import MIN_PROBABILITY
from ml_model.inference.bundle import BalancedDecision, Manifest
from ml_model.tasks.registry import ImageTask
from ml_model.training.evaluation.evidence_level import evidence_level
from ml_model.training.reports.explanation_section import explanation_section
from ml_model.training.reports.markdown import INTERVALS, figure, table
from ml_model.training.reports.uncertainty_section import checklist, not_measured, trust_sections

FIGURES = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc")


def classification_report(test: Mapping[str, Any]) -> str:
    """Plain text, one line per class, with 95 % intervals."""
    lines = [f"{'class':<28}{'n':>6}  {'sensitivity':<22}{'specificity':<22}{'AUC':<22}"]
    for name, row in _classes(test):
        cells = "".join(f"{figure(row[key]):<22}" for key in ("sensitivity", "specificity", "auc"))
        lines.append(f"{name:<28}{row['count']:>6}  {cells}".rstrip())
    lines += [f"{name:<28}{test['count']:>6}  {figure(test[name])}" for name in FIGURES]
    return "\n".join(lines) + "\n"


def _classes(test: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Names and figures in the order of the labels; a manifest that was read back has them sorted."""
    return [(name, test["per_class"][name]) for name in test.get("labels", test["per_class"])]


def _per_class(test: Mapping[str, Any]) -> str:
    rows = [
        [name, str(row["count"]), figure(row["sensitivity"]), figure(row["specificity"]), figure(row["auc"])]
        for name, row in _classes(test)
    ]
    return table(["class", "n", "sensitivity", "specificity", "AUC"], rows)


def _by_group(test: Mapping[str, Any]) -> str:
    rows = [
        [name, str(row["count"]), *(figure(row.get(k)) for k in ("accuracy", "balanced_accuracy", "macro_auc"))]
        for name, row in test["by_group"].items()
    ]
    return table(["group", "n", "accuracy", "balanced accuracy", "macro AUC"], rows)


def _changed(test: Mapping[str, Any], kind: str) -> str:
    """One row for the pictures as stored and one for each change of them."""
    rows = [["as stored", *(f"{test[k]['value']:.3f}" for k in ("accuracy", "balanced_accuracy", "macro_auc"))]]
    rows += [
        [name.replace("_", " "), *(f"{row[k]:.3f}" for k in ("accuracy", "balanced_accuracy", "macro_auc"))]
        for name, row in test.get(kind, {}).items()
    ]
    return table(["sent as", "accuracy", "balanced accuracy", "macro AUC"], rows)


def _changes(test: Mapping[str, Any]) -> str:
    """What the figures become when the test samples are changed; the kinds of change that were measured."""
    titles = {
        "variants": "### As users may send them\n",
        "corruptions": "### Made worse\nPictures: blurred (deviation 0.8 % of the side), with noise (deviation 12 "
        "levels), as JPEG of quality 30, 30 % brighter\nor darker, turned by 15 degrees.\n",
    }
    return "\n".join(f"{title}\n{_changed(test, kind)}\n" for kind, title in titles.items() if test.get(kind))


def _populations(test: Mapping[str, Any]) -> str:
    """How well the picture alone tells the population; empty for a task with one population."""
    told = test.get("populations_told")
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


def _derived(test: Mapping[str, Any]) -> str:
    """Figures against categories that were derived from pixels; empty where there are none."""
    derived = test.get("derived_categories")
    if not derived:
        return ""
    return f"""
### The derived categories
Within a label the categories were derived from the pixels of the picture (mean, standard deviation, shares of dark and
bright pixels; the rule is in the task file), not read by a radiologist. These figures say how well the model
reproduces that rule; the figures above, on the labels, are what was measured.

{table(list(FIGURES), [[figure(derived[name]) for name in FIGURES]])}

{_per_class(derived)}
"""


def _sources(test: Mapping[str, Any]) -> str:
    """How far the data set shows in the embedding; empty where no label is shared."""
    told = test.get("source_told_by_embedding")
    if not told:
        return ""
    rows = [[label.replace("+", " or "), f"{row['count']:.0f}", f"{row['auc']:.3f}"] for label, row in told.items()]
    return f"""
### Whether the model sees where a picture comes from
AUC with which a linear model tells the data sets apart from the embedding, within one label (.5: not at all). Where
it is high, a picture's origin may have moved the answer.

{table(["label", "n", "AUC of the source"], rows)}
"""


def _cases(test: Mapping[str, Any]) -> str:
    """Several views of one case averaged; empty where a request holds one picture."""
    case = test.get("by_case")
    if not case:
        return ""
    names = [n for n in ("accuracy", "balanced_accuracy", "macro_auc", "sensitivity", "specificity") if n in case]
    return f"""
### Views of one case averaged
{case["count"]} cases (one side of one patient).

{table([n.replace("_", " ") for n in names], [[figure(case[n]) for n in names]])}
"""


def _age_given(test: Mapping[str, Any]) -> str:
    """What a known age changes; empty where it moves no answer."""
    aged = test.get("age_given")
    if not aged:
        return ""
    names = [n for n in ("accuracy", "balanced_accuracy", "macro_auc", "sensitivity", "specificity") if n in aged]
    rows = [["pictures", str(aged["count"]), *(figure(aged[n]) for n in names), figure(aged["calibration_error"])]]
    if case := aged.get("by_case"):
        rows.append(["views of one case averaged", str(case["count"]), *(figure(case[n]) for n in names), ""])
    for name, row in aged.get("alerts", {}).items():
        found = {"macro_auc": row["auc"], "sensitivity": row["sensitivity"], "specificity": row["specificity"]}
        cells = [figure(found[n]) if n in found else "" for n in names]
        rows.append([f"alert: {name}", str(row["count"]), *cells, ""])
    return f"""
### When the age is known as well
All other figures are of the picture alone. Here each came with the age that its data set gives, as `age_years` or a
DICOM file says it; how much an age counts was learnt from the training data and weighed on validation.

{table(["", "n", *(n.replace("_", " ") for n in names), "calibration error"], rows)}
"""


def _pages(metrics: Mapping[str, Any]) -> str:
    """Pages drawn from the test recordings; empty for a model that is not asked about any."""
    pages = metrics.get("pages")
    if not pages:
        return ""
    conditions = {k: v for k, v in pages.items() if k != "many_looks_by_layout"}
    conditions |= {f"many looks, {k}": v for k, v in pages["many_looks_by_layout"].items()}
    named = ["pages", "answered", "from the signal", "macro AUC"]
    rows = [
        [name.replace("_", " "), f"{row['answered']:.3f}", f"{row['from_signal']:.3f}", figure(row.get("macro_auc"))]
        for name, row in conditions.items()
    ]
    if "picture_alone" in pages["usual_look"]:
        named.append("the picture alone")
        rows = [[*row, figure(c.get("picture_alone"))] for row, c in zip(rows, conditions.values(), strict=True)]
    return f"""
### Pictures of pages
The test recordings drawn as pages, in the usual look (3 rows of 4 leads, a rhythm strip, 25 mm/s) and in many looks;
then spoilt as cameras and copiers do. The signal is read off the page and answered; a page that cannot be read is
refused, or answered by the model of pictures where there is one. The AUC is that of the answered pages.

{table(named, rows)}
"""


def _headline(metrics: Mapping[str, Any]) -> str:
    """What must be read first: where the figures do not carry an answer; else empty."""
    test, crossed = metrics["test"]["macro_auc"], metrics.get("cross_validation")
    lines = []
    if evidence_level(test["low"]) == "insufficient":
        lines.append(f"**Not to be relied on: macro AUC {figure(test)} on the test pictures.**\n\n")
    if crossed and evidence_level(crossed["model"]["macro_auc"]["low"]) == "insufficient":
        lines.append(
            f"**Not to be relied on for pictures like those of {crossed['source']}: macro AUC "
            f"{figure(crossed['model']['macro_auc'])} over patients that\nthe model had not seen.**\n\n"
        )
    return "".join(lines)


def _crossed(metrics: Mapping[str, Any]) -> str:
    """Cross-validation of a data set too small for a split; empty where there is none."""
    crossed = metrics.get("cross_validation")
    if not crossed:
        return ""
    rows = [
        [name.replace("_", " "), str(crossed[name]["count"]), *(figure(crossed[name][f]) for f in FIGURES)]
        for name in ("model", "colour_only")
    ]
    return f"""
### {crossed["source"]}, cross-validated
{crossed["folds"]} folds by group; each picture is answered by a model that saw none of its group. Beside it what the
mean and the deviation of the colours tell by themselves.

{table(["", "n", *FIGURES], rows)}
"""


def _frame(metrics: Mapping[str, Any]) -> str:
    """What the frame of the picture tells by itself; empty where it was not measured."""
    frame = metrics.get("frame_only")
    if not frame:
        return ""
    by_group = metrics["test"]["by_group"]
    rows = [
        [name, str(row["count"]), figure(row["macro_auc"]), figure(by_group.get(name, {}).get("macro_auc"))]
        for name, row in frame.items()
    ]
    return f"""
### What the frame of the picture tells by itself
A linear model of the outer tenth of the picture on each side, trained on the same data. What it reaches owes nothing
to the organ: lines, letters, arms and collimation tell the classes apart so far.

{table(["group", "n", "macro AUC of the frame", "macro AUC of the model"], rows)}
"""


def _training(manifest: Manifest) -> str:
    recipe, training = manifest.recipe, manifest.metrics["training"]
    if "backbone" in recipe:
        return (
            f"Backbone {recipe['backbone']} from {recipe['weights']}, all layers fine-tuned; loss {recipe['loss']}, "
            f"seed\n{manifest.seed}; {training['pictures']} pictures, {training['minutes']} minutes."
        )
    members = ", ".join(f"{architecture} (seed {seed})" for architecture, seed in recipe["members"])
    return f"{members}; the mean of their logits. {training['recordings']} recordings, {training['minutes']} minutes."


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
    metrics, test = manifest.metrics, manifest.metrics["test"]
    sections = (
        f"### By source and subgroup\n{_by_group(test)}\n{not_measured(task)}",
        trust_sections(task, manifest),
        _changes(test),
        _populations(test),
        _derived(test),
        _sources(test),
        _cases(test),
        _age_given(test),
        _frame(metrics),
        _crossed(metrics),
        _pages(metrics),
        explanation_section(metrics),
    )
    measured = "\n\n".join(section.strip() for section in sections if section.strip())
    return f"""{test["count"]} pictures of {test["groups"]} groups, with the served decoder and runtime;
{INTERVALS}. {_called(task, manifest)}

{table(list(FIGURES), [[figure(test[name]) for name in FIGURES]])}

{_per_class(test)}

{measured}"""


def card_markdown(task: ImageTask, manifest: Manifest) -> str:
    """The card of an image model."""
    data = "\n".join(
        f"- {d.name}: {d.population} Licence: {d.licence} Grouped by {d.group_key}. {d.citation}" for d in task.datasets
    )
    limits = "\n".join(f"- {limit}" for limit in task.limits_of_use)
    return f"""# {task.title}

{_headline(manifest.metrics)}Evidence: **{manifest.evidence}**. For research and education only; not a medical device.

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
