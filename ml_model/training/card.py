"""Model card and classification report, written from the manifest: no number in them is typed by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml_model.bundle import BalancedDecision, Manifest
from ml_model.population import MIN_PROBABILITY
from ml_model.spec import ImageTask

FIGURES = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc")


def figure(interval: Mapping[str, float] | None) -> str:
    """`0.912 (0.890-0.931)`, or that it was not measured."""
    if interval is None:
        return "not measured"
    return f"{interval['value']:.3f} ({interval['low']:.3f}-{interval['high']:.3f})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def classification_report(test: Mapping[str, Any]) -> str:
    """Plain text, one line per class, with 95 % intervals."""
    lines = [f"{'class':<28}{'n':>6}  {'sensitivity':<22}{'specificity':<22}{'AUC':<22}"]
    for name, row in test["per_class"].items():
        cells = "".join(f"{figure(row[key]):<22}" for key in ("sensitivity", "specificity", "auc"))
        lines.append(f"{name:<28}{row['count']:>6}  {cells}".rstrip())
    lines += [f"{name:<28}{test['count']:>6}  {figure(test[name])}" for name in FIGURES]
    return "\n".join(lines) + "\n"


def _per_class(test: Mapping[str, Any]) -> str:
    rows = [
        [name, str(row["count"]), figure(row["sensitivity"]), figure(row["specificity"]), figure(row["auc"])]
        for name, row in test["per_class"].items()
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


def card_markdown(task: ImageTask, manifest: Manifest) -> str:
    """The card of an image model."""
    test = manifest.metrics["test"]
    point = manifest.operating_point
    called = (
        f"Named is the class with {point.rule}."
        if isinstance(point, BalancedDecision)
        else f"`{point.positive}` is called at a probability of {point.threshold:.3f} or more ({point.rule}; there: "
        f"sensitivity {point.validation_sensitivity}, specificity {point.validation_specificity})."
        if point
        else "The most probable class is named."
    )
    for name, own in manifest.operating_points.items():
        called += (
            f"\nJudged for the population of {name}: from {own.threshold:.3f} (validation: sensitivity "
            f"{own.validation_sensitivity}, specificity {own.validation_specificity}; evidence "
            f"{manifest.evidence_by_population.get(name, manifest.evidence)})."
        )
    data = "\n".join(
        f"- {d.name}: {d.population} Licence: {d.licence} Grouped by {d.group_key}. {d.citation}" for d in task.datasets
    )
    limits = "\n".join(f"- {limit}" for limit in task.limits_of_use)
    recipe = manifest.recipe
    return f"""# {task.title}

Evidence: **{manifest.evidence}**. For research and education only; not a medical device.

Version {manifest.version}, created {manifest.created}, licence of the model: {task.licence}

## Intended use
{task.intended_use}

## Limits
{limits}

## Data
{data}

## Test figures
{test["count"]} pictures of {test["groups"]} groups, with the served decoder and runtime; 95 % intervals by
bootstrap over groups. {called}

{table(list(FIGURES), [[figure(test[name]) for name in FIGURES]])}

{_per_class(test)}

### By source and subgroup
{_by_group(test)}

### The same pictures re-encoded
{_changed(test, "variants")}

### The same pictures made worse
Blurred (deviation 0.8 % of the side), with noise (deviation 12 levels), as JPEG of quality 30, 30 % brighter or darker,
turned by 15 degrees.

{_changed(test, "corruptions")}
{_populations(test)}{_derived(test)}
## Training
Backbone {recipe["backbone"]} from {recipe["weights"]}, all layers fine-tuned; loss {recipe["loss"]}, seed
{manifest.seed}; {manifest.metrics["training"]["pictures"]} pictures, {manifest.metrics["training"]["minutes"]} minutes.
"""
