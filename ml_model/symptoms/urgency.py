"""How soon a case told in words must be seen: red flags first, then the conditions still in question. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml_model.symptoms.conditions import Condition, Urgency
from ml_model.symptoms.red_flags import RedFlagRule
from ml_model.tasks.image_schema import Severity
from ml_model.tasks.triage_scale import LEVELS, TriageLevel, severity_of

ReasonCode = Literal["self_harm", "red_flag", "in_question", "not_known"]
LEVEL_OF: dict[Urgency, TriageLevel] = {
    "self_care": "none", "routine": "routine", "soon": "soon", "urgent": "urgent", "emergency": "emergency",
}  # fmt: skip
_PLACE_OF = {urgency: LEVELS.index(level) for urgency, level in LEVEL_OF.items()}
TO_DO: dict[TriageLevel, str] = {
    "emergency": "Call the local emergency number or go to the nearest emergency department now.",
    "urgent": "See a doctor or an urgent-care service today.",
    "soon": "Make an appointment with a doctor within the next few days.",
    "routine": "Make a routine appointment with a doctor if it does not pass.",
    "none": "This can usually be cared for at home; see a doctor if it worsens, lasts or worries you.",
}


@dataclass(frozen=True)
class Urgencies:
    """Probability that the conditions of a level, or of graver ones, must reach together for a case to be of it."""

    emergency: float = 0.25
    urgent: float = 0.25
    soon: float = 0.3
    routine: float = 0.5


@dataclass(frozen=True)
class SymptomTriageReason:
    """One thing that speaks for being seen so soon."""

    code: ReasonCode
    level: TriageLevel
    text: str


@dataclass(frozen=True)
class SymptomTriage:
    """reasons: the gravest first. text: what is to be done."""

    level: TriageLevel
    reasons: tuple[SymptomTriageReason, ...]
    text: str

    @property
    def severity(self) -> Severity:
        """The severity of the level."""
        return severity_of(self.level)


def symptom_triage(
    flags: Sequence[RedFlagRule],
    conditions: Sequence[Condition],
    probabilities: NDArray[np.float64],
    present: frozenset[str],
    limits: Urgencies,
    *,
    ranked: bool,
) -> SymptomTriage:
    """present: findings with all that they imply. ranked: whether the conditions mean anything; where they do not, a
    case without a red flag is seen soon, as nothing is known of it."""
    reasons = [SymptomTriageReason("red_flag", flag.level, flag.message) for flag in flags]
    if ranked:
        reasons.append(_of_conditions(conditions, probabilities, present, limits))
    elif not reasons:
        text = "Too little of this was understood to say how soon it should be seen."
        reasons.append(SymptomTriageReason("not_known", "soon", text))
    reasons.sort(key=lambda reason: -LEVELS.index(reason.level))
    level = reasons[0].level
    return SymptomTriage(level, tuple(reasons), TO_DO[level])


def level_masses(
    conditions: Sequence[Condition], probabilities: NDArray[np.float64], present: frozenset[str]
) -> NDArray[np.float64]:
    """(levels,) probability of the conditions of each level or a graver one."""
    return _masses(_levels(conditions, present), probabilities)


def _masses(levels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([probabilities[levels >= n].sum() for n in range(len(LEVELS))])


def _of_conditions(
    conditions: Sequence[Condition], probabilities: NDArray[np.float64], present: frozenset[str], limits: Urgencies
) -> SymptomTriageReason:
    """The gravest level that the conditions still in question reach together, and which they are."""
    levels = _levels(conditions, present)
    masses = _masses(levels, probabilities)
    level = next(
        level for level in reversed(LEVELS)
        if level == "none" or masses[LEVELS.index(level)] >= getattr(limits, level)
    )  # fmt: skip
    grave = np.flatnonzero(levels >= LEVELS.index(level))
    first = grave[np.argsort(-probabilities[grave], kind="stable")[:3]]
    names = ", ".join(conditions[int(n)].name for n in first if probabilities[n] >= 0.02)
    text = f"Still in question: {names}." if names and level != "none" else "Nothing graver stands out."
    return SymptomTriageReason("in_question", level, text)


def _levels(conditions: Sequence[Condition], present: frozenset[str]) -> NDArray[np.int64]:
    """(conditions,) how soon each must be seen, with what is present."""
    return np.array([_level(condition, present) for condition in conditions])


def _level(condition: Condition, present: frozenset[str]) -> int:
    level = _PLACE_OF[condition.urgency]
    return level if present.isdisjoint(condition.emergency_if) else min(level + 1, len(LEVELS) - 1)
