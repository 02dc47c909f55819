"""What all objects of one answer share: the study that they lie in, who made them, what they were made from, and that
they are for research.

Whose study it is comes in last (`finished`), past every library that might tell a name in a log.
"""

from __future__ import annotations

import io
import uuid
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from highdicom import UID
from highdicom.base import SOPClass
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from backend.schemas.records import DICOM_OBJECTS, DicomObject
from backend.services.interop.answered import AnsweredCase
from backend.services.rendering.messages import DISCLAIMER, SERVICE_NAME, service_version
from ml_model.inputs.dicom.study import SourceImage

RESEARCH = "FOR RESEARCH USE ONLY"
_FIRST_SERIES = 9001  # far from those of devices
_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber",
    "StudyID", "ReferringPhysicianName",
)  # fmt: skip
_SAID = (*_EMPTY, "IssuerOfPatientID", "PatientAge", "StudyDescription")


@dataclass(frozen=True)
class Study:
    """Of one answer. frame: the one that was answered, from 1, of a source of several. region: x, y, width and height
    of the map's peak, in the source's pixels."""

    case: AnsweredCase
    source: SourceImage
    frame: int | None = None
    region: tuple[int, int, int, int] | None = None

    def uid(self, name: str) -> UID:
        """The same for the same answer and name, another for any other (PS3.5 B.2: a UUID as a number)."""
        return uid_of(self.case.record_id, name)

    def evidence(self) -> Dataset:
        """The source as libraries want it: its references and shape, and nobody's."""
        made, source = Dataset(), self.source
        for word in _EMPTY:
            setattr(made, word, "")
        made.StudyInstanceUID, made.SeriesInstanceUID = source.instance.study_uid, source.instance.series_uid
        made.SOPInstanceUID, made.SOPClassUID = source.instance.instance_uid, source.instance.sop_class_uid
        made.Modality, made.SpecificCharacterSet = source.instance.modality, "ISO_IR 192"
        made.Rows, made.Columns = source.rows_px, source.columns_px
        for word, told in source.compression.items():
            setattr(made, word, told)
        if source.frames > 1:
            made.NumberOfFrames = source.frames
        if source.frame_of_reference_uid:
            made.FrameOfReferenceUID = source.frame_of_reference_uid
            for word, numbers in source.places.items():
                setattr(made, word, list(numbers) if len(numbers) > 1 else numbers[0])
        return made

    def series(self, name: DicomObject, title: str) -> dict[str, Any]:
        """What every object is made with. name: of the object."""
        model = self.case.answer.model
        return {
            "series_instance_uid": self.uid(f"series/{name}"), "sop_instance_uid": self.uid(name),
            "series_number": _FIRST_SERIES + DICOM_OBJECTS.index(name), "instance_number": 1,
            "series_description": f"{SERVICE_NAME} {title} - {RESEARCH}"[:64], "manufacturer": SERVICE_NAME,
            "manufacturer_model_name": f"{model.task} {model.version or ''}".strip()[:64],
            "software_versions": service_version()[:64], "device_serial_number": (model.sha256 or "none")[:64],
        }  # fmt: skip

    def bare(self, name: DicomObject, title: str, sop_class: str, modality: str) -> SOPClass:
        """An object to which its own modules are to be added."""
        return SOPClass(
            **self.series(name, title), study_instance_uid=self.source.instance.study_uid, sop_class_uid=sop_class,
            modality=modality, transfer_syntax_uid=ExplicitVRLittleEndian, specific_character_set="ISO_IR 192",
        )  # fmt: skip

    def reference(self) -> Dataset:
        """To the source, and of it to the frame."""
        made, instance = Dataset(), self.source.instance
        made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = instance.sop_class_uid, instance.instance_uid
        if self.frame is not None:
            made.ReferencedFrameNumber = self.frame
        return made

    def finished(self, made: Dataset) -> bytes:
        """A file of PS3.10: of the same answer always the same bytes."""
        at = self.case.answered_at.astimezone(UTC)
        made.InstanceCreationDate = made.SeriesDate = f"{at:%Y%m%d}"
        made.InstanceCreationTime = made.SeriesTime = f"{at:%H%M%S}"
        made.TimezoneOffsetFromUTC = "+0000"
        if "ContentDate" in made:
            made.ContentDate, made.ContentTime = made.InstanceCreationDate, made.InstanceCreationTime
        for dimension in (*made.get("DimensionOrganizationSequence", ()), *made.get("DimensionIndexSequence", ())):
            dimension.DimensionOrganizationUID = self.uid("dimension")
        for equipment in made.get("ContributingEquipmentSequence", ()):
            equipment.ContributionDateTime = f"{at:%Y%m%d%H%M%S}+0000"
        for word in _EMPTY:
            setattr(made, word, "")
        for word in _SAID:
            if word in self.source.said:
                setattr(made, word, self.source.said[word])
        written = io.BytesIO()
        made.save_as(written, enforce_file_format=True)
        return written.getvalue()


def uid_of(record_id: uuid.UUID, name: str) -> UID:
    return UID(f"2.25.{uuid.uuid5(record_id, f'dicom/{name}').int}")


def source_item(study: Study) -> Dataset:
    """The source as that of a derived picture."""
    item = study.reference()
    item.PurposeOfReferenceCodeSequence = [coded(codes.DCM.SourceImageForImageProcessingOperation)]
    return item


def coded(code: Any) -> Dataset:
    """A code as an item of a sequence."""
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return made


def marked(made: Dataset) -> None:
    """What reads the object is told that it is for research, in its content."""
    made.ContentQualification = "RESEARCH"
    made.ImageComments = DISCLAIMER
