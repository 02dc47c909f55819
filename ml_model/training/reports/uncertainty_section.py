"""The card's sections on how far an answer can be leant on, and where the reporting checklist is answered."""

from __future__ import annotations

from ml_model.inference.bundle import Manifest
from ml_model.inference.measured import ImageTest
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.samples import DRAWN
from ml_model.training.reports.markdown import figure, section, table


def trust_sections(task: ImageTask, manifest: Manifest) -> str:
    """Calibration, prediction sets, abstention, familiarity and failures, as far as they were measured."""
    test = manifest.image_test
    parts = (
        _calibration(manifest, test),
        _sets(test),
        _abstention(test),
        _known(manifest, test),
    )
    return "\n\n\n".join(part for part in (*parts, _failures(test)) if part)


def _calibration(manifest: Manifest, test: ImageTest) -> str:
    measured = test.calibration
    if not measured or manifest.calibration is None:
        return ""
    rows = [
        [name, figure(told.calibration_error), figure(told.brier_score)]
        for name, told in (("before", measured.before), ("after", measured.after))
    ]
    rows += [["if perfect", figure(measured.perfect.calibration_error), ""]] if measured.perfect else []
    method = manifest.calibration.method.replace("_", " ")
    chosen = f"Fitted on validation: {method}" if method != "none" else "None: on validation no fit clearly helps"
    text = f"""{chosen}. The calibration error (15 bins of equal mass) is how far confidence and the share of
right answers lie apart. On so few pictures it cannot be 0, however good the model: "if perfect" is what it would be,
with 95 % of the draws, if every confidence were exactly right. The other intervals are by resampling, which repeats
pictures and so lies rather high."""
    found = table(["calibration", "calibration error", "Brier score"], rows)
    return section("Calibration", text, found, "![reliability](reliability.png)", level=3)


def _sets(test: ImageTest) -> str:
    sets = test.prediction_sets
    if not sets:
        return ""
    rows = [
        [name, str(row.count), figure(row.coverage_interval) if row.coverage_interval else f"{row.coverage:.3f}"]
        for name, row in sets.by_label.items()
    ]
    rows += [[f"source: {name}", "", f"{value:.3f}"] for name, value in sets.by_source.items()]
    sizes = ", ".join(f"{share:.3f} of the sets hold {size}" for size, share in sets.sizes.items() if share)
    covered = figure(sets.coverage_interval) if sets.coverage_interval else f"{sets.coverage:.3f}"
    text = f"""\
Class-conditional split conformal, counted by group and made to hold the true label for nine in ten cases of every
label or more, with a confidence of 0.9; how far that was kept on test is measured here. Of all labels {covered};
{sets.mean_size} labels on average ({sizes})."""
    return section("Prediction sets", text, table(["label", "n", "coverage"], rows), level=3)


def _abstention(test: ImageTest) -> str:
    told = test.abstention
    if not told:
        return ""
    rows = [[share, f"{value:.3f}"] for share, value in told.accuracy_by_share_answered.items()]
    rest = told.accuracy_when_abstaining
    refused = "" if rest is None else f", {rest:.3f} on those it abstains from"
    text = f"""\
The service abstains where the set holds nothing, where it holds each of several labels, none of them more probable
than not and every finding open, and on unusual pictures: on {told.share:.3f} of the test pictures.
Accuracy is {figure(told.accuracy_when_answering)} on the others{refused}.
If only the surest were answered:"""
    found = table(["share answered", "accuracy"], rows)
    return section("Abstention", text, found, "![risk and coverage](risk_coverage.png)", level=3)


def _known(manifest: Manifest, test: ImageTest) -> str:
    limits, told = manifest.familiarity, test.familiarity
    if limits is None or told is None:
        return ""
    others = manifest.image_metrics.strangers or {}
    rows = [[name.removeprefix(DRAWN), str(row.count), f"{row.refused:.3f}"] for name, row in others.items()]
    seen = " Of others, were the input gate not before it:" if rows else ""
    text = f"""What the leading components of the training pictures do not explain of the embedding; {limits.rule}.
Of the test pictures {told.own_refused:.3f} would be refused.{seen}"""
    refused = table(["kind", "n", "refused"], rows) if rows else ""
    return section("Pictures unlike those of training", text, refused, level=3)


def _failures(test: ImageTest) -> str:
    if not test.failures:
        return ""
    rows = [[str(f.picture), f.truth, f.named, f"{f.confidence:.3f}"] for f in test.failures]
    text = "By their number within the test split, counted from 0 in the order of its reading."
    found = table(["picture", "truth", "named", "confidence"], rows)
    return section("The surest wrong answers", text, found, level=3)


def not_measured(task: ImageTask) -> str:
    """Subgroups without data, by name."""
    if not task.unmeasured_groups:
        return ""
    return "Not measured, for want of data: " + "; ".join(task.unmeasured_groups) + "."


def checklist(task: ImageTask, manifest: Manifest) -> str:
    """Where this card answers the items of CLAIM, the checklist for artificial intelligence in medical imaging."""
    test = manifest.image_test
    rows = [
        ["study design", "retrospective, on public data sets, one measurement of the test split per model"],
        [
            "data sources, eligibility",
            "Data; pictures are those of the data sets, labels that were left out are named there",
        ],
        ["ground truth", "the labels of the data sets; Limits say how they came about where that is known"],
        ["partition", f"by {'; '.join(sorted({d.group_key for d in task.datasets}))}; no group in two splits"],
        [
            "sample size",
            f"{test.count} test pictures of {test.groups} groups; chosen by availability, not by power",
        ],
        ["preprocessing", f"one decoder for training, evaluation and serving; geometry {task.input.geometry}"],
        ["model and training", "Training; recipe, seed, library versions and data fingerprints are in manifest.json"],
        ["metrics and uncertainty", "Test figures, with 95 % intervals by group"],
        ["subgroups", "By source and subgroup; what is not measured is named there"],
        ["robustness", "As users may send them; Made worse"],
        ["explainability", "What the heatmaps are worth" if manifest.image_metrics.explanation else "not measured"],
        ["failure analysis", "The surest wrong answers"],
        ["external test", "none: the test pictures come from the same sources as the training pictures"],
        ["clinical use", "none; Intended use and Limits"],
    ]
    return section("Reporting checklist (CLAIM)", table(["item", "answer"], rows))
