"""What of a picture's header belongs to whatever is made of it and put beside it in its study: whose it is, and where
its pixels lie in the body (PS3.3 C.7.1 to C.7.6.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ml_model.inputs.dicom.elements import decimals, opened, our_errors, text_of, values_of
from ml_model.inputs.dicom.header import DicomFacts, read_dicom_header
from ml_model.inputs.dicom.instances import DicomInstance, read_instance

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# Longest texts of the kinds of value, in characters; what is longer, or has signs of control, is no such text.
_LO, _SH, _PN = 64, 16, 192
_LONGEST = {
    "PatientName": _PN, "PatientID": _LO, "IssuerOfPatientID": _LO, "StudyDescription": _LO, "AccessionNumber": _SH,
    "StudyID": _SH, "ReferringPhysicianName": _PN,
}  # fmt: skip
_DATE = re.compile(r"[0-9]{8}")
_SHAPES = {
    "PatientBirthDate": _DATE, "PatientSex": re.compile(r"[MFO]"), "PatientAge": re.compile(r"[0-9]{3}[DWMY]"),
    "StudyDate": _DATE, "StudyTime": re.compile(r"[0-9]{2}([0-9]{2}([0-9]{2}(\.[0-9]{1,6})?)?)?"),
}  # fmt: skip
# How many numbers each has.
_PLACES = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2, "SliceThickness": 1}
_ALSO = ["FrameOfReferenceUID", "ContentQualification", "BurnedInAnnotation"]
_COMPRESSED = {
    "LossyImageCompression": re.compile(r"01"),
    "LossyImageCompressionRatio": re.compile(r"[0-9.]{1,16}"),
    "LossyImageCompressionMethod": re.compile(r"[A-Z0-9_]{1,16}"),
}
_UID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")


@dataclass(frozen=True)
class SourceImage:
    """A picture that was answered. names_nobody: whether its header says that its pixels name no one. for_research:
    whether it says that it is a product of research, as those of this service do. laterality: R or L, else empty.
    places: position (mm), orientation (cosines), spacing and thickness (mm) of its pixels, by keyword,
    all or none of them; frame_of_reference_uid: within which they lie. compression: what was lost, by keyword. said: of
    its patient and study, by keyword; empty where nothing is said or nothing shall be. facts: what kind of picture the
    header says it is; None of one of our own making."""

    instance: DicomInstance
    rows_px: int
    columns_px: int
    frames: int
    names_nobody: bool = False
    for_research: bool = False
    laterality: str = ""
    frame_of_reference_uid: str = ""
    places: dict[str, tuple[float, ...]] = field(default_factory=dict)
    compression: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict, repr=False)
    facts: DicomFacts | None = None


def read_source(data: bytes, *, with_patient: bool) -> SourceImage | None:
    """Of a file; None of what names no study by DICOM. with_patient: whether it is told whose it is.

    Raises the errors of `read_dicom_header`.
    """
    instance = read_instance(data)
    if instance is None:
        return None
    header = read_dicom_header(data)
    facts, layout = header.facts, header.layout
    with our_errors(lambda: "its header makes no sense"):
        from pydicom import dcmread

        wanted = [*_LONGEST, *_SHAPES, *_PLACES, *_COMPRESSED, *_ALSO]
        dataset = dcmread(opened(data), force=True, stop_before_pixels=True, specific_tags=list(wanted))
        uid, places = _places(dataset) if facts.frames == 1 else ("", {})
        return SourceImage(
            instance, layout.rows_px, layout.columns_px, facts.frames, facts=facts, compression=_compression(dataset),
            frame_of_reference_uid=uid,
            names_nobody=text_of(dataset, "BurnedInAnnotation").upper() == "NO", places=places,
            laterality=facts.laterality if facts.laterality in ("R", "L") else "",
            for_research=text_of(dataset, "ContentQualification") == "RESEARCH",
            said=_said(dataset) if with_patient else {},
        )  # fmt: skip


def _places(dataset: Dataset) -> tuple[str, dict[str, tuple[float, ...]]]:
    places = {word: tuple(decimals(dataset, word)) for word in _PLACES}
    uid = text_of(dataset, "FrameOfReferenceUID")
    whole = all(len(places[word]) == count for word, count in _PLACES.items()) and min(places["PixelSpacing"]) > 0
    return (uid, places) if whole and len(uid) <= _LO and _UID.fullmatch(uid) else ("", {})


def _compression(dataset: Dataset) -> dict[str, str]:
    told = {word: text_of(dataset, word) for word in _COMPRESSED}
    whole = all(shape.fullmatch(told[word]) for word, shape in _COMPRESSED.items())
    return told if whole else {}


def _said(dataset: Dataset) -> dict[str, str]:
    """What is no value of its kind is left out: it could not be written, and is told nowhere."""
    told = {word: str(next(iter(values_of(dataset, word)), "")).strip(" \0") for word in (*_LONGEST, *_SHAPES)}
    return {
        word: text
        for word, text in told.items()
        if text and (_fits(word, text) if word in _LONGEST else _SHAPES[word].fullmatch(text))
    }


def _fits(word: str, text: str) -> bool:
    return len(text) <= _LONGEST[word] and not _CONTROL.search(text)
