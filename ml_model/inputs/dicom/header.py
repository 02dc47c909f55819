"""Headers of DICOM files by pydicom: facts, pixel layout and refusals, before any pixel is read.

No patient data but the age, and a hash that tells persons apart, leave this module, and nothing is logged.
pydicom and the codecs are imported only when a DICOM file arrives.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from ml_model.errors import UnsupportedFormat
from ml_model.inputs.dicom.elements import (
    MIN_BYTES,
    BoundedStream,
    corrupt,
    decimals,
    first_item,
    integer,
    item_of,
    opened,
    our_errors,
    require_short,
    text_of,
    truncated,
)
from ml_model.inputs.dicom.presentation import frame_of
from ml_model.inputs.dicom.terms import Laterality, body_part_of, laterality_of, modality_of, view_of
from ml_model.inputs.dicom.transfer_syntax import NATIVE, UID_ROOT, codec_of, instead_of, uid_name

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# fmt: off
_TAGS = [
    "SOPClassUID", "StudyDate", "Modality", "PatientName", "PatientID", "PatientBirthDate", "PatientAge",
    "ImagerPixelSpacing", "BodyPartExamined", "ViewPosition", "Laterality", "ImageLaterality",
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns",
    "PixelSpacing", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "WindowCenter", "WindowWidth", "RescaleIntercept", "RescaleSlope", "VOILUTFunction",
    "ModalityLUTSequence", "VOILUTSequence", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
]
# fmt: on
_TAGS += [
    f"{colour}PaletteColorLookupTable{what}" for colour in ("Red", "Green", "Blue") for what in ("Descriptor", "Data")
]
_TAGS += [f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")]
_GREY = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"})
_COLOUR = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT"})
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_DAYS_PER_YEAR = 365.25
_AGE_UNITS_YEARS = {"D": 1 / _DAYS_PER_YEAR, "W": 7 / _DAYS_PER_YEAR, "M": 1 / 12, "Y": 1.0}
_MAX_AGE_YEARS = 130


@dataclass(frozen=True)
class DicomFacts:
    """What the header says about the picture; None where it is silent or makes no sense. Words: those of `terms.py`."""

    modality: str | None  # DX, CR, CT, MR, US, MG ...; UNKNOWN_MODALITY where it is none of DICOM's
    view_position: str | None  # PA, AP, MLO ...
    patient_age_years: float | None
    pixel_spacing_mm: tuple[float, float] | None  # between rows, between columns; at the detector for radiographs
    photometric_interpretation: str
    frames: int
    laterality: Laterality | None = None  # L, R, B, U; of a paired part of the body
    body_part: str | None = None  # CHEST, BREAST, HEAD ...
    frame: int = 1  # the one that is shown, from 1
    # Tells persons apart; of the patient's id, or of name and date of birth.
    person_sha256: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class PixelLayout:
    """How stored values are laid out."""

    rows_px: int
    columns_px: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    planar: bool


@dataclass(frozen=True)
class DicomHeader:
    """A checked header, before any pixel is read. `stream` stands at the pixels."""

    facts: DicomFacts
    layout: PixelLayout
    dataset: Dataset
    transfer_syntax: str  # UID
    stream: BoundedStream


def read_dicom_header(data: bytes, frame: int | None = None) -> DicomHeader:
    """Facts and pixel layout of a file that `sniff_format` called DICOM. frame: which one is shown, from 1; None: the
    middle one, of two the first.

    Raises UnsupportedFormat (no picture in it, or compressed in a way that is not read), InvalidValue (no such frame),
    UnreadableInput (truncated, corrupt), InputTooLarge (deflated beyond all measure), TooCostly.
    """
    with our_errors(lambda: "its header makes no sense"):
        from pydicom import dcmread

        stream = opened(data)
        # Forced: the content was recognised before, and old files have no preamble.
        dataset = dcmread(stream, force=True, stop_before_pixels=True, specific_tags=list(_TAGS))
        implicit, little_endian = dataset.original_encoding
        for element in dataset.elements():
            require_short(element)
        stated = dataset.file_meta.get("TransferSyntaxUID")
        syntax = stated or (UID_ROOT if implicit else f"{UID_ROOT}.1" if little_endian else f"{UID_ROOT}.2")
        _require_pixels(dataset, stream, syntax)
        photometric, layout = _layout(dataset)
        return DicomHeader(_facts(dataset, photometric, frame), layout, dataset, syntax, stream)


def _require_pixels(dataset: Dataset, stream: BoundedStream, syntax: str) -> None:
    """Raises UnsupportedFormat or UnreadableInput unless there are integer pixels that can be decoded."""
    start = stream.tell()
    head = stream.read(4)
    stream.seek(start)
    at_pixels = head in (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
    if (at_pixels or "Rows" in dataset) and not (syntax in NATIVE or codec_of(syntax, 8)):
        raise UnsupportedFormat(
            f"pixels in the DICOM transfer syntax {uid_name(syntax)} are not decoded here; {instead_of(syntax)}"
        )
    if at_pixels:
        return
    if head:  # pydicom stops at three elements
        raise UnsupportedFormat("a DICOM file of floating-point values is a map, no picture; send the picture itself")
    # It describes a picture and ends before it, or ends before its first element does.
    if "Rows" in dataset or stream.getbuffer().nbytes < MIN_BYTES:
        raise truncated()
    kind = uid_name(text_of(dataset, "SOPClassUID"))
    instead = "send it in the field record" if "Waveform" in kind else "send an image object"
    raise UnsupportedFormat(f"a DICOM file of SOP class {kind} holds no picture; {instead}")


def frame_item(dataset: Dataset, keyword: str, frame: int) -> Dataset:
    """A frame's item of a functional group; of enhanced multi-frame objects. frame: from 1."""
    of_frame = first_item(item_of(dataset, "PerFrameFunctionalGroupsSequence", frame), keyword)
    return of_frame if len(of_frame) else first_item(first_item(dataset, "SharedFunctionalGroupsSequence"), keyword)


