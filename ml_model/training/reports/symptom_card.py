"""The card of a ranking of diseases from symptoms."""

from __future__ import annotations

from ml_model.inference.bundle import Manifest
from ml_model.inference.measured_tabular import ListFigures, Matching, SymptomMetrics, SymptomTest
from ml_model.tasks.registry import SymptomTask
from ml_model.training.reports.card import task_card
from ml_model.training.reports.markdown import bullets, figure, joined, section, table

HEADER = ("lists", "n", "vectors", "top-1", "top-5", "calibration error", "mean confidence", "log loss")


def symptom_card(task: SymptomTask, manifest: Manifest) -> str:
    """The whole card. Raises ValueError where the test split was not read."""
    metrics = manifest.metrics
    if not isinstance(metrics, SymptomMetrics) or metrics.test is None:
        raise ValueError(f"{manifest.task}: no figures of a ranking on a test split")
    cost = metrics.training
    trained = f"{cost.rows} rows, {cost.minutes} minutes; seed {manifest.seed}." if cost else "Not recorded."
    return task_card(
        task,
        manifest,
        section("Test figures", _ranking(metrics.test), _by_length(metrics.test), _without_data(metrics.test)),
        _matching(metrics.matching) if metrics.matching else "",
        section("Training", f"Model: {manifest.recipe['model']}. {trained}"),
    )


def _row(name: str, m: ListFigures) -> list[str]:
    figures = [figure(m.top1), figure(m.top5), *(f"{v:.3f}" for v in (m.ece, m.mean_confidence, m.log_loss))]
    return [name, str(m.lists), str(m.vectors), *figures]


def _ranking(test: SymptomTest) -> str:
    """Whole lists, by the model and by those it is compared with."""
    measured = {
        "each patient once, complete lists": test.complete_lists,
        "each unseen symptom vector once": test.distinct_vectors,
        "plain naive Bayes, complete lists": test.plain_naive_bayes,
        "were all lists known to be complete": test.if_all_lists_were_known_to_be_complete,
    }
    text = """No symptom vector is in two splits; 95 % intervals by symptom vector, Clopper-Pearson at the effective
number of cases. The calibration error is over bins of equal mass."""
    return joined(text, table(HEADER, [_row(name, m) for name, m in measured.items()]))


def _by_length(test: SymptomTest) -> str:
    """By the number of symptoms that are given."""
    rows = []
    for n, m in test.by_symptoms_given.items():
        parts = {f"lists cut short to {n}": m.cut_short, f"complete lists of {n}": m.complete}
        rows += [_row(name, part) for name, part in parts.items() if part]
    return section("By the number of symptoms given", table(HEADER, rows), level=3)


def _without_data(test: SymptomTest) -> str:
    lines = [
        f"Of the diseases that the model ranks, {test.diseases_measured} occur in the test split and "
        f"{test.diseases_not_measured} do not."
    ]
    kinds = (("Diseases", test.diseases_without_data), ("Symptoms", test.symptoms_without_data))
    lines += [f"{kind} of the data set without rows ({len(n)}): {'; '.join(n)}." for kind, n in kinds if n]
    return section("Not measured", bullets(lines), level=3)


def _matching(read: Matching) -> str:
    """How people's words are read as symptoms of the data."""
    rows = [
        ["read as meant", f"{read.right:.3f}"],
        ["read as another symptom", f"{read.other_symptom:.3f}"],
        ["not read, the right symptom suggested", f"{read.suggested_only:.3f}"],
        ["nonsense that is read as a symptom", f"{read.nonsense_matched:.3f}"],
    ]
    text = f"{read.phrases} phrases as people write them and {read.nonsense_phrases} of nonsense, written to test it."
    kinds = (("Not read as meant", read.not_right), ("Nonsense that is read", read.nonsense_that_matched))
    lines = [f"{kind}: {'; '.join(phrases)}." for kind, phrases in kinds if phrases]
    return section("How words are read", text, table(["phrases", "share"], rows), bullets(lines))
