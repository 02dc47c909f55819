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
from ml_model.tasks.triage_scale import AT_LEAST, LEVELS, TriageLevel, severity_of

ReasonCode = Literal["self_harm", "red_flag", "abstained", "named", "in_question", "not_known", "sounds_grave"]
LEVEL_OF: dict[Urgency, TriageLevel] = {
    "self_care": "none", "routine": "routine", "soon": "soon", "urgent": "urgent", "emergency": "emergency",
}  # fmt: skip
SOUNDS_GRAVE: TriageLevel = "urgent"
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


class ConditionLevels:
    """How soon each of some conditions must be seen, as places in `LEVELS`. Immutable."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        self._plain = np.array([_PLACE_OF[condition.urgency] for condition in conditions])
        self._raised_by: dict[str, list[int]] = {}
        for row, condition in enumerate(conditions):
            for finding in condition.emergency_if:
                self._raised_by.setdefault(finding, []).append(row)

    def __call__(self, present: frozenset[str]) -> NDArray[np.int64]:
        """(conditions,) present: findings with all that they imply; some make a condition graver by one level."""
        raised = {row for finding in present for row in self._raised_by.get(finding, ())}
        levels = self._plain.copy()
        levels[list(raised)] += 1
        return np.asarray(np.minimum(levels, len(LEVELS) - 1), np.int64)


def symptom_triage(
    flags: Sequence[RedFlagRule],
    conditions: Sequence[Condition],
    probabilities: NDArray[np.float64],
    levels: NDArray[np.int64],
    limits: Urgencies,
    *,
    ranked: bool,
    abstain_reasons: Sequence[str] = (),
    sounds_grave: bool = False,
) -> SymptomTriage:
    """levels: (conditions,) from `ConditionLevels`. ranked: whether the conditions mean anything; where they do not, a
    case without a red flag is seen soon, as nothing is known of it. abstain_reasons: why no condition is named; where
    one is, no answer is calmer than it."""
    reasons = [SymptomTriageReason("red_flag", flag.level, flag.message) for flag in flags]
    if sounds_grave and not any(flag.level in ("emergency", "urgent") for flag in flags):
        text = "Taken together, this is told as people tell what should be looked at today."
        reasons.append(SymptomTriageReason("sounds_grave", SOUNDS_GRAVE, text))
    if ranked:
        reasons.append(_of_conditions(conditions, probabilities, levels, limits))
        reasons.append(of_the_named(conditions, probabilities, levels, abstain_reasons))
    elif not reasons:
        text = "Too little of this was understood to say how soon it should be seen."
        reasons.append(SymptomTriageReason("not_known", AT_LEAST, text))
    reasons.sort(key=lambda reason: -LEVELS.index(reason.level))
    level = reasons[0].level
    return SymptomTriage(level, tuple(reasons), TO_DO[level])


def level_masses(probabilities: NDArray[np.float64], levels: NDArray[np.int64]) -> NDArray[np.float64]:
    """(levels,) probability of the conditions of each level or a graver one."""
    return np.array([probabilities[levels >= n].sum() for n in range(len(LEVELS))])


def of_the_named(
    conditions: Sequence[Condition],
    probabilities: NDArray[np.float64],
    levels: NDArray[np.int64],
    abstains: Sequence[str],
) -> SymptomTriageReason:
    """No answer is calmer than this: the level of the condition that is named, or why none is."""
    if abstains:
        return SymptomTriageReason("abstained", AT_LEAST, " ".join(abstains))
    first = int(probabilities.argmax())
    text = f"{conditions[first].name} is the most probable condition."
    return SymptomTriageReason("named", LEVELS[int(levels[first])], text)


def _of_conditions(
    conditions: Sequence[Condition],
    probabilities: NDArray[np.float64],
    levels: NDArray[np.int64],
    limits: Urgencies,
) -> SymptomTriageReason:
    """The gravest level that the conditions still in question reach together, and which they are."""
    masses = level_masses(probabilities, levels)
    level = next(
        level for level in reversed(LEVELS)
        if level == "none" or masses[LEVELS.index(level)] >= getattr(limits, level)
    )  # fmt: skip
    grave = np.flatnonzero(levels >= LEVELS.index(level))
    first = grave[np.argsort(-probabilities[grave], kind="stable")[:3]]
    names = ", ".join(conditions[int(n)].name for n in first if probabilities[n] >= 0.02)
    text = f"Still in question: {names}." if names and level != "none" else "Nothing graver stands out."
    return SymptomTriageReason("in_question", level, text)
