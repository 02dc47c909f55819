"""What becomes of one data element, and how elements are written: PS3.15's basic profile with the Retain UIDs option.

The profile's table says what becomes of the attributes in it. Of all others only what cannot hold a text stays:
numbers, UIDs, code words that are listed here, tables of grey levels, and sequences of these.
"""

from __future__ import annotations

import functools
import re
import struct
import tomllib
from pathlib import Path
from typing import Literal

from ml_model.inputs.dicom.elements import TABLES

PROFILE = Path(__file__).with_name("basic_profile.toml")
SEQUENCE = "SQ"
Fate = Literal["keep", "empty", "replace", "remove"]
# Of what the standard leaves open, what every kind of picture is whole with.
_FATES: dict[str, Fate] = {
    "X": "remove", "X/D": "remove", "X/Z": "empty", "X/Z/D": "empty", "X/Z/U*": "keep", "Z": "empty", "Z/D": "empty",
    "D": "replace", "U": "keep",
}  # fmt: skip
_DUMMIES = {"DA": b"19000101", "TM": b"000000", "DT": b"19000101000000", "PN": b"REMOVED", "LO": b"REMOVED"}
_DUMMIES |= dict.fromkeys(("SH", "ST", "LT", "UT", "UC", "AE"), b"REMOVED")
_CURVES_AND_OVERLAYS = (0x50, 0x60)  # the high byte of their groups, which repeat
_PIXELS = 0x7FE0
_OFFSETS_OF_FRAMES = frozenset({0x7FE00001, 0x7FE00002})
_NUMBER_BYTES = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "UV": 8, "SV": 8, "FL": 4, "FD": 8, "AT": 4}
_BINARY = frozenset(_NUMBER_BYTES)
_TABLE_KINDS = frozenset({"", "UN", "US", "SS", "OW"})
_BULK = frozenset({"OB", "OW", "OF", "OD", "OL", "OV"})
_LONG = _BULK | {"SQ", "UN", "UC", "UR", "UT", "SV", "UV"}  # their lengths take four bytes
_MAX_NUMBERS_BYTES = 64 * 2**10
_NUMBERS, _UID = re.compile(rb"[\d.+\-eE \\]*\0?"), re.compile(rb"[\d.\\]*[\0 ]?")
_WORD = re.compile(rb"[ -~]{8}")
_CODES = re.compile(rb"[A-Za-z0-9_ \\]*\0?")
_CODE_WORDS = """
    Modality PhotometricInterpretation ViewPosition Laterality ImageLaterality FrameLaterality VOILUTFunction
    PresentationLUTShape PixelIntensityRelationship BurnedInAnnotation ImageType FrameType LossyImageCompression
    LossyImageCompressionMethod ConversionType PatientOrientation PatientPosition BodyPartExamined PixelPresentation
    VolumetricProperties RecognizableVisualFeatures PositionerType ScanningSequence SequenceVariant MRAcquisitionType
    FieldOfViewShape FilterType ColorSpace DimensionOrganizationType
"""


@functools.cache
def _profile() -> dict[int, Fate]:
    table = tomllib.loads(PROFILE.read_text(encoding="utf-8"))
    return {int(tag, 16): _FATES[letters] for letters, tags in table.items() for tag in tags.split()}


@functools.cache
def _code_word_tags() -> frozenset[int]:
    from pydicom.datadict import tag_for_keyword

    return frozenset(tag for word in _CODE_WORDS.split() if (tag := tag_for_keyword(word)) is not None)


def kind_of(tag: int) -> str:
    """What the standard says that its value is (US, "US or SS", SQ); empty for what it does not know."""
    from pydicom.datadict import dictionary_has_tag, dictionary_VR

    return dictionary_VR(tag) if dictionary_has_tag(tag) else ""


def fate_of(tag: int) -> Fate:
    """What becomes of an attribute: kept, as far as `value_of` lets it, emptied, replaced or removed."""
    group = tag >> 16
    if group < 8 or group % 2 or group >> 8 in _CURVES_AND_OVERLAYS:
        return "remove"
    if group > _PIXELS or (group == _PIXELS and tag not in _OFFSETS_OF_FRAMES):
        return "remove"
    return _profile().get(tag, "keep")


def value_of(tag: int, stated: str, value: bytes) -> bytes | None:
    """The value that is kept of an element that is no sequence; None where it goes. stated: the kind that the file
    says; empty where it says none."""
    known, fate = kind_of(tag), fate_of(tag)
    if fate == "remove" or not known or known == SEQUENCE:
        return None
    if fate == "empty":
        return b""
    if fate == "replace":
        return _DUMMIES.get(known)
    return value if _is_harmless(tag, known, stated, value) else None


def _is_harmless(tag: int, known: str, stated: str, value: bytes) -> bool:
    if tag in TABLES:
        return stated in _TABLE_KINDS and len(value) % 2 == 0  # a byte is added to others, and they could be read then
    if tag in _OFFSETS_OF_FRAMES:  # of eight bytes each, little endian, in a file of less than 4 GiB
        return not any(any(value[place::8]) for place in range(4, 8))
    if len(value) > _MAX_NUMBERS_BYTES:
        return False
    binary = {"", "UN", *_BINARY}
    if set(known.split(" or ")) & _BINARY and stated in binary:
        return _is_numbers(tag, stated if stated in _BINARY else known[:2], value)
    if known in ("DS", "IS") or set(known.split(" or ")) & _BINARY:
        return _NUMBERS.fullmatch(value) is not None
    if known == "UI":
        return _UID.fullmatch(value) is not None
    return known == "CS" and tag in _code_word_tags() and _CODES.fullmatch(value) is not None


def _is_numbers(tag: int, kind: str, value: bytes) -> bool:
    """As many as the standard says; where it leaves that open, none that could be read as a word."""
    from pydicom.datadict import dictionary_VM

    count, most = len(value) // _NUMBER_BYTES[kind], dictionary_VM(tag)
    if len(value) % _NUMBER_BYTES[kind]:
        return False
    return count <= int(most) if most.isdigit() else _WORD.search(value) is None


def written(tag: int, kind: str, value: bytes, *, implicit: bool, little_endian: bool) -> bytes:
    """One element, its value as long as it is."""
    order = "<" if little_endian else ">"
    value += b"\0" * (len(value) % 2) if kind in _BULK or kind in ("UI", "UN", SEQUENCE) else b" " * (len(value) % 2)
    head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
    if implicit:
        return head + struct.pack(f"{order}I", len(value)) + value
    if kind in _LONG:
        return head + kind.encode() + struct.pack(f"{order}HI", 0, len(value)) + value
    return head + kind.encode() + struct.pack(f"{order}H", len(value)) + value
