"""What an answer to symptoms states: what was understood, red flags, and the conditions it may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fhir.resources.R4B.codeableconcept import CodeableConcept
from fhir.resources.R4B.reference import Reference
from fhir.resources.R4B.riskassessment import RiskAssessment, RiskAssessmentPrediction

from backend.services.interop.fhir.entries import ASSESSED, OBSERVED, STATUS, Entries
from backend.services.interop.fhir.observations import prediction_set_observation, stated
from backend.services.interop.fhir.terms import concept, icd10, notes, percentage
from backend.services.rendering.messages import DISCLAIMER
from backend.services.reports.tabular_content import reasons_of

_TOLD = "symptom/"


def symptom_observations(made: Entries) -> Iterator[Reference]:
    """No word of what was written stands in them: names of findings, and whether they are present."""
    answer = made.case.answer
    understood = {one.name: one for one in answer.understood}
    for one in understood.values():
        past = "Of the past or of the family." if one.history else ""
        yield made.observe(_TOLD + one.name, concept(one.name), past, valueBoolean=one.present)
    for name in dict.fromkeys(answer.symptoms_analyzed):
        if name not in understood:
            yield made.observe(_TOLD + name, concept(name), valueBoolean=True)
    for flag in {one.id: one for one in answer.red_flags}.values():
        code = concept(f"Red flag: {flag.id.replace('_', ' ')}")
        yield made.observe(f"red-flag/{flag.id}", code, valueString=flag.message)
    conditions = _conditions(made)
    named = next(iter(conditions.values()), None)
    yield made.observe(
        "condition", concept("Most probable condition"), *answer.abstain_texts,
        **stated(answer, valueCodeableConcept=named),
    )  # fmt: skip
    yield from prediction_set_observation(made, conditions)
    if answer.top_predictions and not answer.abstained:
        _add_assessment(made, conditions)


def _conditions(made: Entries) -> dict[str, CodeableConcept]:
    """By name, the most probable first."""
    return {one.disease: icd10(one.disease, one.icd10) for one in made.case.answer.top_predictions}


def _add_assessment(made: Entries, conditions: Mapping[str, CodeableConcept]) -> None:
    """Each condition with its probability. An answer that abstains has none."""
    answer = made.case.answer
    predictions = [
        RiskAssessmentPrediction(
            outcome=conditions[one.disease], probabilityDecimal=percentage(one.probability),
            rationale=reasons_of(one, answer.symptoms_analyzed) or None,
        )
        for one in answer.top_predictions
    ]  # fmt: skip
    if answer.something_else is not None:
        other = concept("None of the known conditions")
        predictions.append(
            RiskAssessmentPrediction(outcome=other, probabilityDecimal=percentage(answer.something_else))
        )
    made.add(
        ASSESSED, RiskAssessment, status=STATUS, subject=made.reference("patient"),
        performer=made.reference("device"), occurrenceDateTime=made.case.answered_at,
        basis=made.references(OBSERVED + _TOLD), prediction=predictions, note=notes(DISCLAIMER),
    )  # fmt: skip
