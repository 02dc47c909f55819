"""One answer as a bundle: the report, what was observed, on which study, by which model and from what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.codeableconcept import CodeableConcept
from fhir.resources.R4B.device import Device, DeviceDeviceName, DeviceProperty, DeviceVersion
from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from fhir.resources.R4B.identifier import Identifier
from fhir.resources.R4B.patient import Patient
from fhir.resources.R4B.provenance import Provenance, ProvenanceAgent, ProvenanceEntity
from fhir.resources.R4B.reference import Reference

from backend.services.interop.answered import AnsweredCase
from backend.services.interop.fhir.entries import ASSESSED, OBSERVED, REPORT, STATUS, Entries
from backend.services.interop.fhir.heart_risk import risk_observations
from backend.services.interop.fhir.imaging_study import add_studies
from backend.services.interop.fhir.measurements import measurement_observations
from backend.services.interop.fhir.observations import WITHHELD, triage_observation
from backend.services.interop.fhir.pictures import picture_observations
from backend.services.interop.fhir.symptoms import symptom_observations
from backend.services.interop.fhir.terms import URI, concept, notes
from backend.services.rendering.messages import DISCLAIMER, SERVICE_NAME, service_version
from backend.services.reports.content import LEVELS
from backend.services.reports.image_content import named

PATIENT_REFERENCES = "urn:medidiagnose:patient-reference"


def bundle_of(case: AnsweredCase) -> Bundle:
    """Everything is stated as preliminary and for research; of the patient there is the pseudonym alone."""
    made = Entries(case)
    pseudonym = [Identifier(system=PATIENT_REFERENCES, value=case.patient_ref)] if case.patient_ref else None
    made.add("patient", Patient, identifier=pseudonym)
    made.add("device", Device, **_device(case))
    studies = add_studies(made)
    results = [*_of_kind(made), triage_observation(made)]
    answer, urgency = case.answer, case.answer.triage
    said = WITHHELD if answer.abstained else named(answer)
    made.add(
        REPORT, DiagnosticReport, status=STATUS, code=_examination(case), subject=made.reference("patient"),
        identifier=[Identifier(system=URI, value=f"urn:uuid:{case.record_id}")], issued=case.answered_at,
        result=results, imagingStudy=studies or None,
        conclusion=f"{said}. {LEVELS[urgency.level]}: {urgency.text} {DISCLAIMER}",
    )  # fmt: skip
    made.add("provenance", Provenance, target=made.references(REPORT, OBSERVED, ASSESSED), **_provenance(made))
    return made.bundle()


def _of_kind(made: Entries) -> Iterator[Reference]:
    if made.case.answer.all_predictions:
        yield from picture_observations(made)
        yield from measurement_observations(made)
    elif made.case.answer.risk_factors:
        yield from risk_observations(made)
    else:
        yield from symptom_observations(made)


def _examination(case: AnsweredCase) -> CodeableConcept:
    if case.task is None:
        return concept(case.answer.model.task)
    return concept(case.task.title, case.task.examination)


def _device(case: AnsweredCase) -> dict[str, Any]:
    """The model, which is what observed. One of a user has no version."""
    model, task = case.answer.model, case.task
    versions = {"service": service_version(), "model": model.version}
    properties = {
        "evidence": model.evidence,
        "trained on": model.trained_on,
        "computed by": case.answer.provenance.engine,
    }
    limits = (f"Made for: {task.intended_use}", *task.limits_of_use) if task else ()
    return {
        "identifier": [_checksum("model", model.sha256)] if model.sha256 else None,
        "deviceName": [DeviceDeviceName(name=f"{SERVICE_NAME} {model.task}", type="model-name")],
        "type": concept("Software that answers for research and education"),
        "version": [DeviceVersion(type=concept(of), value=told) for of, told in versions.items() if told],
        "property": [
            DeviceProperty(type=concept(name), valueCode=[concept(told)]) for name, told in properties.items() if told
        ],
        "note": notes(*limits, DISCLAIMER),
    }


def _checksum(of: str, sha256: str) -> Identifier:
    return Identifier(type=concept(f"SHA-256 of the {of}"), value=sha256)


def _provenance(made: Entries) -> dict[str, Any]:
    """Who stated it, and what it was made from: with these `python -m ml_model.replay` makes it again."""
    case, device = made.case, made.reference("device")
    answer, of_record = case.answer, case.record_sha256
    model, told = answer.model, answer.provenance
    sources = [
        *(("input", one) for one in told.input_sha256), ("model", model.sha256),
        ("preprocessing", told.preprocessing_sha256), ("result that is kept", of_record),
    ]  # fmt: skip
    return {
        "recorded": case.answered_at,
        "activity": concept(" ".join(filter(None, ("Answered by the model", model.task, model.version)))),
        "reason": [concept("Research and education")],
        "agent": [ProvenanceAgent(type=concept("Author"), who=device)],
        "entity": [
            ProvenanceEntity(role="source", what=Reference(identifier=_checksum(of, one), display=of))
            for of, one in sources if one
        ],
    }  # fmt: skip
