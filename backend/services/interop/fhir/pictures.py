"""What an answer to a picture or a recording states: the class, its findings in three states, what is in question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fhir.resources.R4B.codeableconcept import CodeableConcept
from fhir.resources.R4B.identifier import Identifier
from fhir.resources.R4B.observation import ObservationComponent, ObservationReferenceRange
from fhir.resources.R4B.reference import Reference

from backend.schemas.findings import FindingAnswer
from backend.schemas.scans.comparison import Comparison
from backend.services.interop.fhir.entries import STUDY, Entries
from backend.services.interop.fhir.observations import prediction_set_observation, stated
from backend.services.interop.fhir.terms import URI, Interpretation, concept, interpretation, probability, quantity
from backend.services.reports.comparison_content import picture_by_picture
from backend.services.reports.content import warnings_of
from backend.services.reports.image_content import gauge
from ml_model.tasks.registry import ImageTask

_STATES: dict[str, Interpretation] = {"suspected": "POS", "indeterminate": "IND", "ruled_out": "NEG"}


def picture_observations(made: Entries) -> Iterator[Reference]:
    """The named class first. Names are those that the answer has, where it has them."""
    task = made.case.task
    specs = task.by_code if isinstance(task, ImageTask) else {}
    names = {code: spec.name for code, spec in specs.items()}
    names |= {one.code: one.name for one in made.case.answer.all_predictions}
    classes = {code: concept(name, specs[code].concept if code in specs else None) for code, name in names.items()}
    yield _class_observation(made, classes)
    rules = {one.code: one.concept for one in task.findings} if isinstance(task, ImageTask) else {}
    for one in made.case.answer.findings:
        yield _finding_observation(made, one, concept(one.name, rules.get(one.code)))
    yield from prediction_set_observation(made, classes)
    if made.case.since:
        yield _change_observation(made, made.case.since)


def _change_observation(made: Entries, since: Comparison) -> Reference:
    """Beside the record before it, which has a bundle of its own."""
    before = Reference(
        identifier=Identifier(system=URI, value=f"urn:uuid:{since.since}"),
        type="Observation",
        display="the record before",
    )
    parts = [
        ObservationComponent(
            code=concept(f"{one.name}: change of the probability"),
            valueQuantity=quantity(round(one.after - one.before, 6), "1"),
            interpretation=[concept(one.note)],
        )
        for one in since.findings
    ]
    return made.observe(
        "change", concept("Change since the study before"), picture_by_picture(since), since.note,
        valueString=since.summary, component=parts or None, derivedFrom=[before],
    )  # fmt: skip


def _class_observation(made: Entries, classes: Mapping[str, CodeableConcept]) -> Reference:
    """With the calibrated probability of every class; nothing of them where the answer abstains."""
    answer, said = made.case.answer, made.case.answer.prediction
    name = said.name if said else None
    named = next((one for one in classes.values() if one.text == name), concept(name) if name else None)
    shares = [
        ObservationComponent(code=classes[one.code], valueQuantity=probability(one.confidence))
        for one in answer.all_predictions
    ]
    if said and said.birads:
        shares.append(ObservationComponent(code=concept("BI-RADS"), valueString=said.birads))
    several = "Several can be present at once: the probabilities do not sum to 1." if answer.multi_label else ""
    return made.observe(
        "class", concept("Named class"), *answer.abstain_texts, *warnings_of(answer), several,
        derivedFrom=made.references(STUDY),
        component=None if answer.abstained else shares,
        interpretation=None if said and said.settled else interpretation("IND", "not settled"),
        **stated(answer, valueCodeableConcept=named),
    )  # fmt: skip


def _finding_observation(made: Entries, one: FindingAnswer, code: CodeableConcept) -> Reference:
    """An answer that abstains rules nothing out; what it suspects is suspected all the same."""
    answer, told = made.case.answer, gauge(one)
    claimed = one.state == "suspected" or not answer.abstained
    value: dict[str, Any] = (
        {"valueQuantity": probability(one.probability)} if claimed else stated(answer, valueQuantity=None)
    )
    limits = []
    if one.rule_out_below is not None:
        limits.append(ObservationReferenceRange(high=probability(one.rule_out_below), text="ruled out below"))
    if one.rule_in_from is not None:
        limits.append(ObservationReferenceRange(low=probability(one.rule_in_from), text="suspected from"))
    state, text = (_STATES[one.state], told.state) if claimed else ("IND", "not ruled out")
    return made.observe(
        f"finding/{one.code}", code, *told.notes, derivedFrom=made.references(STUDY),
        interpretation=interpretation(state, text), referenceRange=limits or None, **value,
    )  # fmt: skip
