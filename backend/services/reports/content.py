"""What a report says of an answer, part by part. The words of the answer are kept; no judgement is added."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from backend.schemas.records import FeedbackEntry
from backend.schemas.scans.comparison import Comparison
from backend.services.rendering.messages import DISCLAIMER, SERVICE_NAME, service_version
from backend.services.reports.blocks import Banner, Block, Bullets, Facts, Picture, Report, Section, Tone, Words
from backend.services.reports.comparison_content import comparison_sections
from backend.services.reports.image_content import named, page_sections, picture_sections, quality_sections
from backend.services.reports.kept_answer import KeptAnswer
from backend.services.reports.tabular_content import risk_sections, symptom_sections
from ml_model.tasks.registry import ImageTask, RiskTask, SymptomTask

LEVELS: dict[str, str] = {
    "emergency": "Emergency", "urgent": "Urgent", "soon": "Soon", "routine": "Routine", "none": "No urgency",
}  # fmt: skip
MOST_REASONS, MOST_FEEDBACK = 12, 20
_TOLD_BY = {"age_years": "the age given", "dicom": "the DICOM file", "picture": "the picture"}


@dataclass(frozen=True)
class Told:
    """A record, and what is shown with it. pictures: as it was sent (where it is kept), and with its heatmap. page:
    of an ECG, drawn. sha256, address: empty of an answer that is not kept. since: beside the record before it
    of the same patient."""

    record_id: UUID
    patient_ref: str | None
    created_at: datetime
    answer: KeptAnswer
    feedback: tuple[FeedbackEntry, ...]
    pictures: tuple[Picture, ...]
    page: Picture | None
    sha256: str
    address: str
    since: Comparison | None = None


def report(told: Told, task: ImageTask | SymptomTask | RiskTask | None, made_at: datetime) -> Report:
    """task: None where the service has it no more."""
    answer = told.answer
    if answer.all_predictions:
        of_kind = picture_sections(answer, told.pictures)
    elif answer.risk_factors:
        of_kind = risk_sections(answer, task if isinstance(task, RiskTask) else None)
    else:
        of_kind = symptom_sections(answer)
    return Report(
        title=task.title if task else answer.model.task,
        record_id=str(told.record_id),
        patient_ref=told.patient_ref,
        facts=(
            ("Patient reference", told.patient_ref or "not given"),
            *([] if answer.risk_factors else [("Age, sex", _person(answer))]),
            ("Answered", moment(told.created_at)),
            ("Report made", moment(made_at)),
            ("Record", str(told.record_id)),
        ),
        banner=_banner(answer),
        warnings=tuple(dict.fromkeys(text[:1].upper() + text[1:] for text in warnings_of(answer))),
        sections=(
            *of_kind,
            *_advice(answer),
            *comparison_sections(told.since),
            *_feedback(told.feedback),
            *quality_sections(answer),
            _origin(told),
            *_limits(task),
            *page_sections(answer, told.page),
        ),
        sha256=told.sha256,
        address=told.address,
    )


def moment(at: datetime) -> str:
    """With its zone."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _person(answer: KeptAnswer) -> str:
    """As it was told with the case."""
    asked = answer.provenance.request
    age, sex = answer.age_years or asked.get("age_years"), answer.sex or asked.get("sex")
    return ", ".join([f"{age:g} years" if age is not None else "age not given", str(sex or "sex not given")])


def _banner(answer: KeptAnswer) -> Banner:
    triage, said = answer.triage, answer.prediction
    state = "do not lean on this answer" if answer.abstained else "" if said is None or said.settled else "not settled"
    level = LEVELS[triage.level]
    tone: Tone = "neutral" if answer.abstained else triage.level
    others = [one for one in triage.reasons if one.text not in triage.text]
    reasons = [one.text if one.level == triage.level else f"{one.text} ({LEVELS[one.level].lower()})" for one in others]
    when = f"{answer.urgency.timeline}. " if answer.urgency else ""
    return Banner(tone, f"{level} · {state}" if state else level, named(answer), when + triage.text, _some(reasons))


def _some(texts: list[str]) -> tuple[str, ...]:
    more = len(texts) - MOST_REASONS
    return (*texts[:MOST_REASONS], *([f"and {more} more, see the record"] if more > 0 else []))


def warnings_of(answer: KeptAnswer) -> Iterator[str]:
    """What speaks against leaning on the answer, but what is among the reasons of its triage."""
    given = {one.text for one in answer.triage.reasons}
    told = (answer.warning, *answer.abstain_texts)
    yield from (text for text in told if text and text not in given)
    if check := answer.input_check:
        yield from check.warnings
        for number, part in enumerate(check.cropped_pictures or (check.cropped,), 1):
            if part:
                which = f"picture {number}" if check.cropped_pictures else "the picture"
                x, y, width, height = part
                yield f"Only a part of {which} was read: {width} × {height} pixels from ({x}, {y})."


def _advice(answer: KeptAnswer) -> Iterator[Section]:
    if advice := answer.recommendation:
        yield Section(advice.title, (Words(advice.message), Bullets(advice.actions)))
    elif isinstance(answer.recommendations, list | tuple):
        shown = {one.text for one in answer.triage.reasons} | {answer.triage.text}
        if left := tuple(str(one) for one in answer.recommendations if one not in shown):
            yield Section("What to do", (Bullets(left),))


def _feedback(entries: tuple[FeedbackEntry, ...]) -> Iterator[Section]:
    if not entries:
        return
    blocks: list[Block] = []
    for one in entries[-MOST_FEEDBACK:]:
        said = "agrees" if one.agrees else f"disagrees; says: {one.right_class or 'no class named'}"
        blocks.append(Words(f"{moment(one.created_at)}: a clinician {said}"))
        blocks += [Words(one.note)] if one.note else []
    yield Section("What clinicians said", tuple(blocks))


def _origin(told: Told) -> Section:
    model, made = told.answer.model, told.answer.provenance
    rows: Iterable[tuple[str, str | None]] = (
        ("Service", f"{SERVICE_NAME} {service_version()}"),
        ("Model", f"{model.task} {model.version}, {model.source}" if model.version else model.task),
        ("Model SHA-256", model.sha256),
        ("Trained on", model.trained_on),
        ("Evidence", model.evidence),
        ("Judged as of", model.population and f"{model.population}, told by {_TOLD_BY[model.population_told_by or '']}"
         if model.population_told_by else model.population),
        ("Thresholds of", model.judged_as),
        ("Projection", model.view),
        ("Age counted", model.age_told_by and f"yes, from {_TOLD_BY[model.age_told_by]}"),
        ("Computed by", made.engine),
        *((f"Input {at} SHA-256" if len(made.input_sha256) > 1 else "Input SHA-256", one)
          for at, one in enumerate(made.input_sha256, 1)),
        ("Preprocessing SHA-256", made.preprocessing_sha256),
        ("Request", ", ".join(f"{name}={value}" for name, value in made.request.items() if name != "explain")),
        ("Result SHA-256", told.sha256),
    )  # fmt: skip
    return Section("Model and data", (Facts(tuple((name, value) for name, value in rows if value)),))


def _limits(task: ImageTask | SymptomTask | RiskTask | None) -> Iterator[Section]:
    own: tuple[Block, ...] = (Words(f"Made for: {task.intended_use}"), Bullets(task.limits_of_use)) if task else ()
    yield Section("Limits", (*own, Words(DISCLAIMER)))
