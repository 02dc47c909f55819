"""The card of a ranking of diseases from symptoms."""

from __future__ import annotations

from ml_model.inference.bundle import Manifest
from ml_model.inference.measured_tabular import (
    CheckerMetrics,
    ListFigures,
    Matching,
    SymptomMetrics,
    SymptomTest,
    VignetteRanking,
)
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
        section("The symptom checker", checker_text(metrics.checker)) if metrics.checker else "",
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


def checker_text(found: CheckerMetrics) -> str:
    """The symptom checker on clinical vignettes, which it was not written from: a paragraph and its tables."""
    rankings = {
        "the whole text, cross-validated": found.whole_text,
        "the same, before anything was chosen on vignettes": found.unchosen,
        "the chief complaints alone": found.complaint,
        **{f"the same and {n} questions asked back": r for n, r in found.after_questions.items()},
        "the ranking of the table, whole text": found.table,
    }
    rows = [[name, *_shares(ranking)] for name, ranking in rankings.items()]
    triage = found.triage
    sent = [
        ["emergencies called emergency or urgent", figure(triage.emergencies_seen_today)],
        ["routine and self-care cases called emergency", figure(triage.harmless_called_emergency)],
        ["the same called urgent or emergency", figure(triage.harmless_called_urgent)],
        ["the level as labelled", figure(triage.right)],
    ]
    text = f"""{found.vignettes} vignettes of {found.diagnoses} diagnoses, free text as clinicians wrote it, against
{found.conditions} conditions and {found.findings} findings. Right is the same ICD-10 category. The prediction set holds
{found.set_size:.1f} conditions on the average and the right one in {figure(found.set_coverage)} of cases; no
condition is named in {figure(found.abstained)}."""
    unknown = f"Diagnoses that are no condition's name, counted as missed: {'; '.join(found.unknown) or 'none'}."
    return joined(
        text,
        table(("vignettes", "first", "among three", "among five"), rows),
        table(("how soon", "share"), sent),
        unknown,
    )


def _shares(ranking: VignetteRanking) -> list[str]:
    return [figure(ranking.first), figure(ranking.in_three), figure(ranking.in_five)]
