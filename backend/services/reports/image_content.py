"""What a report says of a picture or a recording."""

from __future__ import annotations

from collections.abc import Iterator

from backend.schemas.ecg import MeasurementAnswer
from backend.schemas.findings import FindingAnswer, IntervalAnswer, PredictionSetAnswer
from backend.services.rendering.responses import percent
from backend.services.reports.blocks import (
    Bar,
    Bars,
    Block,
    Facts,
    Gauge,
    Gauges,
    Grid,
    Picture,
    Pictures,
    Section,
    Tone,
    Words,
)
from backend.services.reports.kept_answer import KeptAnswer

DARK_BARS = "Dark bars: in the prediction set."
MOST_BARS, MOST_IN_SET, MOST_MEASURED = 15, 15, 60
_STATES: dict[str, tuple[str, Tone]] = {
    "ruled_out": ("ruled out", "none"),
    "indeterminate": ("not ruled out", "soon"),
    "suspected": ("suspected", "urgent"),
}
_ON_PAGE = ("heart_rate", "pr", "qrs", "qt", "qtc_fridericia", "axis")
_READ_AS = {
    "recording": "the digital recording",
    "page_signal": "the signal read off the page",
    "page_picture": "the picture of the page",
}


def named(answer: KeptAnswer) -> str:
    """What the answer settles on, in a line."""
    if answer.headline or answer.prediction is None:
        birads = answer.prediction and not answer.prediction.abstain and answer.prediction.birads
        return (answer.headline or "Nothing is ranked") + (f" · BI-RADS {birads}" if birads else "")
    said = answer.prediction
    if said.condition:
        return said.condition if said.abstain else f"{said.risk_level} risk: {said.condition}"
    return f"{said.disease or said.name} most likely"


def picture_sections(answer: KeptAnswer, shown: tuple[Picture, ...]) -> Iterator[Section]:
    """Findings, classes, pictures; of an ECG what was measured."""
    if answer.findings:
        yield Section("Findings", (Gauges(tuple(gauge(one) for one in answer.findings)),))
    yield Section("Calibrated probabilities", tuple(_classes(answer)))
    if shown:
        yield Section("Picture", tuple(_pictures(answer, shown)))
    if answer.measurements:
        yield from _measured(answer)


def page_sections(answer: KeptAnswer, page: Picture | None) -> Iterator[Section]:
    """An ECG on a page of its own, with what one looks for first."""
    if page is None:
        return
    whole = {one.code: one for one in answer.measurements if one.lead is None}
    values = [f"{whole[code].name} {_value(whole[code])}" for code in _ON_PAGE if code in whole]
    about = answer.explanation.note if answer.explanation else ""
    blocks = (Words(" · ".join(values)), Pictures((page,), whole_page=True), Words(about, small=True))
    yield Section("Recording", blocks, own_page=True)


def gauge(one: FindingAnswer) -> Gauge:
    """A finding between its thresholds, with what is said of it."""
    state, tone = _STATES[one.state]
    out, rule_in = one.rule_out_below, one.rule_in_from
    limits = [
        f"ruled out below {fine(out)}" if out is not None else one.why_never_ruled_out,
        None if rule_in is None else f"suspected from {fine(rule_in)}",
    ]
    figures = (
        ("with it, not ruled out", one.sensitivity), ("with it, suspected", one.suspected),
        ("without it, not suspected", one.specificity), ("without it, ruled out", one.ruled_out),
    )  # fmt: skip
    measured = [f"{name} {interval(value)}" for name, value in figures if value]
    if one.site:
        limits.append(f"thresholds of this site's own, chosen on {one.site.cases} of its cases")
    on_test = f"on test ({one.count} cases with it): {'; '.join(measured)}" if measured else "not measured on test"
    texts = (one.message, "; ".join(limit for limit in limits if limit), on_test)
    thresholds = tuple(limit for limit in (out, rule_in) if limit is not None)
    return Gauge(one.name, state, tone, one.probability, thresholds, tuple(text for text in texts if text))


def fine(share: float) -> str:
    """Thresholds are often small: enough digits that a probability and a threshold differ where their order counts."""
    if 0 < share < 0.00005:
        return "<0.01%"
    return f"{100 * share:.2f}%" if 0 < share < 0.01 else percent(share)


def interval(figure: IntervalAnswer) -> str:
    """A figure with its 95 % interval."""
    return f"{percent(figure.value)} ({percent(figure.low)} to {percent(figure.high)})"


def _classes(answer: KeptAnswer) -> Iterator[Block]:
    names = {one.code: one.name for one in answer.all_predictions}
    open_codes = set(answer.prediction_set.classes) if answer.prediction_set else set()
    ranked = answer.all_predictions[:MOST_BARS]
    yield Bars(tuple(Bar(one.name, one.confidence, one.code in open_codes) for one in ranked))
    if left := len(answer.all_predictions) - len(ranked):
        yield Words(f"{left} less probable ones are in the record.", small=True)
    if any(one.code in open_codes for one in ranked):
        yield Words(DARK_BARS, small=True)
    if answer.multi_label:
        yield Words("Several can be present at once: the probabilities do not sum to 100%.", small=True)
    if answer.prediction_set:
        yield from in_question(answer.prediction_set, names)


