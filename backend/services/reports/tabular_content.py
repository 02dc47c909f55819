"""What a report says of symptoms, and of measured risk factors."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from backend.schemas.symptoms import RankedDiseaseAnswer
from backend.services.rendering.responses import percent
from backend.services.reports.blocks import Bar, Bars, Block, Bullets, Grid, Section, Words
from backend.services.reports.image_content import DARK_BARS, in_question
from backend.services.reports.kept_answer import KeptAnswer
from ml_model.tasks.registry import RiskTask

MOST_NAMES = 40


def symptom_sections(answer: KeptAnswer) -> Iterator[Section]:
    """What was understood, and what it may be."""
    known = {one.name: one for one in answer.understood}
    present = [one.name + (" (past or family)" if one.history else "") for one in known.values() if one.present]
    absent = [one.name for one in known.values() if not one.present]
    told = [name for name in answer.symptoms_analyzed if name not in known]
    blocks: list[Block] = [
        Words(f"{title}: {_list(names)}.") for title, names in
        (("Present", [*present, *told]), ("Said not to be there", absent)) if names
    ]  # fmt: skip
    if blocks:
        yield Section("What was told", tuple(blocks))
    if answer.top_predictions:
        yield Section("Most probable conditions", tuple(_conditions(answer)))


def _list(names: list[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _conditions(answer: KeptAnswer) -> Iterator[Block]:
    still_open = answer.prediction_set.classes if answer.prediction_set else ()
    yield Bars(
        tuple(_condition(one, one.disease in still_open, answer.symptoms_analyzed) for one in answer.top_predictions)
    )
    if still_open:
        yield Words(DARK_BARS, small=True)
    if answer.something_else is not None:
        yield Words(f"None of the known conditions: {percent(answer.something_else)}.")
    if answer.prediction_set:
        yield from in_question(answer.prediction_set, {})


def _condition(one: RankedDiseaseAnswer, still_open: bool, present: Collection[str]) -> Bar:
    code = f" (ICD-10 {one.icd10})" if one.icd10 else ""
    return Bar(f"{one.disease}{code}", one.probability, still_open, reasons_of(one, present))


def reasons_of(one: RankedDiseaseAnswer, present: Collection[str]) -> str:
    """What speaks for a condition and against it. present: names of what is there; the others are said to be absent."""
    sides = (("for it", one.speaks_for), ("against it", one.speaks_against))
    said = ((title, [name if name in present else f"no {name}" for name in names]) for title, names in sides if names)
    return "; ".join(f"{title}: {', '.join(names)}" for title, names in said)


def risk_sections(answer: KeptAnswer, task: RiskTask | None) -> Iterator[Section]:
    """The estimate with its interval, what each factor adds, and what is missing."""
    said = answer.prediction
    if said and said.interval and said.probability is not None:
        low, high = said.interval.low, said.interval.high
        reach = f"90% interval {percent(low)} to {percent(high)}"
        estimate = Bar(said.condition or "Risk", said.probability, note=reach, span=(low, high))
        withheld = Words(f"No estimate is given; {reach}.")
        yield Section("Estimated probability", (withheld if said.abstain else Bars((estimate,)),))
    labels = {one.name: one for one in task.features} if task else {}

    def title(name: str) -> str:
        return labels[name].label if name in labels else name.replace("_", " ")

    def value(name: str, number: float, unit: str) -> str:
        words = [c.label for c in labels[name].categories if c.value == number] if name in labels else []
        return words[0] if words else f"{number:g} {unit}".strip()

    rows = tuple(
        (title(name), value(name, one.value, one.unit), one.value_level or "–", one.risk,
         f"{one.contribution:+.2f}".replace("-", "−"))
        for name, one in answer.risk_factors.items()
    )  # fmt: skip
    titles = ("Factor", "Value", "In its own range", "In this estimate", "Adds, log-odds")
    notes = [f"{title(name)}: {one.note}" for name, one in answer.risk_factors.items() if one.note]
    yield Section(
        "Risk factors",
        (Grid(titles, rows, (0.28, 0.24, 0.16, 0.16, 0.16)), *([Bullets(tuple(notes))] if notes else [])),
    )
    if answer.missing_factors:
        missing = tuple(
            (title(one.name), f"{percent(one.low)} to {percent(one.high)}", percent(one.information))
            for one in answer.missing_factors
        )
        known = (
            ""
            if answer.information is None
            else f"What was given carries {percent(answer.information)} of the information. "
        )
        about = f"{known}Where the probability would be in nine of ten such patients once a factor is given too:"
        columns = ("Factor", "Probability then", "Adds of the information")
        yield Section("Not given", (Words(about), Grid(columns, missing, (0.5, 0.25, 0.25))))
