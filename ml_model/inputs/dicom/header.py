"""Headers of DICOM files by pydicom: facts, pixel layout and refusals, before any pixel is read.

No patient data but the age leaves this module, and nothing is logged. pydicom and the
codecs are imported only when a DICOM file arrives.
"""

from __future__ import annotations

import functools
import io
import logging
import math
import re
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from ml_model.errors import InputTooLarge, MediDiagnoseError, UnreadableInput, UnsupportedFormat

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# fmt: off
_TAGS = [
    "SOPClassUID", "StudyDate", "Modality", "PatientBirthDate", "PatientAge", "ImagerPixelSpacing", "ViewPosition",
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
_UID = "1.2.840.10008.1.2"
_DEFLATED = f"{_UID}.1.99"
NATIVE = frozenset({_UID, f"{_UID}.1", f"{_UID}.2", _DEFLATED})
_LOSSY_JPEG = frozenset({f"{_UID}.4.50", f"{_UID}.4.51"})
JPEG_2000 = frozenset({f"{_UID}.4.90", f"{_UID}.4.91"})
JPEG_LS = frozenset({f"{_UID}.4.80", f"{_UID}.4.81"})
JPEG = _LOSSY_JPEG | JPEG_LS | {f"{_UID}.4.57", f"{_UID}.4.70"}
RLE = f"{_UID}.5"
_MAX_READS = 100_000  # two or three an element; an enhanced series of 200 frames has half of it
_MAX_INFLATED_BYTES = 256 * 2**20
_MIN_BYTES = 132 + 8  # preamble and one empty element
_MAX_NUMBER = 1e12  # larger ones overflow later and mean nothing
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_DAYS_PER_YEAR = 365.25
_AGE_UNITS_YEARS = {"D": 1 / _DAYS_PER_YEAR, "W": 7 / _DAYS_PER_YEAR, "M": 1 / 12, "Y": 1.0}
_MAX_AGE_YEARS = 130
_CODE = re.compile(r"[A-Z0-9_ ]{1,16}")
_SETTING_UP = threading.Lock()


@dataclass(frozen=True)
class DicomFacts:
    """What the header says about the picture; None where it is silent or makes no sense."""

    modality: str | None  # DX, CR, CT, MR, US, MG ...
    view_position: str | None  # PA, AP, MLO ...
    patient_age_years: float | None
    pixel_spacing_mm: tuple[float, float] | None  # between rows, between columns; at the detector for radiographs
    photometric_interpretation: str
    frames: int


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


class BoundedStream(io.BytesIO):
    """Refuses what pydicom would take memory and minutes for, and skipping beyond the end, which it ignores."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > _MAX_READS:
            raise corrupt(f"its header takes more than {_MAX_READS} reads")
        return super().read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence == 0 and offset > self.getbuffer().nbytes:
            raise truncated()
        return super().seek(offset, whence)


def truncated() -> UnreadableInput:
    return UnreadableInput(
        "the content starts as DICOM but is truncated (the file ends before the picture does); "
        "export the picture again and resend it"
    )


def corrupt(what: str) -> UnreadableInput:
    return UnreadableInput(f"the content starts as DICOM but is corrupt ({what}); export the picture again")


def read_dicom_header(data: bytes) -> DicomHeader:
    """Facts and pixel layout of a file that `sniff_format` called DICOM.

    Raises UnsupportedFormat (no picture in it, or compressed in a way that is not read),
    UnreadableInput (truncated, corrupt), InputTooLarge (deflated beyond all measure).
    """
    with our_errors(lambda: "its header makes no sense"):
        from pydicom import dcmread

        stream = BoundedStream(inflated(data))
        # Forced: the content was recognised before, and old files have no preamble.
        dataset = dcmread(stream, force=True, stop_before_pixels=True, specific_tags=list(_TAGS))
        implicit, little_endian = dataset.original_encoding
        stated = dataset.file_meta.get("TransferSyntaxUID")
        syntax = stated or (_UID if implicit else f"{_UID}.1" if little_endian else f"{_UID}.2")
        _require_pixels(dataset, stream, syntax)
        photometric, layout = _layout(dataset)
        return DicomHeader(_facts(dataset, photometric), layout, dataset, syntax, stream)


def set_up_pydicom() -> None:
    """No values in logs, and our decoder beside pydicom's: once a process, however many threads ask at the same time.

    The service asks when it starts, everything else when the first DICOM file arrives.
    """
    with _SETTING_UP:  # a cache alone lets several threads in, and pydicom refuses a plugin that it has
        _register_decoders()


@functools.cache
def _register_decoders() -> None:
    from pydicom import config
    from pydicom.pixels.decoders.base import get_decoder

    config.settings.reading_validation_mode = config.IGNORE
    logger = logging.getLogger("pydicom")
    logger.setLevel(logging.CRITICAL + 1)
    logger.propagate = False
    for syntax in sorted(JPEG - {f"{_UID}.4.50"} | {RLE}):
        get_decoder(syntax).add_plugin("imagecodecs", ("ml_model.inputs.dicom.pixels", "decode_frame"))


def _ignore_warnings() -> None:
    """pydicom's warnings quote values. The filters are touched only where needed: threads share them."""
    for module in (r"pydicom", r"PIL\.Image$"):
        wanted = ("ignore", None, Warning, re.compile(module), 0)
        if wanted not in warnings.filters[:2]:
            warnings.filterwarnings("ignore", module=module)


@contextmanager
def our_errors(what: Callable[[], str]) -> Iterator[None]:
    try:
        set_up_pydicom()
        _ignore_warnings()
        yield
    except MediDiagnoseError:
        raise
    except MemoryError as error:
        raise InputTooLarge("the DICOM picture does not fit into this server's memory; send a smaller one") from error
    except Exception as error:  # pydicom and codecs meet untrusted bytes with every kind of exception
        raise corrupt(what()) from error


def inflated(data: bytes) -> bytes:
    """A deflated data set as an uncompressed one, bounded; anything else as it is."""
    from pydicom.filereader import read_dataset, read_preamble

    stream = BoundedStream(data)
    read_preamble(stream, force=True)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, _vr, _length: tag >> 16 != 2)
    if meta.get("TransferSyntaxUID") != _DEFLATED:
        return data
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = inflater.decompress(memoryview(data)[stream.tell() :], _MAX_INFLATED_BYTES)
    if not inflater.eof and len(inflated) >= _MAX_INFLATED_BYTES:
        raise InputTooLarge(
            f"the DICOM file inflates to more than {_MAX_INFLATED_BYTES // 2**20} MiB; send a single frame"
        )
    if not inflater.eof:
        raise truncated()
    plain = f"{_UID}.1".encode().ljust(len(_DEFLATED), b"\0")
    return data[: stream.tell()].replace(_DEFLATED.encode(), plain) + inflated