def in_question(found: PredictionSetAnswer, names: dict[str, str]) -> Iterator[Block]:
    """The prediction set, and how often such sets held the right class on test."""
    told = [names.get(code, code) for code in found.classes]
    more = f" and {len(told) - MOST_IN_SET} more" if len(told) > MOST_IN_SET else ""
    listed = ", ".join(told[:MOST_IN_SET]) + more or "none of the classes"
    yield Words(f"Prediction set, still in question at {100 * found.coverage:.0f}%: {listed}.")
    shares = [f"{names.get(code, code)} {interval(one)}" for code, one in found.measured.items()]
    on_test = f" Held it on test: {'; '.join(shares[:MOST_IN_SET])}." if shares else ""
    yield Words(found.note + on_test, small=True)


def _pictures(answer: KeptAnswer, shown: tuple[Picture, ...]) -> Iterator[Block]:
    yield Pictures(shown)
    about = answer.explanation
    if about and about.note:
        box = about.peak_region
        place = f" Strongest at x {box[0]}, y {box[1]}, {box[2]} × {box[3]} pixels of the original." if box else ""
        yield Words(about.note + place, small=True)


def _measured(answer: KeptAnswer) -> Iterator[Section]:
    """Of the whole recording a row each; what each lead has in a table of leads."""
    whole = [one for one in answer.measurements if one.lead is None][:MOST_MEASURED]
    rows = tuple((one.name, _value(one), _range(one), _state(one)) for one in whole)
    blocks: list[Block] = [Grid(("Measurement", "Value", "Reference", "State"), rows, (0.36, 0.2, 0.18, 0.26))]
    leads = list(dict.fromkeys(one.lead for one in answer.measurements if one.lead))
    values = {(one.name, one.unit, one.lead): one.value for one in answer.measurements if one.lead}
    kinds = list(dict.fromkeys((name, unit) for name, unit, _ in values))
    if leads:
        titles = ("Lead", *(lead for lead in leads))
        of_leads = tuple(
            (name if unit == "1" else f"{name}, {unit}", *(_number(values.get((name, unit, lead))) for lead in leads))
            for name, unit in kinds
        )
        blocks.append(Grid(titles, of_leads, (0.22, *[0.78 / len(leads)] * len(leads))))
    grave = [one.finding for one in whole if one.finding]
    blocks += [Words(f"{finding.name}: {finding.text}") for finding in grave]
    yield Section("Measured on the recording", tuple(blocks))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}".replace("-", "−")


def _value(one: MeasurementAnswer) -> str:
    if one.value is None:
        return "not measurable"
    return _number(one.value) if one.unit == "1" else f"{_number(one.value)} {one.unit}"


def _range(one: MeasurementAnswer) -> str:
    if one.low is None and one.high is None:
        return ""
    if one.low is None:
        return f"up to {_number(one.high)}"
    return f"from {_number(one.low)}" if one.high is None else f"{_number(one.low)} to {_number(one.high)}"


def _state(one: MeasurementAnswer) -> str:
    return one.finding.name if one.finding else one.state.replace("_", " ")


def quality_sections(answer: KeptAnswer) -> Iterator[Section]:
    """What the gate saw, and the technical quality."""
    check, read = answer.input_check, answer.recording
    if check is None:
        return
    rows = [
        ("Kind of picture", f"{(check.modality or 'not looked at').replace('_', ' ')}; expected: "
         f"{check.expected.replace('_', ' ')}"),
        ("Accepted", ("yes" if check.accepted else "no")
         + (f"; score {check.score:.4g}, accepted from {check.threshold:.4g}"
            if check.score is not None and check.threshold is not None else "")),
    ]  # fmt: skip
    if check.distance is not None and check.distance_limit is not None:
        rows.append(("Distance to the training", f"{check.distance:.4g}, refused from {check.distance_limit:.4g}"))
    if field := check.field_of_view:
        rows.append(("Field of view", f"{field.width_um:.0f} × {field.height_um:.0f} µm, told by {field.told_by}"))
    if read:
        rows.append(("Answered from", _READ_AS[read.read_as]))
    if read and read.exchanged_leads:
        rows.append(("Electrodes", f"seem exchanged: {read.exchanged_leads}; put right: {bool(read.put_right)}"))
    quality = {name.replace("_", " "): _plain(value) for name, value in check.quality.items()}
    rows.append(("Quality", "; ".join(f"{name} {value}" for name, value in quality.items() if value)))
    yield Section("Input check", (Facts(tuple(rows)),))


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else "" if value is None else str(value)
