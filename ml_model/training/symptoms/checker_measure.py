"""Measures the symptom checker on vignettes: the diagnosis among the first, asking back, and how soon it is sent."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml_model.inference.interval import Interval
from ml_model.inference.measured_tabular import VignetteRanking, VignetteTriage
from ml_model.symptoms.checker import SymptomChecker, Words
from ml_model.symptoms.inference import CaseFindings
from ml_model.symptoms.urgency import LEVEL_OF
from ml_model.tabular.symptom_model import SymptomModel
from ml_model.tasks.triage_scale import LEVELS, TriageLevel
from ml_model.training.evaluation.intervals import proportion
from ml_model.training.symptoms.checker_fit import NOWHERE, Told, place_of
from ml_model.training.symptoms.vignettes import Vignette, meant

TRIAGE_LABELS = Path(__file__).parent / "vignette_triage.csv"


def told_of(checker: SymptomChecker, vignettes: Sequence[Vignette], folds: Sequence[int], *, whole: bool) -> list[Told]:
    """Each as it is understood: all of its text, or the chief complaints alone."""
    rows = {c.id: n for n, c in enumerate(checker.knowledge.conditions)}
    return [
        Told(
            checker.assess(Words(v.text if whole else v.complaints)).case,
            tuple(sorted(rows[i] for i in meant(checker.knowledge.conditions, v.diagnosis))),
            fold,
        )
        for v, fold in zip(vignettes, folds, strict=True)
    ]


def ranking_figures(places: Sequence[int]) -> VignetteRanking:
    """Places of the right conditions, from 0."""
    at = np.array(places)
    return VignetteRanking(first=_share(at < 1), in_three=_share(at < 3), in_five=_share(at < 5))


def asked_back(checker: SymptomChecker, complaint: Told, whole: Told, questions: int) -> tuple[int, int]:
    """The place of the right condition from the complaint and so many questions, answered by what the whole text says,
    else unsure; and how many were answered yes or no."""
    vocabulary, case, answered = checker.knowledge.vocabulary, complaint.case, 0
    unsure: set[str] = set()
    present = vocabulary.with_implied(whole.case.present)
    absent = vocabulary.with_implying(whole.case.absent)
    for _ in range(questions):
        posterior = checker.network.posterior(case)
        known = vocabulary.with_implied(case.present) | unsure
        known |= vocabulary.with_implying(case.absent)
        found = checker.interview.next_questions(posterior, known, case.sex, 1)
        if not found:
            break
        finding = found[0].finding
        if finding in present:
            case, answered = replace(case, present=case.present | {finding}), answered + 1
        elif finding in absent:
            case, answered = replace(case, absent=case.absent | {finding}), answered + 1
        else:
            unsure.add(finding)
    return place_of(checker.network.posterior(case), complaint.truth), answered


def triage_labels(path: Path, vignettes: Sequence[Vignette]) -> list[TriageLevel]:
    """How soon each vignette should be seen, as reviewed. Raises ValueError where a line has no level, or where the
    lines of the file are not those of the vignettes, in their order."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    if [row.get("diagnosis") for row in rows] != [v.diagnosis for v in vignettes]:
        raise ValueError(f"{path}: its {len(rows)} lines are not of the {len(vignettes)} vignettes, in their order")
    if wrong := [row.get("level") for row in rows if row.get("level") not in LEVEL_OF]:
        raise ValueError(f"{path}: {wrong[0]!r} is no level; they are {', '.join(LEVEL_OF)}")
    return [LEVEL_OF[row["level"]] for row in rows]  # type: ignore[index]


def levels_of(checker: SymptomChecker, cases: Sequence[CaseFindings]) -> list[TriageLevel]:
    """How soon each is sent to be seen."""
    return [checker.decide(case).triage.level for case in cases]


def triage_figures(levels: Sequence[TriageLevel], truth: Sequence[TriageLevel]) -> VignetteTriage:
    """levels: as sent; truth: as labelled."""
    at = np.array([LEVELS.index(level) for level in levels])
    label = np.array([LEVELS.index(level) for level in truth])
    urgent, emergency = LEVELS.index("urgent"), LEVELS.index("emergency")
    grave, calm = label == emergency, label <= LEVELS.index("routine")
    sent: dict[str, dict[str, int]] = {}
    for row, labelled in enumerate(LEVELS):
        sent[labelled] = {level: int(((label == row) & (at == n)).sum()) for n, level in enumerate(LEVELS)}
    return VignetteTriage(
        emergencies_seen_today=_share(at[grave] >= urgent),
        harmless_called_emergency=_share(at[calm] == emergency),
        harmless_called_urgent=_share(at[calm] >= urgent),
        right=_share(at == label),
        sent=sent,
    )


def place_in_table(table: SymptomModel, checker: SymptomChecker, told: Told) -> int:
    """Where the ranking of the old table has a right condition, from 0, by what was understood of the text."""
    findings, conditions = checker.knowledge.vocabulary.findings, checker.knowledge.conditions
    names = table.match([findings[f].name for f in sorted(told.case.present)]).names if told.case.present else ()
    if not names:
        return NOWHERE
    right = {conditions[row].id for row in told.truth}
    ranking = table.rank(names, told.case.age_years, told.case.sex, top_k=20)
    return next((n for n, one in enumerate(ranking) if right & meant(conditions, one.disease)), NOWHERE)


def _share(hits: NDArray[np.bool_]) -> Interval:
    """Of vignettes, each by itself."""
    return proportion(hits, np.arange(len(hits)))
