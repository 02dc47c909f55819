"""An answer as a structured report: TID 1500, measurement report, of a device that is a model."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    ComprehensiveSR,
    ContainerContentItem,
    DeviceObserverIdentifyingAttributes,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom import Sequence
from pydicom.sr.codedict import codes

from backend.services.interop.dicom import terms
from backend.services.interop.dicom.groups import groups
from backend.services.interop.dicom.study import RESEARCH, Study, uid_of
from backend.services.rendering.messages import DISCLAIMER, SERVICE_NAME, service_version
from backend.services.reports.content import LEVELS, warnings_of
from backend.services.reports.image_content import named
from ml_model.tasks.registry import ImageTask

CONTAINS = RelationshipTypeValues.CONTAINS
_OF_DEVICES = uuid.UUID("6d1f3d0e-58a1-4c4e-9c57-0b7a5a4de511")  # the UID of a model follows from its checksum


def structured_report(study: Study) -> ComprehensiveSR:
    """Findings with probabilities and thresholds, classes, where the map has its peak, triage, conclusion."""
    report = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=_observer(study)),
        procedure_reported=_procedure(study), imaging_measurements=list(groups(study)),
        title=codes.DCM.ImagingMeasurementReport,
    )  # fmt: skip
    report[0].ContentSequence.append(_said(study))
    made = ComprehensiveSR(
        [study.evidence()], report[0], **study.series("sr", "findings"), is_complete=True, is_final=False,
        is_verified=False, coding_schemes=terms.schemes(), record_evidence=True,
    )  # fmt: skip
    made.ContentQualification = "RESEARCH"
    return made


def _observer(study: Study) -> ObserverContext:
    """The model. Its serial number is its checksum: another model is another device."""
    model = study.case.answer.model
    return ObserverContext(
        codes.DCM.Device,
        DeviceObserverIdentifyingAttributes(
            uid=uid_of(_OF_DEVICES, f"{model.task} {model.sha256}"), name=f"{SERVICE_NAME} {model.task}",
            manufacturer_name=SERVICE_NAME, model_name=f"{model.task} {model.version or 'without a version'}",
            serial_number=f"SHA-256 {model.sha256 or 'unknown'}",
        ),
    )  # fmt: skip


def _procedure(study: Study) -> CodedConcept:
    task = study.case.task
    if task is None or task.examination is None:
        return CodedConcept.from_code(codes.SCT.ImagingProcedure)
    return terms.concept(task.id, task.title, task.examination)


def _said(study: Study) -> ContainerContentItem:
    """What is concluded, in code and in words; that it is for research is among it."""
    made = ContainerContentItem(terms.QUALITATIVE_EVALUATIONS, relationship_type=CONTAINS)
    answer, triage = study.case.answer, study.case.answer.triage
    level = terms.own(triage.level, LEVELS[triage.level])
    made.ContentSequence = Sequence([CodeContentItem(terms.TRIAGE, level, CONTAINS)])
    texts = [(codes.DCM.Conclusion, text) for text in _conclusions(study)]
    texts += [(codes.DCM.Comment, text) for text in dict.fromkeys((*warnings_of(answer), *_about(study)))]
    made.ContentSequence.extend(TextContentItem(name, text, CONTAINS) for name, text in texts if text)
    return made


def _conclusions(study: Study) -> Iterator[str]:
    answer = study.case.answer
    if answer.abstained:
        yield "No statement is made."
    yield f"{named(answer)}. {LEVELS[answer.triage.level]}: {answer.triage.text}"
    yield from (f"{LEVELS[one.level]}: {one.text}" for one in answer.triage.reasons)


def _about(study: Study) -> Iterator[str]:
    task, model = study.case.task, study.case.answer.model
    yield f"{RESEARCH}. {DISCLAIMER}"
    yield f"Made by {SERVICE_NAME} {service_version()}; model {model.task} {model.version}, SHA-256 {model.sha256}."
    if model.evidence != "sufficient":
        yield f"The evidence for this model is {model.evidence}."
    if isinstance(task, ImageTask):
        yield f"Made for: {task.intended_use}"
        yield from task.limits_of_use
