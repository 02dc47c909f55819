"""What answers of every kind state: how soon to act, what is still in question, and that nothing is stated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fhir.resources.R4B.codeableconcept import CodeableConcept
from fhir.resources.R4B.observation import ObservationComponent
from fhir.resources.R4B.reference import Reference

from backend.services.interop.fhir.entries import Entries
from backend.services.interop.fhir.terms import absent, concept
from backend.services.reports.kept_answer import KeptAnswer

WITHHELD = "No statement can be made"


def stated(answer: KeptAnswer, **value: Any) -> dict[str, Any]:
    """The value; of an answer that abstains, or that names nothing, why there is none."""
    if answer.abstained or None in value.values():
        return {"dataAbsentReason": absent("unknown", WITHHELD)}
    return value


def triage_observation(made: Entries) -> Reference:
    """How soon the case must be acted on, and each reason why. An answer that abstains has one, too."""
    answer = made.case.answer
    triage = answer.triage
    reasons = [
        ObservationComponent(code=concept(one.code.replace("_", " ")), valueString=one.text) for one in triage.reasons
    ]
    timeline = answer.urgency.timeline if answer.urgency else ""
    return made.observe(
        "triage", concept("Triage"), triage.text, timeline, valueCodeableConcept=concept(triage.level),
        component=reasons or None,
    )  # fmt: skip


def prediction_set_observation(made: Entries, shown: Mapping[str, CodeableConcept]) -> Iterator[Reference]:
    """What is still in question at the coverage that was asked for. shown: by what the set calls it."""
    answer = made.case.answer
    if (found := answer.prediction_set) is None:
        return
    inside = [] if answer.abstained else [shown.get(one, concept(one)) for one in found.classes]
    value: dict[str, Any] = {
        "component": [ObservationComponent(code=concept("In question"), valueCodeableConcept=one) for one in inside]
    }
    if not inside:
        value = stated(answer, valueString="none of them")
    code = concept(f"Prediction set, still in question at {100 * found.coverage:.0f}%")
    yield made.observe("prediction-set", code, found.note, **value)
