"""What to ask next: the findings whose answer is expected to change the ranking or the urgency most."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from ml_model.symptoms.inference import Posterior, Sex, SymptomNetwork

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


class Interview:
    """Questions over a network. Immutable; safe to share between threads."""

    def __init__(self, network: SymptomNetwork) -> None:
        self._network = network
        findings = [network.vocabulary.findings[id_] for id_ in network.ids]
        self._askable: dict[Sex | None, NDArray[np.bool_]] = {
            sex: np.array([f.kind in _ASKABLE and (sex is None or f.sex in (None, sex)) for f in findings])
            for sex in (None, *get_args(Sex))
        }
        self._urgent = np.array([c.urgency in ("emergency", "urgent") for c in network.conditions], float)

    def next_questions(
        self, posterior: Posterior, known: Collection[str], sex: Sex | None = None, count: int = MOST_QUESTIONS
    ) -> tuple[Question, ...]:
        """Up to `count`, the most telling first; each about something else. known: findings that are settled, with what
        they imply; they are not asked for, nor what the other sex alone can have."""
        network, vocabulary = self._network, self._network.vocabulary
        order = posterior.order[:_LOOKED_AT]
        weights = posterior.probabilities[order]
        if weights.sum() <= 0:
            return ()
        weights = weights / weights.sum()
        p = network.p[order]
        yes = weights @ p
        open_ = (yes > _LEAST_OPEN) & (yes < 1 - _LEAST_OPEN) & self._askable[sex]
        open_[[network.column[id_] for id_ in known]] = False
        columns = np.flatnonzero(open_)
        gains, changes = _expected(weights, p[:, columns], yes[columns], self._urgent[order])
        chosen: list[Question] = []
        barred: set[str] = set()
        for at in np.argsort(-(gains + _URGENCY_WEIGHT * changes), kind="stable").tolist():
            finding = vocabulary.findings[network.ids[columns[at]]]
            related = {finding.id, *vocabulary.ancestors(finding.id), *vocabulary.descendants(finding.id)}
            if related & barred:
                continue
            chosen.append(Question(finding.id, finding.ask, round(float(gains[at]), 4)))
            barred |= related
            if len(chosen) == count:
                break
        return tuple(chosen)


def _expected(
    weights: NDArray[np.float64], p: NDArray[np.float64], yes: NDArray[np.float64], urgent: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(findings,) each: bits by which the ranking becomes surer, and by how much the mass of what is urgent changes.
    weights, urgent: (conditions,); p: (conditions, findings); yes: (findings,)."""
    gains, changes = np.zeros(len(yes)), np.zeros(len(yes))
    for share, likely in ((yes, p), (1 - yes, 1 - p)):
        after = weights[:, None] * likely / share
        gains += share * (_entropy(weights[:, None]) - _entropy(after))
        changes += share * np.abs(urgent @ after - urgent @ weights)
    return gains, changes


def _entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bits, of each column."""
    return np.asarray(-(p * np.log2(np.maximum(p, 1e-12))).sum(axis=0))
