"""What to ask next: the findings whose answer is expected to change the ranking or the urgency most."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_model.symptoms.inference import Posterior, Sex, SymptomNetwork
from ml_model.symptoms.vocabulary import ClinicalFinding

MOST_QUESTIONS = 3
_LOOKED_AT = 40  # conditions: the others together hardly count
_ASKABLE = ("symptom", "quality", "history", "exposure", "state", "medicine")
_LEAST_OPEN = 0.03  # of what is all but known nothing is learnt
_URGENCY_WEIGHT = 1.0  # of a change in how urgent it is, against one bit


@dataclass(frozen=True)
class Question:
    """One to be answered yes, no or unsure. expected_bits: by which the ranking is expected to become surer."""

    finding: str
    text: str
    expected_bits: float


def next_questions(
    network: SymptomNetwork,
    posterior: Posterior,
    known: Collection[str],
    sex: Sex | None = None,
    count: int = MOST_QUESTIONS,
) -> tuple[Question, ...]:
    """Up to `count`, the most telling first; each about something else. known: findings that are settled, with what
    they imply; they are not asked for, nor what the other sex alone can have."""
    order = np.argsort(-posterior.probabilities, kind="stable")[:_LOOKED_AT]
    weights = posterior.probabilities[order]
    if weights.sum() <= 0:
        return ()
    weights = weights / weights.sum()
    vocabulary = network.vocabulary
    p = network.p[order]
    yes = weights @ p
    open_ = np.flatnonzero((yes > _LEAST_OPEN) & (yes < 1 - _LEAST_OPEN))
    askable = [n for n in open_.tolist() if (id_ := network.ids[n]) not in known
               and vocabulary.findings[id_].kind in _ASKABLE and _may_have(sex, vocabulary.findings[id_])]  # fmt: skip
    columns = np.array(askable, np.int64)
    p, yes = p[:, columns], yes[columns]
    urgent = np.array([network.conditions[int(n)].urgency in ("emergency", "urgent") for n in order], float)
    gains, changes = np.zeros(len(columns)), np.zeros(len(columns))
    for share, likely in ((yes, p), (1 - yes, 1 - p)):
        after = weights[:, None] * likely / share
        gains += share * (_entropy(weights[:, None]) - _entropy(after))
        changes += share * np.abs(urgent @ after - urgent @ weights)
    worth = gains + _URGENCY_WEIGHT * changes
    chosen: list[Question] = []
    barred: set[str] = set()
    for at in np.argsort(-worth, kind="stable"):
        id_ = network.ids[int(columns[int(at)])]
        related = {id_, *vocabulary.ancestors(id_), *vocabulary.descendants(id_)}
        if related & barred:
            continue
        chosen.append(Question(id_, vocabulary.findings[id_].ask, round(float(gains[at]), 4)))
        barred |= related
        if len(chosen) == count:
            break
    return tuple(chosen)


def _may_have(sex: Sex | None, finding: ClinicalFinding) -> bool:
    return sex is None or finding.sex in (None, sex)


def _entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bits, of each column."""
    return np.asarray(-(p * np.log2(np.maximum(p, 1e-12))).sum(axis=0))
