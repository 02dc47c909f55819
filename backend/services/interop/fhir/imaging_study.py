"""The DICOM study that was answered, where one is known."""

from __future__ import annotations

from collections import defaultdict

from fhir.resources.R4B.coding import Coding
from fhir.resources.R4B.identifier import Identifier
from fhir.resources.R4B.imagingstudy import ImagingStudy, ImagingStudySeries, ImagingStudySeriesInstance
from fhir.resources.R4B.reference import Reference

from backend.services.interop.fhir.entries import STUDY, Entries
from backend.services.interop.fhir.terms import SYSTEMS, URI
from ml_model.inputs.dicom.instances import DicomInstance

DICOM_UID = "urn:dicom:uid"


def add_studies(made: Entries) -> list[Reference]:
    """One for each study: no more of it than the instances that were answered, under their own UIDs."""
    studies: dict[str, dict[str, list[DicomInstance]]] = defaultdict(lambda: defaultdict(list))
    for one in dict.fromkeys(made.case.instances):
        studies[one.study_uid][one.series_uid].append(one)
    return [
        made.add(
            STUDY + uid, ImagingStudy, status="unknown", subject=made.reference("patient"),
            identifier=[Identifier(system=DICOM_UID, value=f"urn:oid:{uid}")],
            series=[_series(series_uid, instances) for series_uid, instances in series.items()],
        )
        for uid, series in studies.items()
    ]  # fmt: skip


def _series(uid: str, instances: list[DicomInstance]) -> ImagingStudySeries:
    return ImagingStudySeries(
        uid=uid,
        modality=Coding(system=SYSTEMS["DCM"], code=instances[0].modality),
        instance=[
            ImagingStudySeriesInstance(
                uid=one.instance_uid, sopClass=Coding(system=URI, code=f"urn:oid:{one.sop_class_uid}")
            )
            for one in instances
        ],
    )