def uid_name(uid: str) -> str:
    """The registered name of a UID, or the UID itself; only for messages."""
    from pydicom.uid import UID

    return UID(uid).name if re.fullmatch(r"[\d.]{1,64}", uid) else "not stated"


def codec_of(syntax: str, bits_stored: int) -> str:
    """pydicom's name of the codec for a compressed transfer syntax; empty where there is none.

    Never gdcm, even where it is installed: damaged files end its process.
    """
    from pydicom.pixels.decoders.base import get_decoder

    name = "pillow" if syntax in JPEG_2000 or (syntax in _LOSSY_JPEG and bits_stored == 8) else "imagecodecs"
    try:
        return name if name in get_decoder(syntax).available_plugins else ""
    except NotImplementedError:
        return ""


def _require_pixels(dataset: Dataset, stream: BoundedStream, syntax: str) -> None:
    """Raises UnsupportedFormat or UnreadableInput unless there are integer pixels that can be decoded."""
    start = stream.tell()
    head = stream.read(4)
    stream.seek(start)
    at_pixels = head in (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
    if (at_pixels or "Rows" in dataset) and not (syntax in NATIVE or codec_of(syntax, 8)):
        raise UnsupportedFormat(
            f"pixels in the DICOM transfer syntax {uid_name(syntax)} are not decoded here; "
            "export the picture uncompressed or as JPEG 2000"
        )
    if at_pixels:
        return
    if head:  # pydicom stops at three elements
        raise UnsupportedFormat("a DICOM file of floating-point values is a map, no picture; send the picture itself")
    # It describes a picture and ends before it, or ends before its first element does.
    if "Rows" in dataset or stream.getbuffer().nbytes < _MIN_BYTES:
        raise truncated()
    kind = uid_name(text_of(dataset, "SOPClassUID"))
    instead = "send it in the field record" if "Waveform" in kind else "send an image object"
    raise UnsupportedFormat(f"a DICOM file of SOP class {kind} holds no picture; {instead}")


def values_of(dataset: Dataset, keyword: str) -> list[Any]:
    """What is absent or malformed reads as empty."""
    try:
        value = dataset.get(keyword)
    except Exception:  # pydicom converts when asked, and every kind of value has its own exceptions
        return []
    several = value if isinstance(value, list) or hasattr(value, "append") else [value]
    return [each for each in several if each not in (None, "")]


def text_of(dataset: Dataset, keyword: str) -> str:
    return str(next(iter(values_of(dataset, keyword)), "")).strip(" \0")


def decimals(dataset: Dataset, keyword: str) -> list[float]:
    """Empty when one of them is no finite number."""
    try:
        numbers = [float(value) for value in values_of(dataset, keyword)]
    except (TypeError, ValueError):
        return []
    return numbers if all(math.isfinite(n) and abs(n) <= _MAX_NUMBER for n in numbers) else []


def integer(dataset: Dataset, keyword: str, default: int) -> int:
    return int(next(iter(decimals(dataset, keyword)), default))


def first_item(dataset: Dataset, keyword: str) -> Dataset:
    """The first item of a sequence, read within bounds; empty when there is none."""
    from pydicom.dataelem import RawDataElement
    from pydicom.dataset import Dataset
    from pydicom.filereader import read_sequence

    element = dataset.get_item(keyword) if keyword in dataset else None
    if isinstance(element, RawDataElement):
        implicit = element.is_implicit_VR or element.VR == "UN"
        value = element.value or b""
        items = read_sequence(BoundedStream(value), implicit, element.is_little_endian, len(value), "iso8859")
    else:
        items = element.value if element is not None else None
    return items[0] if items else Dataset()


def frame_item(dataset: Dataset, keyword: str) -> Dataset:
    """The first frame's item of a functional group; of enhanced multi-frame objects."""
    of_frame = first_item(first_item(dataset, "PerFrameFunctionalGroupsSequence"), keyword)
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


def _facts(dataset: Dataset, photometric: str) -> DicomFacts:
    return DicomFacts(
        modality=_code(text_of(dataset, "Modality")),
        view_position=_code(text_of(dataset, "ViewPosition")),
        patient_age_years=_age_years(dataset),
        pixel_spacing_mm=_spacing_mm(dataset),
        photometric_interpretation=photometric,
        frames=max(1, integer(dataset, "NumberOfFrames", 1)),
    )


def _code(text: str) -> str | None:
    return text if _CODE.fullmatch(text) else None


def _age_years(dataset: Dataset) -> float | None:
    """From the age at the examination; where that is missing, from the dates of birth and study."""
    stated = _AGE.fullmatch(text_of(dataset, "PatientAge"))
    # Anonymisers write 000Y; the age of a newborn is given in days.
    if stated and stated[0] != "000Y":
        years = int(stated[1]) * _AGE_UNITS_YEARS[stated[2]]
    else:
        born, studied = _date(text_of(dataset, "PatientBirthDate")), _date(text_of(dataset, "StudyDate"))
        if born is None or studied is None:
            return None
        years = (studied - born).days / _DAYS_PER_YEAR
    return years if 0 <= years <= _MAX_AGE_YEARS else None


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{8}", text) else None
    except ValueError:
        return None


def _spacing_mm(dataset: Dataset) -> tuple[float, float] | None:
    measured = frame_item(dataset, "PixelMeasuresSequence")
    for source, keyword in ((dataset, "PixelSpacing"), (measured, "PixelSpacing"), (dataset, "ImagerPixelSpacing")):
        spacing = decimals(source, keyword)
        if len(spacing) == 2 and min(spacing) > 0:
            return spacing[0], spacing[1]
    return None