def _layout(dataset: Dataset) -> tuple[str, PixelLayout]:
    """Photometric interpretation and layout. Raises UnreadableInput (contradictory), UnsupportedFormat."""
    for keyword in ("Rows", "Columns", "BitsAllocated"):
        if not decimals(dataset, keyword):
            raise corrupt(f"the element {keyword} is missing")
    samples, allocated = integer(dataset, "SamplesPerPixel", 1), integer(dataset, "BitsAllocated", 0)
    photometric = text_of(dataset, "PhotometricInterpretation").upper() or ("MONOCHROME2" if samples == 1 else "RGB")
    if photometric not in _GREY | _COLOUR or samples not in (1, 3) or allocated not in (1, 8, 16, 32):
        raise UnsupportedFormat(
            f"a DICOM picture of {samples} samples of {allocated} bits in the colour space {photometric[:16]!r} is not "
            "read; export it as MONOCHROME2 or RGB of 8 or 16 bits"
        )
    if (photometric in _GREY) != (samples == 1):
        raise corrupt(f"{samples} samples a pixel contradict {photometric}")
    stored = integer(dataset, "BitsStored", allocated)
    if not 1 <= stored <= allocated:
        raise corrupt(f"{stored} bits stored do not fit into {allocated}")
    high_bit = integer(dataset, "HighBit", stored - 1)
    return photometric, PixelLayout(
        rows_px=integer(dataset, "Rows", 0),
        columns_px=integer(dataset, "Columns", 0),
        samples=samples,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high_bit if stored <= high_bit + 1 <= allocated else stored - 1,
        signed=integer(dataset, "PixelRepresentation", 0) == 1 and allocated > 1,
        planar=samples == 3 and integer(dataset, "PlanarConfiguration", 0) == 1,
    )


def _facts(dataset: Dataset, photometric: str, asked: int | None) -> DicomFacts:
    frames = max(1, integer(dataset, "NumberOfFrames", 1))
    frame = frame_of(asked, frames)
    return DicomFacts(
        modality=modality_of(text_of(dataset, "Modality")),
        view_position=view_of(text_of(dataset, "ViewPosition")),
        patient_age_years=_age_years(dataset),
        pixel_spacing_mm=_spacing_mm(dataset, frame),
        photometric_interpretation=photometric,
        frames=frames,
        laterality=laterality_of(text_of(dataset, "ImageLaterality") or text_of(dataset, "Laterality")),
        body_part=body_part_of(text_of(dataset, "BodyPartExamined")),
        frame=frame,
        person_sha256=person_of(dataset),
    )


def person_of(dataset: Dataset) -> str | None:
    """A hash that tells persons apart, of the patient's id, or of name and date of birth; None without either."""
    told = text_of(dataset, "PatientID")
    if not told and text_of(dataset, "PatientName"):
        told = f"{text_of(dataset, 'PatientName')} {text_of(dataset, 'PatientBirthDate')}"
    return hashlib.sha256(told.encode()).hexdigest() if told else None


def _age_years(dataset: Dataset) -> float | None:
    """From the age at the examination; where that is missing, from the dates of birth and study."""
    if stated := stated_age(dataset):
        years = int(stated[:-1]) * _AGE_UNITS_YEARS[stated[-1]]
    elif (days := days_of_life(dataset)) is not None:
        years = days / _DAYS_PER_YEAR
    else:
        return None
    return years if 0 <= years <= _MAX_AGE_YEARS else None


def stated_age(dataset: Dataset) -> str:
    """As it is written (052Y); empty where it is not. Anonymisers write 000Y; that of a newborn is given in days."""
    text = text_of(dataset, "PatientAge")
    return text if _AGE.fullmatch(text) and text != "000Y" else ""


def days_of_life(dataset: Dataset) -> int | None:
    """From birth to examination; None where a date is missing."""
    born, studied = _date(text_of(dataset, "PatientBirthDate")), _date(text_of(dataset, "StudyDate"))
    return None if born is None or studied is None else (studied - born).days


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{8}", text) else None
    except ValueError:
        return None


def _spacing_mm(dataset: Dataset, frame: int) -> tuple[float, float] | None:
    measured = frame_item(dataset, "PixelMeasuresSequence", frame)
    for source, keyword in ((dataset, "PixelSpacing"), (measured, "PixelSpacing"), (dataset, "ImagerPixelSpacing")):
        spacing = decimals(source, keyword)
        if len(spacing) == 2 and min(spacing) > 0:
            return spacing[0], spacing[1]
    return None
