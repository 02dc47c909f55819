"""By which UIDs a DICOM file is known where it came from. They name no person: PS3.15's Retain UIDs option."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ml_model.inputs.dicom.elements import opened, our_errors, text_of
from ml_model.inputs.file_type import sniff_format

_UID, _MODALITY = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+"), re.compile(r"[A-Z]{2,16}")
_MOST_UID = 64  # characters
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")


@dataclass(frozen=True)
class DicomInstance:
    """One object of a study. modality: as DICOM's table C.7.3.1.1.1 has it."""

    study_uid: str
    series_uid: str
    instance_uid: str
    sop_class_uid: str
    modality: str


def read_instance(data: bytes) -> DicomInstance | None:
    """None of what is no DICOM file, or of one that does not name itself.

    Raises UnreadableInput, InputTooLarge and TooCostly.
    """
    if sniff_format(data) != "DICOM":
        return None
    with our_errors(lambda: "its header makes no sense"):
        from pydicom import dcmread

        dataset = dcmread(opened(data), force=True, stop_before_pixels=True, specific_tags=[*_UIDS, "Modality"])
        uids, modality = [text_of(dataset, word) for word in _UIDS], text_of(dataset, "Modality")
    if not _MODALITY.fullmatch(modality) or not all(len(uid) <= _MOST_UID and _UID.fullmatch(uid) for uid in uids):
        return None
    study_uid, series_uid, instance_uid, sop_class_uid = uids
    return DicomInstance(study_uid, series_uid, instance_uid, sop_class_uid, modality)
