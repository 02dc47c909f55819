"""How soon a risk must be acted on: the gravest of its band, what its interval reaches, what counts by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ml_model.tabular.risk_uncertainty import Uncertainty
from ml_model.tasks.registry import RiskTask, Severity
from ml_model.tasks.tabular_schema import RiskBand
from ml_model.tasks.triage_scale import AT_LEAST, LEVELS, TriageLevel, level_of, severity_of

ReasonCode = Literal["withheld", "named", "in_question", "at_least", "by_itself", "insufficient_evidence"]


@dataclass(frozen=True)
class TriageReason:
    """One thing that speaks for acting so soon."""

    code: ReasonCode
    level: TriageLevel
    text: str


@dataclass(frozen=True)
class Triage:
    """reasons: what withholds the answer, then the gravest first. text: what is to be done."""

    level: TriageLevel
    reasons: tuple[TriageReason, ...]
    text: str

    @property
    def severity(self) -> Severity:
        """The severity of the level."""
        return severity_of(self.level)


def band_of(task: RiskTask, probability: float) -> RiskBand:
    """The band that a probability falls in."""
    return next((band for band in task.bands if probability < band.below), task.bands[-1])


def risk_triage(
    task: RiskTask,
    probability: float,
    unsure: Uncertainty,
    values: Mapping[str, float | None],
    withheld: str | None,
    evidence: str,
) -> Triage:
    """withheld: why there is no estimate; None where there is one. evidence: how far the model can be leant on."""
    reasons = [
        *_of_probability(task, probability, unsure, withheld),
        *_by_themselves(task, values),
        *([TriageReason("insufficient_evidence", AT_LEAST, task.answer.reasons.insufficient_evidence)]
          if evidence == "insufficient" else []),
    ]  # fmt: skip
    reasons.sort(key=lambda reason: (reason.code != "withheld", -LEVELS.index(reason.level)))
    level = max((reason.level for reason in reasons), key=LEVELS.index)
    return Triage(level, tuple(reasons), getattr(task.answer.levels, level))


def _of_probability(
    task: RiskTask, probability: float, unsure: Uncertainty, withheld: str | None
) -> Iterator[TriageReason]:
    texts = task.answer.reasons
    shown = {"probability": percent(probability), "low": percent(unsure.low), "high": percent(unsure.high)}
    named, lowest, highest = (band_of(task, p) for p in (probability, unsure.low, unsure.high))
    if withheld is not None:
        yield TriageReason("withheld", AT_LEAST, withheld)
        # Nothing calm is said of a probability that is not leant on, but what is certain all the same is said.
        if LEVELS.index(level := level_of(lowest.severity)) > LEVELS.index(AT_LEAST):
            yield TriageReason("at_least", level, texts.at_least.format(condition=lowest.condition, **shown))
        return
    level = level_of(named.severity)
    yield TriageReason("named", level, texts.named.format(condition=named.condition, **shown))
    reached = min(level_of(highest.severity), "soon", key=LEVELS.index)
    if LEVELS.index(reached) > LEVELS.index(level):
        yield TriageReason("in_question", reached, texts.in_question.format(condition=highest.condition, **shown))


def _by_themselves(task: RiskTask, values: Mapping[str, float | None]) -> Iterator[TriageReason]:
    for feature in task.features:
        value = values.get(feature.name)
        category = None if value is None else feature.category(value)
        if category and category.triage and category.note:
            yield TriageReason("by_itself", category.triage, category.note)


def recommendations(task: RiskTask, triage: Triage, *, withheld: bool) -> tuple[str, ...]:
    """What is advised: that of the first band which is as grave as the answer; of no band where it is withheld."""
    if withheld and LEVELS.index(triage.level) <= LEVELS.index(AT_LEAST):
        return task.answer.withheld.recommendations
    fitting = (b for b in task.bands if LEVELS.index(level_of(b.severity)) >= LEVELS.index(triage.level))
    advised = next(fitting, task.bands[-1]).recommendations
    return (*task.answer.withheld.recommendations[:1], *advised) if withheld else advised


def percent(probability: float) -> str:
    """As texts show it: whole percent, but never 0 or 100."""
    return f"{min(99, max(1, round(100 * probability)))} %"
