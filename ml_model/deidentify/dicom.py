"""The copy of a DICOM picture that is kept: de-identified, its pixels byte for byte, and answered the same.

By PS3.15's basic profile with the Retain UIDs option; of the patient only the age stays, which answers depend on
(Retain Patient Characteristics option; 90 and more as 90). What is written is a file of the standard whatever was sent:
an empty preamble, its own meta information, the data set in the encoding that it had. Texts inside compressed pixels
are blanked. What is in the pixels themselves stays, and is told of where the header knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from ml_model.deidentify.codestreams import encapsulated_without_texts
from ml_model.deidentify.dicom_elements import SEQUENCE, fate_of, kind_of, value_of, written
from ml_model.deidentify.kept import KeptFile
from ml_model.errors import InputTooLarge, TooCostly, UnsupportedFormat
from ml_model.inputs.dicom.elements import items_of, opened, our_errors, text_of, values_of
from ml_model.inputs.dicom.grey_levels import table_item
from ml_model.inputs.dicom.header import DicomHeader, days_of_life, read_dicom_header, stated_age
from ml_model.inputs.dicom.pixels import kind_of_pixels, native_bytes, read_pixels, stored_values
from ml_model.inputs.dicom.transfer_syntax import NATIVE, UID_ROOT
from ml_model.inputs.upload_limits import ImageLimits, check_pixels

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_DEEPEST = 8  # sequences within sequences; what is deeper goes
_MOST_ELEMENTS = 100_000
_OLD_YEARS = 90  # and more are not told apart
_DUMMY_DAY = date(1900, 1, 1)
_METHOD = "PS3.15 Basic Profile, Retain UIDs; age of the patient kept"
_METHOD_CODES = {
    "113100": "Basic Application Confidentiality Profile",
    "113108": "Retain Patient Characteristics Option",
    "113110": "Retain UIDs Option",
}
_SOP_CLASS, _SOP_INSTANCE, _PIXEL_DATA = 0x00080016, 0x00080018, 0x7FE00010
_STUDY_DATE, _BIRTH_DATE, _AGE = 0x00080020, 0x00100030, 0x00101010
_ITEM = 0xFFFEE000
_MAKES_TEXT = frozenset({"US", "OT", "SC", "XC", "ES", "GM", "SM", "IVUS", "OP", "RF", "XA", "DOC", "ECG"})


@dataclass
class _Writer:
    """Elements in one encoding. left: how many more are looked at."""

    implicit: bool
    little_endian: bool
    left: int = _MOST_ELEMENTS

    def element(self, tag: int, kind: str, value: bytes) -> bytes:
        return written(tag, kind, value, implicit=self.implicit, little_endian=self.little_endian)

    def item(self, content: bytes) -> bytes:
        return written(_ITEM, "", content, implicit=True, little_endian=self.little_endian)

    def kept(self, dataset: Dataset, depth: int = 0) -> Iterator[tuple[int, bytes]]:
        """Tag and whole element of what stays. Raises TooCostly."""
        from pydicom.dataelem import RawDataElement

        for element in dataset.elements():
            self.left -= 1
            if self.left < 0:
                raise TooCostly("the DICOM file has more elements than are looked at; send a single frame")
            tag = int(element.tag)
            if kind_of(tag) == SEQUENCE:
                if found := self._sequence(tag, element, depth):
                    yield tag, found
                continue
            if not isinstance(element, RawDataElement):
                continue  # converted already, as the character set is: no text is left that needs it
            stated = element.VR or ""
            if (value := value_of(tag, stated, element.value or b"")) is not None:
                yield tag, self.element(tag, stated or "UN", value)

    def _sequence(self, tag: int, element: Any, depth: int) -> bytes:
        """Empty where nothing of it stays."""
        fate = fate_of(tag)
        if fate == "empty":
            return self.element(tag, SEQUENCE, b"")
        if fate != "keep" or depth >= _DEEPEST or element.VR not in (None, SEQUENCE, "UN"):
            return b""
        if getattr(element, "is_little_endian", self.little_endian) != self.little_endian:
            return b""
        bodies = [b"".join(body for _, body in self.kept(item, depth + 1)) for item in _items(element)]
        return self.element(tag, SEQUENCE, b"".join(map(self.item, bodies))) if any(bodies) else b""


def _items(element: Any) -> list[Dataset]:
    """None of what cannot be read: what is not understood is not kept."""
    try:
        return items_of(element)
    except MemoryError:
        raise
    except Exception:  # pydicom meets untrusted bytes with every kind of exception
        return []


def deidentified(data: bytes, limits: ImageLimits, most_elements: int = _MOST_ELEMENTS) -> KeptFile:
    """The copy that may be kept.

    Raises the errors of `read_dicom_header`, TooCostly (more elements than `most_elements`), InputTooLarge (a deflated
    file that unfolds beyond the limit) and UnsupportedFormat (one that would be answered otherwise); where something
    was blanked within compressed pixels, also the errors of `check_pixels` and `stored_values`.
    """
    header = read_dicom_header(data)
    with our_errors(lambda: "its elements make no sense"):
        from pydicom import dcmread

        whole = dcmread(opened(data), force=True, stop_before_pixels=True)
        pixels, kind = read_pixels(header)
        copy = _file(whole, header, (pixels, kind), most_elements)
        if len(copy) > limits.max_bytes:
            raise InputTooLarge(f"the file has {len(copy)} bytes unfolded, at most {limits.max_bytes} are kept")
        read = read_dicom_header(copy)
        same = read.layout == header.layout and _looked_at(read) == _looked_at(header)
        if not (same and _has_same_pixels(header, (data, pixels), (copy, read_pixels(read)[0]), limits)):
            raise UnsupportedFormat(
                "this DICOM file cannot be kept without what names the patient and be answered the same; "
                "POST /analyze/<task> answers it without keeping it"
            )
    return KeptFile(copy, "DICOM", header.facts.frames, _warnings(whole))


def _file(whole: Dataset, header: DicomHeader, found: tuple[bytes, str], most_elements: int) -> bytes:
    (pixels, kind), (implicit, little_endian) = found, header.dataset.original_encoding
    writer = _Writer(bool(implicit), bool(little_endian), most_elements)
    elements = dict(writer.kept(whole)) | _about_deidentification(writer) | _age(writer, whole, header)
    native = header.transfer_syntax in NATIVE
    syntax = header.transfer_syntax
    if native:
        syntax = UID_ROOT if implicit else f"{UID_ROOT}.1" if little_endian else f"{UID_ROOT}.2"
        pixels = pixels[: _even(native_bytes(header, header.facts.frames))]
        elements[_PIXEL_DATA] = writer.element(_PIXEL_DATA, kind, pixels)
    else:
        pixels = encapsulated_without_texts(pixels, syntax)
        head = writer.element(_PIXEL_DATA, "OB", b"")[:-4] + b"\xff\xff\xff\xff"
        elements[_PIXEL_DATA] = head + pixels + b"\xfe\xff\xdd\xe0\0\0\0\0"
    return _meta(whole, syntax) + b"".join(elements[tag] for tag in sorted(elements))


def _even(count: int) -> int:
    return count + count % 2


def _meta(whole: Dataset, syntax: str) -> bytes:
    """Preamble and meta information, which is in one encoding always."""
    from pydicom.uid import PYDICOM_IMPLEMENTATION_UID

    writer = _Writer(implicit=False, little_endian=True)
    uids = {
        0x00020002: text_of(whole, "SOPClassUID"), 0x00020003: text_of(whole, "SOPInstanceUID"), 0x00020010: syntax,
        0x00020012: str(PYDICOM_IMPLEMENTATION_UID),
    }  # fmt: skip
    parts = [writer.element(0x00020001, "OB", b"\0\1")]
    for tag, uid in uids.items():
        value = value_of(_SOP_CLASS, "UI", uid.encode("ascii", "replace"))
        parts += [writer.element(tag, "UI", value)] if value else []
    body = b"".join(parts)
    return bytes(128) + b"DICM" + writer.element(0x00020000, "UL", len(body).to_bytes(4, "little")) + body


def _about_deidentification(writer: _Writer) -> dict[int, bytes]:
    codes = [
        writer.item(
            writer.element(0x00080100, "SH", value.encode())
            + writer.element(0x00080102, "SH", b"DCM")
            + writer.element(0x00080104, "LO", meaning.encode())
        )
        for value, meaning in _METHOD_CODES.items()
    ]
    return {
        0x00120062: writer.element(0x00120062, "CS", b"YES"),
        0x00120063: writer.element(0x00120063, "LO", _METHOD.encode()),
        0x00120064: writer.element(0x00120064, SEQUENCE, b"".join(codes)),
        0x00280303: writer.element(0x00280303, "CS", b"REMOVED"),
    }


def _age(writer: _Writer, whole: Dataset, header: DicomHeader) -> dict[int, bytes]:
    """As it was stated; else, where only dates tell it, days of no meaning that are as far from each other. Nothing of
    what no person reaches: it was not counted as an age."""
    years, stated = header.facts.patient_age_years, stated_age(whole)
    if years is None:
        return {}
    if years >= _OLD_YEARS:
        return {_AGE: writer.element(_AGE, "AS", b"090Y")}
    if stated:
        return {_AGE: writer.element(_AGE, "AS", stated.encode())}
    days_told = {_BIRTH_DATE: _DUMMY_DAY, _STUDY_DATE: _DUMMY_DAY + timedelta(days_of_life(whole) or 0)}
    return {tag: writer.element(tag, "DA", day.strftime("%Y%m%d").encode()) for tag, day in days_told.items()}


def _has_same_pixels(
    header: DicomHeader, sent: tuple[bytes, bytes], kept: tuple[bytes, bytes], limits: ImageLimits
) -> bool:
    """sent, kept: the file and its pixels. Compressed ones in which something was blanked are decoded, the first frame
    of each."""
    import numpy as np

    if header.transfer_syntax in NATIVE:
        needed = native_bytes(header, header.facts.frames)
        return kept[1][:needed] == sent[1][:needed]  # also where the last is missing: one would be added
    if kept[1] == sent[1]:
        return True
    check_pixels(kind_of_pixels(header), header.layout.columns_px, header.layout.rows_px, limits)
    before = stored_values(read_dicom_header(sent[0]), limits.max_pixels)
    try:
        after = stored_values(read_dicom_header(kept[0]), limits.max_pixels)
    except MemoryError:
        raise
    except Exception:  # a codec's: something that it needs was blanked
        return False
    return np.array_equal(before, after)


def _looked_at(header: DicomHeader) -> tuple[object, ...]:
    facts, dataset = header.facts, header.dataset
    return (
        facts.modality, facts.view_position, facts.laterality, facts.body_part, facts.pixel_spacing_mm, facts.frames,
        facts.photometric_interpretation, *(text_of(dataset, word) for word in ("WindowCenter", "WindowWidth")),
        *(text_of(dataset, word) for word in ("RescaleSlope", "RescaleIntercept", "PixelPaddingValue")),
        *(_table(dataset, word) for word in ("ModalityLUTSequence", "VOILUTSequence")),
    )  # fmt: skip


def _table(dataset: Dataset, keyword: str) -> tuple[list[Any], ...]:
    item = table_item(dataset, keyword)
    return () if item is None else (values_of(item, "LUTDescriptor"), values_of(item, "LUTData"))


def _warnings(whole: Dataset) -> tuple[str, ...]:
    told = text_of(whole, "BurnedInAnnotation").upper()
    if told == "YES":
        return (
            "the header says that text is burned into the pixels, which are kept as they are: "
            "delete the file where that text names the patient",
        )
    if told != "NO" and text_of(whole, "Modality") in _MAKES_TEXT:
        return (
            "devices of this kind often burn text into the pixels, and the header does not say whether there is any: "
            "the pixels are kept as they are, delete the file where they name the patient",
        )
    return ()
