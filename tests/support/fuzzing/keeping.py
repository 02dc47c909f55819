"""Files that are to be kept: seeds with a text wherever their format has room for one; what copies of them must be."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Literal

import numpy as np
from fuzzing.formats import rasters, tagged
from fuzzing.parts import Layout, Part
from fuzzing.seeds import Upload, seeds
from hostile.hidden_texts import HIDING, TEXT
from numpy.typing import NDArray

from ml_model.diagnosis.reading import PictureToKeep, RecordingToKeep
from ml_model.ecg.recording import load_recording
from ml_model.errors import MediDiagnoseError
from ml_model.inputs.dicom.presentation import Presentation
from ml_model.inputs.file_type import sniff_format
from ml_model.inputs.images.decoder import DEFAULT_LIMITS, decode_image
from ml_model.tasks.image_schema import ImageInput

_LAYOUTS = {
    "PNG": rasters.PNG, "JPEG": rasters.JPEG, "WEBP": rasters.WEBP, "GIF": rasters.GIF, "DICOM": tagged.DICOM,
}  # fmt: skip
# Parts that are pixels as they are coded, and the colours and tables that they are coded by.
_CODED: dict[str, tuple[bytes, ...]] = {
    "PNG": (b"IDAT", b"PLTE"), "JPEG": (b"\xff\xdb", b"\xff\xc4", b"\xff\xda"),
    "WEBP": (b"VP8 ", b"VP8L", b"ALPH", b"ANMF"), "GIF": (b"\x2c",),
    "DICOM": (b"\xe0\x7f\x10\0", b"\x7f\xe0\0\x10", b"\x28\0\6\x30", b"\0\x28\x30\6"),
}  # fmt: skip
_BMP_HEAD_BYTES, _TIFF_TABLES = 54, (320, 347)  # colours, and those of JPEG
_INPUT = ImageInput(modality="picture", height_px=32, width_px=32, min_side_px=1)


@functools.cache
def _hiding() -> tuple[bytes, ...]:
    return tuple(made() for made in HIDING.values())


@functools.cache
def seeds_to_keep(family: str) -> tuple[Upload, ...]:
    """Those of a format, and files of it that hide a text in every way known."""
    return (*seeds(family), *((("hiding", data),) for data in _hiding() if sniff_format(data) == family))


def kept_picture(upload: Upload) -> None:
    """Refused, or kept so that the copy is decoded to the same pixels; the text is among them at most."""
    data = upload[0][1]
    copy = PictureToKeep(data, DEFAULT_LIMITS.max_bytes, DEFAULT_LIMITS.max_pixels, _INPUT).read().data
    try:
        sent = _pixels(data)
    except MediDiagnoseError as error:
        raise AssertionError("a copy is kept of what is not decoded itself") from error
    assert _same(_pixels(copy), sent), "the copy is decoded to other pixels"
    if TEXT in _beside_pixels(copy):
        assert not _is_idle(copy, sent), "the text is kept"


def kept_recording(upload: Upload) -> None:
    """The same of a recording's signal; no text is in it."""
    kept = RecordingToKeep(upload, None, DEFAULT_LIMITS.max_bytes).read()
    sent, again = load_recording(upload), load_recording([("kept", kept.data)])
    assert sent.signal_mv.tobytes() == again.signal_mv.tobytes(), "the copy has another signal"
    assert (sent.format, sent.sampling_rate_hz, sent.unit) == (again.format, again.sampling_rate_hz, again.unit)
    assert TEXT not in kept.data, "the text is kept"


def _pixels(data: bytes) -> list[NDArray[np.uint8]]:
    """Of the first frame, of DICOM that of the second, too."""
    found = [np.asarray(decode_image(data, _INPUT, full_size=True, whole=True).rgb)]
    if sniff_format(data) == "DICOM":
        with contextlib.suppress(MediDiagnoseError):  # it has one frame, or the other is cut
            second = decode_image(data, _INPUT, whole=True, presentation=Presentation(frame=2))
            found.append(np.asarray(second.rgb))
    return found


def _same(one: list[NDArray[np.uint8]], other: list[NDArray[np.uint8]]) -> bool:
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def _beside_pixels(copy: bytes) -> bytes:
    """All of a copy but pixels as they are coded, and the colours and tables that they are coded by."""
    name = sniff_format(copy) or ""
    if name == "BMP":
        return copy[:_BMP_HEAD_BYTES]
    if name == "TIFF":
        return _beside_strips(copy)
    return b"|".join(part.body for part in _leaves(_LAYOUTS[name], copy) if not part.kind.startswith(_CODED[name]))


def _is_idle(copy: bytes, pixels: list[NDArray[np.uint8]]) -> bool:
    """Whether the copy is the same without the text: pixels can be where nothing says that they are."""
    try:
        return _same(_pixels(copy.replace(TEXT, bytes(len(TEXT)))), pixels)
    except MediDiagnoseError:
        return False


def _leaves(layout: Layout, data: bytes) -> Iterator[Part]:
    for part in layout.split(data):
        inner = layout.inner(part)
        yield from (part,) if inner is None else _leaves(inner, part.body)


def _beside_strips(copy: bytes) -> bytes:
    order: Literal["little", "big"] = "little" if copy[:2] == b"II" else "big"
    values, rest = {}, bytearray(copy)
    for part in tagged.TIFF.split(copy)[1:]:
        tag, kind = (int.from_bytes(part.kind[i : i + 2], order) for i in (0, 2))
        size = tagged.BYTES_OF_TYPE.get(kind, 1)
        values[tag] = [int.from_bytes(part.body[i : i + size], order) for i in range(0, len(part.body), size)]
        if tag in _TIFF_TABLES:
            rest = bytearray(rest.replace(part.body, bytes(len(part.body))))
    for starts, lengths in ((273, 279), (324, 325)):
        for start, length in zip(values.get(starts, ()), values.get(lengths, ()), strict=True):
            rest[start : start + length] = bytes(len(rest[start : start + length]))
    return bytes(rest)
