"""What an estimate from risk factors states: the factors with what each adds, and the risk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fhir.resources.R4B.codeableconcept import CodeableConcept
from fhir.resources.R4B.fhirprimitiveextension import FHIRPrimitiveExtension
from fhir.resources.R4B.observation import ObservationComponent
from fhir.resources.R4B.reference import Reference
from fhir.resources.R4B.riskassessment import RiskAssessment, RiskAssessmentPrediction

from backend.schemas.tabular import RiskFactorAnswer
from backend.services.interop.fhir.entries import ASSESSED, OBSERVED, STATUS, Entries
from backend.services.interop.fhir.observations import stated
from backend.services.interop.fhir.terms import absent, absent_extension, concept, notes, percentage, quantity
from backend.services.rendering.messages import DISCLAIMER
from backend.services.rendering.responses import percent
from ml_model.tasks.registry import RiskTask
from ml_model.tasks.tabular_schema import RiskFeature

_FACTOR = "factor/"
_OLD_YEARS = 90  # and more are not told: such an age can name a person


def risk_observations(made: Entries) -> Iterator[Reference]:
    """The estimate, then the factors that it rests on."""
    task, answer = made.case.task, made.case.answer
    features = {one.name: one for one in task.features} if isinstance(task, RiskTask) else {}
    said = answer.prediction
    named = concept(said.condition) if said and said.condition else None
    yield made.observe(
        "estimate", concept("Estimate"), *answer.abstain_texts, **stated(answer, valueCodeableConcept=named)
    )
    for name, one in answer.risk_factors.items():
        yield _factor_observation(made, name, one, features.get(name))
    _add_assessment(
        made, [features[one.name].label if one.name in features else one.name for one in answer.missing_factors]
    )


def _factor_observation(made: Entries, name: str, one: RiskFactorAnswer, feature: RiskFeature | None) -> Reference:
    code = concept(feature.label, feature.concept) if feature else concept(name.replace("_", " "))
    if one.unit == "years" and one.value >= _OLD_YEARS:
        return made.observe(_FACTOR + name, code, dataAbsentReason=absent("masked"))
    category = feature.category(one.value) if feature else None
    value: dict[str, Any] = (
        {"valueCodeableConcept": concept(category.label)} if category
        else {"valueQuantity": quantity(one.value, one.unit or "1")}
    )  # fmt: skip
    if not made.case.answer.abstained:  # else there is no estimate that it adds to
        adds = quantity(one.contribution, "1")
        value["component"] = [ObservationComponent(code=concept("Adds to the estimate, log-odds"), valueQuantity=adds)]
        value["interpretation"] = [CodeableConcept(text=f"{one.risk} in this estimate")]
    return made.observe(_FACTOR + name, code, one.note or "", **value)


def _add_assessment(made: Entries, missing: list[str]) -> None:
    """The probability in per cent, as FHIR has it. One that is withheld says so."""
    answer, task = made.case.answer, made.case.task
    if (said := answer.prediction) is None or said.probability is None:
        return
    outcome = concept(task.outcome, task.outcome_concept) if isinstance(task, RiskTask) else concept(answer.model.task)
    told: dict[str, Any] = {"probabilityDecimal": percentage(said.probability)}
    if said.interval:
        told["rationale"] = f"90% interval {percent(said.interval.low)} to {percent(said.interval.high)}"
    if answer.abstained:
        told = {
            "probabilityDecimal__ext": FHIRPrimitiveExtension(extension=[absent_extension("unknown")]),
            "rationale": " ".join(answer.abstain_texts) or None,
        }
    made.add(
        ASSESSED, RiskAssessment, status=STATUS, subject=made.reference("patient"),
        performer=made.reference("device"), occurrenceDateTime=made.case.answered_at,
        basis=made.references(OBSERVED + _FACTOR),
        prediction=[RiskAssessmentPrediction(outcome=outcome, qualitativeRisk=concept(said.risk_level or ""), **told)],
        note=notes(f"Not given: {', '.join(missing)}." if missing else "", DISCLAIMER),
    )  # fmt: skip
