"""How soon a case must be acted on: the gravest of what is named, suspected, open, in question and not known. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ml_model.diagnosis.findings import Finding
from ml_model.tasks.finding_schema import Advice
from ml_model.tasks.image_schema import Urgency
from ml_model.tasks.measurement_schema import MeasuredFinding
from ml_model.tasks.registry import ClassSpec, ImageTask, Severity
from ml_model.tasks.triage_scale import AT_LEAST, LEVELS, TriageLevel, level_of, severity_of

ReasonCode = Literal[
    "abstained", "suspected", "measured", "not_ruled_out", "in_question", "insufficient_evidence", "named"
]
# Of two that are acted on equally soon the earlier one's advice is given.
_ORDER: tuple[ReasonCode, ...] = ReasonCode.__args__  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Reason:
    """One thing that speaks for acting so soon. advice: what is then said and done."""

    code: ReasonCode
    level: TriageLevel
    text: str
    advice: Advice


@dataclass(frozen=True)
class Triage:
    """reasons: the gravest first."""

    reasons: tuple[Reason, ...]

    @property
    def level(self) -> TriageLevel:
        """That of the gravest."""
        return self.reasons[0].level

    @property
    def severity(self) -> Severity:
        """The severity of the level."""
        return severity_of(self.level)

    @property
    def advice(self) -> Advice:
        """What is said and done: the gravest reason's, or of an abstained answer, who should read it."""
        abstained = (reason.advice for reason in self.reasons if reason.code == "abstained")
        return next(abstained, self.reasons[0].advice)

    @property
    def urgency(self) -> Urgency:
        """When, and what first: the gravest reason's."""
        told = self.reasons[0].advice
        return Urgency(timeline=told.timeline, action=told.action, color=told.color)


@dataclass(frozen=True)
class Evidence:
    """What is known of a case. named: the class, which fits the states of the findings. in_set: codes of the prediction
    set. abstain_reasons: why no statement can be made. worth: how far the model can be leant on, "sufficient" to
    "insufficient". measured: what follows from measured figures."""

    named: ClassSpec
    settled: bool
    findings: Sequence[Finding]
    in_set: Sequence[str]
    abstain_reasons: Sequence[str]
    worth: str
    measured: Sequence[MeasuredFinding] = ()


def triage(task: ImageTask, known: Evidence) -> Triage:
    """Nothing calm is said of a class that is not settled."""
    reasons = sorted(_reasons(task, known), key=lambda r: (-LEVELS.index(r.level), _ORDER.index(r.code)))
    return Triage(tuple(reasons))


def _reasons(task: ImageTask, known: Evidence) -> Iterator[Reason]:
    named, abstains = known.named, bool(known.abstain_reasons)
    if abstains:
        yield Reason("abstained", AT_LEAST, " ".join(known.abstain_reasons), task.undecided)
    suspected = [f for f in known.findings if f.state == "suspected"]
    for finding in suspected:
        first = _first_of(task, finding, named)
        yield Reason("suspected", level_of(first.severity), finding.rule.suspected, class_advice(task, first))
    for finding in known.findings:
        if finding.state == "indeterminate":
            rule = finding.rule
            yield Reason("not_ruled_out", rule.open_level, rule.open.message, rule.open)
    for measured in known.measured:
        told = task.undecided.model_copy(update={"title": measured.name, "message": measured.text})
        yield Reason("measured", measured.level, f"{measured.name}: {measured.text}", told)
    yield from _in_question(task, known)
    if known.worth == "insufficient":
        yield Reason("insufficient_evidence", AT_LEAST, task.weak_evidence.message, task.weak_evidence)
    if not abstains and not any(named.code in finding.rule.classes for finding in suspected):
        text = f"{named.name} is the most probable class."
        if known.settled:
            text = f"{named.name}: {named.urgency.action}"
        yield Reason("named", level_of(named.severity), text, class_advice(task, named))


def _first_of(task: ImageTask, finding: Finding, named: ClassSpec) -> ClassSpec:
    """The class whose text is given where a finding is suspected: the named one, if it is of it; else the gravest."""
    if named.code in finding.rule.classes:
        return named
    return max((task.by_code[code] for code in finding.rule.classes), key=lambda c: LEVELS.index(level_of(c.severity)))


def _in_question(task: ImageTask, known: Evidence) -> Iterator[Reason]:
    """Of the other classes in the prediction set. Those of an open finding are in question with it, which has a text of
    its own."""
    open_ = {code for f in known.findings if f.state == "indeterminate" for code in f.rule.classes}
    for code in known.in_set:
        spec = task.by_code[code]
        if code not in {known.named.code, *open_} and not known.abstain_reasons:
            level = level_of(spec.severity)
            yield Reason("in_question", level, f"{spec.name} is still in question.", class_advice(task, spec))


def class_advice(task: ImageTask, spec: ClassSpec) -> Advice:
    """A class's own text, with what is recommended for its severity."""
    told = task.recommendations[spec.severity]
    return Advice(**told.model_dump(), **spec.urgency.model_dump())
