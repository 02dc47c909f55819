"""What a reply may rest on: a statement, and the field or the text that makes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from backend.schemas.findings import FindingAnswer, IntervalAnswer
from backend.schemas.images import StagingAnswer
from backend.services.rendering.responses import percent
from backend.services.reports.kept_answer import KeptAnswer

Source = Literal["result", "symptoms", "task", "card", "condition"]
TOP = 5
LEAST_PROBABLE = 0.05  # of a condition that is told of; what is less likely frightens more than it tells
_STATES = {"ruled_out": "ruled out", "indeterminate": "not ruled out", "suspected": "suspected"}
_GRAVEST = ("suspected", "indeterminate", "ruled_out")
_UNITS = {"1": "", "1/min": "per minute"}


@dataclass(frozen=True)
class Passage:
    """of: id of the task or condition. field: of the answer, or the place in the text. topic: by which a question
    chooses it."""

    source: Source
    of: str
    field: str
    text: str
    topic: str = ""


class ToldResult(KeptAnswer):
    """A result as the chat reads it, kept or just made, of any task and version."""

    staging: StagingAnswer | None = None
    treatment_options: tuple[str, ...] = ()
    demo_mode: bool = False

    @property
    def settled(self) -> bool:
        """Whether the named class can be leant on."""
        return not self.abstained and (self.prediction is None or self.prediction.settled)


def passages_of_result(result: ToldResult) -> tuple[Passage, ...]:
    """Every statement of a result, in the words of its fields."""
    source: Source = "symptoms" if result.top_predictions or result.red_flags else "result"
    made = (*_named(result), *_findings(result), *_advice(result), *_basis(result), *_measured(result), *_told(result))
    return tuple(Passage(source, result.model.task, field, text, topic) for topic, field, text in made if text)


def in_brackets(lay: str, name: str) -> str:
    """What people call a condition, where that is not its name."""
    one, other = lay.lower(), name.lower()
    return "" if one in other or other in one else f" ({lay})"


Made = Iterator[tuple[str, str, str]]


def _named(result: ToldResult) -> Made:
    if result.abstained:
        reasons = " ".join(result.abstain_texts)
        none = "" if result.understood else "No statement is made: "
        yield "class", "prediction.abstain_reason", f"{none}{reasons}"
    elif result.headline:
        yield "headline", "headline", f"{result.headline.rstrip('.')}."
    said = result.prediction
    if said and not result.abstained and (name := said.name or said.disease or said.condition):
        share = said.confidence if said.confidence is not None else said.probability
        sure = f" with a probability of {percent(share)}" if share is not None else ""
        level = f" ({said.risk_level})" if said.risk_level else ""
        yield "class", "prediction", f"The class that is named: {name}{level}{sure}."
        if said.interval:
            low, high = percent(said.interval.low), percent(said.interval.high)
            yield "class", "prediction.interval", f"By what is missing and not known it may lie from {low} to {high}."
        if said.birads:
            yield "class", "prediction.birads", f"BI-RADS category {said.birads}."
    if said and not (said.settled or result.abstained):
        yield "settled", "prediction.settled", "The class is the likeliest one; it is not settled."
    if result.staging:
        yield "stage", "staging.stage", f"{result.staging.stage.rstrip('.')}. {result.staging.description}"
        if result.settled:
            yield "stage", "staging.prognosis", result.staging.prognosis
    if result.treatment_options:
        yield "treatment", "treatment_options", " ".join(result.treatment_options)


def _findings(result: ToldResult) -> Made:
    for one in sorted(result.findings, key=lambda one: _GRAVEST.index(one.state)):
        yield "findings", f"findings.{one.code}.state", _state(one)
        if one.message:
            yield "finding_advice", f"findings.{one.code}.message", one.message
        if figures := _figures(one):
            yield "figures", f"findings.{one.code}.sensitivity", figures
    ranked = [(one.name, one.confidence) for one in result.all_predictions]
    if ranked and not result.abstained:
        told = ", ".join(f"{name} {percent(share)}" for name, share in ranked[:TOP])
        yield "ranking", "all_predictions", f"By probability: {told}."
        for each in result.all_predictions:
            told = f"{each.name} has a probability of {percent(each.confidence)}."
            yield "each", f"all_predictions.{each.code}", told
    if (made := result.prediction_set) and made.classes:
        names = {one.code: one.name for one in result.all_predictions}
        classes = ", ".join(names.get(code, code) for code in made.classes[:TOP])
        more = len(made.classes) - TOP
        rest = f" and {more} more" if more > 0 else ""
        yield "set", "prediction_set", f"Still in question: {classes}{rest}. {made.note}"


def _state(one: FindingAnswer) -> str:
    name = f"{one.name[0].upper()}{one.name[1:]}"
    told = f"{name} is {_STATES[one.state]} by the model: its probability is {percent(one.probability)}."
    if one.state != "ruled_out" and one.why_never_ruled_out:
        why = one.why_never_ruled_out.rstrip(".")
        return f"{told} {why[0].upper()}{why[1:]}."
    if one.rule_out_below is not None and one.rule_in_from is not None:
        low, high = _threshold(one.rule_out_below), _threshold(one.rule_in_from)
        return f"{told} Below {low} it is taken as ruled out, from {high} on as suspected."
    return told


def _threshold(value: float) -> str:
    return f"{100 * value:.3g}%"


def _figures(one: FindingAnswer) -> str:
    cases = f" of the {one.count} cases" if one.count else " of the cases"
    parts = []
    if one.sensitivity:
        parts.append(f"{_interval(one.sensitivity)}{cases} with {one.name} were not ruled out")
    if one.suspected:
        parts.append(f"{_interval(one.suspected)} of those with it were suspected")
    if one.specificity:
        parts.append(f"{_interval(one.specificity)} of those without it were not suspected")
    return f"On test pictures {'; '.join(parts)}." if parts else ""


def _interval(one: IntervalAnswer) -> str:
    return f"{percent(one.value)} (95 % interval {percent(one.low)} to {percent(one.high)})"


def _advice(result: ToldResult) -> Made:
    triage = result.triage
    yield "triage", "triage.text", triage.text
    for reason in triage.reasons[:TOP]:
        yield "reasons", f"triage.reasons.{reason.code}", reason.text
    if result.urgency:
        yield "urgency", "urgency", f"{result.urgency.timeline.rstrip('.')}. {result.urgency.action}"
    if result.recommendation:
        yield "advice", "recommendation", f"{result.recommendation.title.rstrip('.')}. {result.recommendation.message}"
        for number, action in enumerate(result.recommendation.actions):
            yield "actions", f"recommendation.actions.{number}", action
    elif isinstance(result.recommendations, list):
        for number, action in enumerate(result.recommendations):
            yield "actions", f"recommendations.{number}", str(action)


def _basis(result: ToldResult) -> Made:
    shown, check = result.explanation, result.input_check
    if shown and shown.note:
        place = ""
        if shown.peak_region:
            x, y, width, height = shown.peak_region
            place = f" It is strongest at x {x}, y {y}, {width} by {height} pixels of the picture as it was sent."
        elif shown.peak_seconds:
            place = f" It is strongest from {shown.peak_seconds[0]:g} to {shown.peak_seconds[1]:g} seconds."
        names = {one.code: one.name for one in result.all_predictions}
        of = names.get(shown.explained, shown.explained)
        yield "where", "explanation", f"The heatmap is for {of}. {shown.note}{place}"
    if check:
        for number, warning in enumerate(check.warnings):
            yield "quality", f"input_check.warnings.{number}", f"Of the picture: {warning}."
        if check.accepted and not check.warnings:
            yield "quality", "input_check.accepted", "The picture passed the check of its kind and quality."
    model = result.model
    evidence = f"How far the model can be leant on: the evidence for it is {model.evidence}."
    population = f" It was judged for: {model.population}." if model.population else ""
    yield "evidence", "model.evidence", evidence + population
    if model.trained_on:
        yield "trained", "model.trained_on", f"The model was trained on {model.trained_on}, version {model.version}."


def _measured(result: ToldResult) -> Made:
    for one in result.measurements:
        name = f"{one.name} ({one.lead})" if one.lead else one.name
        field = f"measurements.{one.code}" + (f".{one.lead}" if one.lead else "")
        if one.value is None:
            yield "unmeasured", field, f"{name}: could not be measured, {one.how}."
            continue
        low, high = (f"{limit:g}" if limit is not None else "" for limit in (one.low, one.high))
        limits = {
            (True, True): f"from {low} to {high}",
            (True, False): f"at least {low}",
            (False, True): f"up to {high}",
        }
        span = limits.get((bool(low), bool(high)))
        state = f" ({one.state}; reference {span})" if span else ""
        told = f"{name}: {one.value:g} {_UNITS.get(one.unit, one.unit)}".rstrip()
        yield "measurements" if not one.lead else "of_leads", field, f"{told}{state}."
        if one.finding:
            yield "abnormal", f"{field}.finding", one.finding.text
    for name, factor in result.risk_factors.items():
        label = name.replace("_", " ").capitalize()
        way = "raises" if factor.contribution > 0 else "lowers"
        # Of a factor without a unit the value is a code, which says nothing to a reader.
        told = f"{label}: {factor.value:g} {_UNITS.get(factor.unit, factor.unit)}" if factor.unit else label
        yield "factors", f"risk_factors.{name}", f"{told}; against the average patient it {way} the estimate."
    if result.missing_factors:
        names = ", ".join(one.name.replace("_", " ") for one in result.missing_factors)
        yield "missing", "missing_factors", f"Not given, the most telling first: {names}."


def _told(result: ToldResult) -> Made:
    for flag in result.red_flags:
        yield "red_flags", f"red_flags.{flag.id}", flag.message
    if present := [one.name for one in result.understood if one.present and not one.history]:
        yield "understood", "understood", f"Understood: {', '.join(dict.fromkeys(present))}."
    if denied := [one.name for one in result.understood if not one.present]:
        yield "understood", "understood.absent", f"Understood as not there: {', '.join(dict.fromkeys(denied))}."
    likely = [one for one in result.top_predictions[:3] if one.probability >= LEAST_PROBABLE]
    for one in [] if result.abstained else likely:
        lay = in_brackets(one.lay_name or "", one.disease)
        fits = f" Speaks for it: {', '.join(one.speaks_for[:TOP])}." if one.speaks_for else ""
        told = f"{one.disease}{lay}, {percent(one.probability)}: {one.description or ''}{fits}"
        yield "conditions", f"top_predictions.{one.disease}", told
        if one.precautions:
            yield "care", f"top_predictions.{one.disease}.precautions", " ".join(one.precautions)
