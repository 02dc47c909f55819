"""Pixels of DICOM files by pydicom: decoded within the size that was checked, and shown as a viewer shows them."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import itertools
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

from ml_model.errors import InputTooLarge, InvalidValue, TooCostly, UnreadableInput
from ml_model.inputs.dicom.elements import (
    BoundedStream,
    corrupt,
    decimals,
    our_errors,
    truncated,
)
from ml_model.inputs.dicom.grey_levels import (
    LEVELS,
    histogram,
    is_rescaled,
    modality_values,
    stretched,
    through_window,
    windowed,
)
from ml_model.inputs.dicom.header import DicomHeader, PixelLayout
from ml_model.inputs.dicom.presentation import window_of
from ml_model.inputs.dicom.transfer_syntax import JPEG, JPEG_2000, JPEG_LS, NATIVE, RLE, codec_of, uid_name

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.pixels.decoders.base import DecodeRunner

_PIXEL_DATA = 0x7FE00010
_JPEG_FRAME = re.compile(rb"\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf\xf7]\x00[\x08-\x40].(..)(..)", re.DOTALL)
_END_OF_IMAGE = b"\xff\xd9"
_MAX_JPEG_SCANS = 100
_MAX_JPEG_FRAMES = 1000  # what looks like a frame header: the picture's own, those of thumbnails, chance
_MAX_OFFSET_TABLE_BYTES = 4 * 100_000
_MAX_BYTES_PER_PIXEL = 6  # 16-bit RGB
_HALVED_ABOVE_PIXELS = 25_000_000


def decode_dicom(header: DicomHeader, max_pixels: int, window: str | None = None) -> NDArray[np.uint8]:
    """uint8 (rows, columns) of grey, or RGB (rows, columns, 3), of the header's frame, as a viewer shows it: high is
    bright, outside the patient dark. At half its scale where it is JPEG 2000 of more than 25 megapixels.
    window: as in `Presentation`, in place of all that the file says of it.

    Grey values go through the modality look-up table (rescale) and the VOI look-up table or
    the first window. Without one: computed tomography is stretched from the smallest to the
    largest value; up to 8 bits, which are made for display, keep their full range; deeper
    values are stretched from the 0.5th to the 99.5th percentile, which a marker, a dead
    pixel or unused bits do not move. The same where the window shows nothing. Padding is
    black and counts in no statistic.

    Raises UnreadableInput (truncated, corrupt), InputTooLarge, InvalidValue (a window that means nothing here).
    """
    with our_errors(lambda: f"its {uid_name(header.transfer_syntax)} pixels cannot be decoded"):
        asked = _asked_window(header, window) if window is not None else None
        stored = stored_values(header, max_pixels)
        if header.layout.samples == 3:
            return (stored >> max(0, header.layout.bits_stored - 8)).astype(np.uint8)
        if header.facts.photometric_interpretation == "PALETTE COLOR":
            return _palette_colours(stored, header.dataset)
        return _shown(stored, header, asked)


def _asked_window(header: DicomHeader, window: str) -> tuple[float, float]:
    facts = header.facts
    if facts.photometric_interpretation not in ("MONOCHROME1", "MONOCHROME2"):
        raise InvalidValue("window: this DICOM picture is in colour, and windows are of grey values; leave it out")
    return window_of(window, facts.modality, rescaled=is_rescaled(header))


def is_available(_syntax: str) -> bool:
    """Asked by pydicom, of its plugins: is the codec installed?"""
    return importlib.util.find_spec("imagecodecs") is not None


DECODER_DEPENDENCIES = dict.fromkeys(JPEG | {RLE}, ("imagecodecs",))  # pydicom asks for it by this name


def decode_frame(frame: bytes, runner: DecodeRunner) -> bytes | bytearray:
    """pydicom plugin: one frame of lossless, 12-bit or LS JPEG or of run lengths, as bytes in native order."""
    import imagecodecs

    if runner.transfer_syntax == RLE:
        width = runner.bits_allocated // 8
        size = runner.rows * runner.columns * runner.samples_per_pixel * width
        runner.set_option("planar_configuration", 1)
        return imagecodecs.dicomrle_decode(frame, f"<u{width}", out=size)
    # A JPEG-LS stream that ends without a marker sends CharLS searching for one beyond its end, for half a minute.
    is_ls = runner.transfer_syntax in JPEG_LS
    values = imagecodecs.jpegls_decode(frame + _END_OF_IMAGE) if is_ls else imagecodecs.jpeg8_decode(frame)
    runner.set_option("bits_allocated", 8 * values.itemsize)
    runner.set_option("planar_configuration", int(values.ndim == 3 and values.shape[2] != 3))
    return values.tobytes()


def kind_of_pixels(header: DicomHeader) -> str:
    """For `check_pixels`, by what decoding costs: JPEG 2000 that is decoded whole takes more."""
    layout = header.layout
    if header.transfer_syntax not in JPEG_2000 or layout.rows_px * layout.columns_px > _HALVED_ABOVE_PIXELS:
        return "DICOM"
    return "colour JPEG 2000" if layout.samples == 3 else "JPEG 2000"


def read_pixels(header: DicomHeader) -> tuple[bytes, str]:
    """Value and kind (OB, OW) of the pixel element, once for a header. Raises UnreadableInput."""
    from pydicom.dataelem import RawDataElement
    from pydicom.filereader import read_dataset

    implicit, little_endian = header.dataset.original_encoding
    found = read_dataset(
        header.stream, bool(implicit), bool(little_endian), stop_when=lambda tag, _vr, _length: tag != _PIXEL_DATA
    )
    element = found.get_item(_PIXEL_DATA) if _PIXEL_DATA in found else None
    if not isinstance(element, RawDataElement) or not isinstance(element.value, bytes):
        raise truncated()
    encapsulated = element.length == 0xFFFFFFFF
    if not encapsulated and len(element.value) < element.length:
        raise truncated()
    if encapsulated == (header.transfer_syntax in NATIVE):
        raise corrupt("its transfer syntax and its pixels disagree about compression")
    return element.value, element.VR or "OW"


def native_bytes(header: DicomHeader, frames: int) -> int:
    """Of so many frames without compression."""
    layout = header.layout
    count = frames * layout.rows_px * layout.columns_px * layout.samples
    half_chroma = header.facts.photometric_interpretation == "YBR_FULL_422"
    return math.ceil((count // 3 * 2 if half_chroma else count) * layout.bits_allocated / 8)


def stored_values(header: DicomHeader, max_pixels: int) -> NDArray[np.integer[Any]]:
    """Stored values of the header's frame: grey and palette integers (rows, columns), or RGB (rows, columns, 3); of a
    large grey JPEG 2000 picture those of half its scale.

    Raises UnreadableInput, InputTooLarge, TooCostly; codecs raise anything.
    """
    from pydicom.encaps import encapsulate, get_frame
    from pydicom.pixels.decoders.base import get_decoder

    layout, syntax, facts = header.layout, header.transfer_syntax, header.facts
    count = layout.rows_px * layout.columns_px * layout.samples
    if count * layout.bits_allocated > 8 * _MAX_BYTES_PER_PIXEL * max_pixels:
        raise InputTooLarge("the DICOM picture has too many bits a pixel for its size; export it with 8 or 16 bits")
    (pixels, kind), plugin = read_pixels(header), ""
    if syntax in NATIVE:
        needed = native_bytes(header, facts.frame)
        if len(pixels) < needed:
            raise UnreadableInput(
                f"the DICOM picture needs {needed} bytes of pixels and has {len(pixels)}: it is truncated; "
                "export it again"
            )
        pixels = _of_frame(pixels, header)
    else:
        plugin = codec_of(syntax, layout.bits_stored)
        if int.from_bytes(pixels[4:8], "little") > _MAX_OFFSET_TABLE_BYTES:
            raise corrupt("its table of frames is longer than any series")
        frame = get_frame(BoundedStream(pixels), facts.frame - 1, number_of_frames=facts.frames)
        frame = _checked_frame(frame, layout, syntax)
        if syntax in JPEG_2000 and layout.rows_px * layout.columns_px > _HALVED_ABOVE_PIXELS:
            return _halved(frame, header)
        pixels = encapsulate([frame])
    options = _decoder_options(header) | {"pixel_vr": kind}
    values, _ = get_decoder(syntax).as_array(pixels, index=0, decoding_plugin=plugin, **options)
    # pydicom takes the lowest bits for the stored ones; some devices use the highest.
    unused = layout.high_bit + 1 - layout.bits_stored
    return values >> unused if unused else values


def _of_frame(pixels: bytes, header: DicomHeader) -> bytes:
    """Those of the header's frame among uncompressed ones, which lie close together: of single bits in mid-byte."""
    frame, size_px = header.facts.frame, header.layout.rows_px * header.layout.columns_px
    before, end, first_px = native_bytes(header, frame - 1), native_bytes(header, frame), (frame - 1) * size_px
    if header.layout.bits_allocated > 1 or first_px % 8 == 0:
        return pixels[before : end + (end - before) % 2]
    bits = np.unpackbits(np.frombuffer(pixels[first_px // 8 : end], np.uint8), bitorder="little")[first_px % 8 :]
    own = np.packbits(bits[:size_px], bitorder="little").tobytes()
    return own + bytes(len(own) % 2)


def _halved(frame: bytes, header: DicomHeader) -> NDArray[np.integer[Any]]:
    """Grey values of a large JPEG 2000 picture at half its scale, in a third of the time. Raises TooCostly where they
    do not lie as they are stored, are numbers of colours, or come in no smaller scale: whole it would take too much."""
    layout = header.layout
    grey = header.facts.photometric_interpretation in ("MONOCHROME1", "MONOCHROME2")  # numbers of colours do not mix
    signed, precision = frame[42] >> 7, (frame[42] & 0x7F) + 1  # of the first component
    plain = grey and precision == layout.bits_stored == layout.high_bit + 1 and signed == layout.signed
    if plain:
        with contextlib.suppress(OSError), Jpeg2KImageFile(io.BytesIO(frame)) as image:
            image.reduce = 1
            image.load()
            values = np.asarray(image)
            values = values >> (8 * values.itemsize - precision)  # Pillow widens them to whole bytes, from zero on
            return (values.astype(np.int32) - (1 << precision - 1)).astype(np.int16) if signed else values
    raise TooCostly(
        f"a JPEG 2000 picture of over {_HALVED_ABOVE_PIXELS / 1e6:g} megapixels is read where it is of grey values, as "
        "many bits as the header says, and in several scales; export it uncompressed or as JPEG"
    )


def _decoder_options(header: DicomHeader) -> dict[str, Any]:
    layout = header.layout
    return {
        "rows": layout.rows_px,
        "columns": layout.columns_px,
        "samples_per_pixel": layout.samples,
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.high_bit + 1,
        "pixel_representation": int(layout.signed),
        "photometric_interpretation": header.facts.photometric_interpretation,
        "planar_configuration": int(layout.planar),
        "number_of_frames": 1,
        "pixel_keyword": "PixelData",
    }


def _checked_frame(frame: bytes, layout: PixelLayout, syntax: str) -> bytes:
    """A compressed frame that unfolds to no more than the size that was checked. Raises UnreadableInput."""
    expected = (layout.columns_px, layout.rows_px)
    sizes = []
    if syntax in JPEG:
        # Any marker that could be a frame header, so that a decoy in a comment hides nothing.
        found = list(itertools.islice(_JPEG_FRAME.finditer(frame), _MAX_JPEG_FRAMES + 1))
        sizes = [(int.from_bytes(one[2], "big"), int.from_bytes(one[1], "big")) for one in found]
        if len(sizes) > _MAX_JPEG_FRAMES:
            raise corrupt(f"its JPEG stream has more than {_MAX_JPEG_FRAMES} frame headers")
        if not sizes or frame.count(b"\xff\xda") > _MAX_JPEG_SCANS:
            raise corrupt("its JPEG stream has no frame or endless scans")
    elif syntax in JPEG_2000:
        frame = frame[max(0, frame.find(b"\xff\x4f\xff\x51")) :]  # some writers put the header of a .jp2 file before it
        with Jpeg2KImageFile(io.BytesIO(frame)) as image:
            sizes = [image.size]
    for size in sizes:
        if not 0 < size[0] * size[1] <= expected[0] * expected[1]:
            raise corrupt(f"its header says {expected[0]}x{expected[1]}, its compressed pixels {size[0]}x{size[1]}")
    return frame


def _palette_colours(stored: NDArray[np.integer[Any]], dataset: Dataset) -> NDArray[np.uint8]:
    from pydicom.pixels.processing import apply_color_lut

    low, high = int(stored.min()), int(stored.max())
    if high - low >= LEVELS:
        raise corrupt("its palette has more than 65,536 entries")
    table = apply_color_lut(np.arange(low, high + 1), dataset)[:, :3]
    # 16 bits are the rule; some writers fill only the lower eight of them.
    eight = np.where(table.max(axis=0) > 255, table >> 8, table).astype(np.uint8)
    return eight[stored.astype(np.int64) - low]


def _shown(
    stored: NDArray[np.integer[Any]], header: DicomHeader, asked: tuple[float, float] | None
) -> NDArray[np.uint8]:
    """Grey as displayed: one table over all levels that occur, so that the cost hardly depends on what is in it.
    asked: centre and width of a window."""
    dataset = header.dataset
    low, high = int(stored.min()), int(stored.max())
    step = (high - low) // LEVELS + 1  # 1 up to 16 bits; deeper values share levels
    if stored.dtype.itemsize > 2:
        index = ((stored.astype(np.int64) - low) // step).astype(np.uint16)
    else:  # one level a step; what is negative wraps round, and back
        index = stored.astype(np.uint16) - np.uint16(low % LEVELS)
    levels = np.arange(low, high + 1, step, dtype=np.int64)
    padding = _is_padding(levels, dataset)
    values = modality_values(levels, header)
    unit = through_window(values, *asked) if asked else windowed(values, header)
    real = ~padding
    if unit is None or (asked is None and real.any() and np.ptp(unit[real]) == 0 < np.ptp(values[real])):
        counts = np.where(padding, 0, histogram(index, len(levels)))
        unit = stretched(values, counts, header)
    table = np.rint(unit * 255).astype(np.uint8)
    if header.facts.photometric_interpretation == "MONOCHROME1":
        table = 255 - table
    table[padding] = 0
    return table[index]


def _is_padding(levels: NDArray[np.int64], dataset: Dataset) -> NDArray[np.bool_]:
    given = decimals(dataset, "PixelPaddingValue")
    if not given:
        return np.zeros(len(levels), np.bool_)
    ends = sorted((given[0], *decimals(dataset, "PixelPaddingRangeLimit")[:1]))
    return (levels >= ends[0]) & (levels <= ends[-1])
