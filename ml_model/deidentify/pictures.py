"""The copy of a picture that is kept: what the decoder reads of it, and its orientation. DICOM: `dicom.py`.

The decoder's own containers (`raster_containers.py`) pass on what describes the first picture and nothing else: no
EXIF, XMP, comment, thumbnail, profile, further frame or trailing data. Of what they pass on only what the decoder looks
at is kept, so that a kept picture is decoded to the same pixels, and answered the same.
"""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Callable, Iterator

from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile

from ml_model.deidentify.dicom import deidentified
from ml_model.deidentify.kept import KeptFile
from ml_model.deidentify.png import kept_png
from ml_model.deidentify.tiff import ORIENTATION, kept_tiff
from ml_model.errors import EmptyInput, InputTooLarge, UnreadableInput, UnsupportedFormat
from ml_model.inputs.file_type import describe_content, sniff_format
from ml_model.inputs.images.damage import refusing_damage
from ml_model.inputs.images.decoder import decode_image
from ml_model.inputs.images.frames import WEBP_FRAME, count_frames, note_on_frames, riff_chunks
from ml_model.inputs.images.raster_containers import Container, read_container
from ml_model.inputs.upload_limits import ImageLimits, check_pixels
from ml_model.tasks.registry import ImageInput

KEPT_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "DICOM")
# Their decoders look at more than what a container says: at directories and chunks that contradict each other.
_COMPARED = frozenset({"TIFF", "WEBP", "BMP"})
_JPEG_END = b"\xff\xd9"
# Chunks of a WebP that hold pixels; the flags of its header for the two that hold texts.
_WEBP_STILL = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
_WEBP_PIXELS = _WEBP_STILL | {b"VP8X", b"ANIM", WEBP_FRAME}
_WEBP_LAST = frozenset({b"VP8 ", b"VP8L", WEBP_FRAME})
_WEBP_FRAME_HEAD = 16  # place, size and time of a frame
_WEBP_EXIF, _WEBP_PROFILE_XMP = 0x08, 0x20 | 0x04
_WEBP_HEADS = {b"VP8X": 10, b"ANIM": 6}  # their bytes
_BMP_OS2_HEAD, _BMP_HEAD, _BMP_COLOURS_AT = 12, 40, 70
_BMP_UNREAD = ((34, 46), (50, 54))  # bytes of pixels, pixels a metre, colours of importance
_MOST_COLOURS = 256
_BMP_MASKS = {3: 12, 6: 16}  # behind the oldest header, by the compression
_BMP_RUN_LENGTHS = (1, 2)
_ROWS_AT_ONCE = 64
# Of any picture: no size is too small, nothing is cut off.
_ANY_PICTURE = ImageInput(modality="picture", height_px=32, width_px=32, min_side_px=1)


def without_metadata(data: bytes, limits: ImageLimits) -> KeptFile:
    """The copy that may be kept. What must be decoded for it is announced.

    Raises UnsupportedFormat (no picture, or one of a format that is answered but not kept), InputTooLarge (a copy that
    is over the limit), and the errors of `read_container`, `decode_image` and `deidentified`.
    """
    if not data:
        raise EmptyInput("the file is empty (0 bytes); send a picture")
    name = sniff_format(data)
    if name not in KEPT_FORMATS:
        raise UnsupportedFormat(f"received {describe_content(data)}; what is kept is one of {', '.join(KEPT_FORMATS)}")
    if name == "DICOM":
        return deidentified(data, limits)
    if name == "AVIF":
        return _avif(data, limits)
    writers: dict[str, Callable[[Container], bytes]] = {
        "PNG": _png, "JPEG": _jpeg, "WEBP": _webp, "TIFF": kept_tiff, "BMP": _bmp,
        "GIF": lambda gif: _gif(gif, limits),
    }  # fmt: skip
    with refusing_damage(name):
        copy = writers[name](read_container(name, data, limits.max_pixels))
        if name in _COMPARED and copy != data and not _has_same_pixels(data, copy, limits):
            raise UnsupportedFormat(
                f"this {name} cannot be kept without its texts and be decoded to the same pixels; send PNG or JPEG, or "
                "POST /analyze/<task>, which answers it without keeping it"
            )
        return KeptFile(copy, name, count_frames(name, data))


def _has_same_pixels(sent: bytes, copy: bytes, limits: ImageLimits) -> bool:
    """Raises the errors of decoding what was sent."""
    before = _pixels_sha256(sent, limits)
    try:
        return _pixels_sha256(copy, limits) == before
    except UnreadableInput:
        return False


def _pixels_sha256(data: bytes, limits: ImageLimits) -> bytes:
    decoded = decode_image(data, _ANY_PICTURE, limits, full_size=True, whole=True).rgb
    found = hashlib.sha256(repr(decoded.size).encode())
    for top in range(0, decoded.height, _ROWS_AT_ONCE):
        found.update(decoded.crop((0, top, decoded.width, min(top + _ROWS_AT_ONCE, decoded.height))).tobytes())
    return found.digest()


def _exif(orientation: int) -> bytes:
    """A TIFF block of one tag."""
    return b"II*\x00" + struct.pack("<IHHHIHHI", 8, 1, ORIENTATION, 3, 1, orientation, 0, 0)


def _png(found: Container) -> bytes:
    return kept_png(found.data, _exif(found.orientation) if found.orientation != 1 else b"")


def _jpeg(found: Container) -> bytes:
    if not found.data.endswith(_JPEG_END):  # one that is decoded all the same has something else behind its pixels
        raise UnreadableInput("the content starts as JPEG but has no end: it is truncated; export the picture again")
    if found.orientation == 1:
        return found.data
    body = b"Exif\x00\x00" + _exif(found.orientation)
    at = 2
    if found.data[2:4] == b"\xff\xe0":  # JFIF stays first
        at += 2 + int.from_bytes(found.data[4:6], "big")
    return found.data[:at] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + found.data[at:]


def _webp(found: Container) -> bytes:
    """Its chunks of pixels, of an animation those of the first frame; a header of its own says that there is an
    orientation."""
    chunks = []
    for kind, body in _webp_chunks(found.data[: 8 + int.from_bytes(found.data[4:8], "little")], 12, _WEBP_PIXELS):
        if kind == b"VP8X" and body:
            flags = body[0] & ~(_WEBP_EXIF | _WEBP_PROFILE_XMP) | (_WEBP_EXIF if found.orientation != 1 else 0)
            body = bytes([flags, 0, 0, 0]) + body[4:]
        chunks.append(_riff_chunk(kind, body))
    if found.orientation != 1:  # only a file with VP8X has one
        chunks.append(_riff_chunk(b"EXIF", _exif(found.orientation)))
    joined = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(joined)) + joined


def _webp_chunks(data: bytes, position: int, kinds: frozenset[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of those of the first picture, one of each. Raises UnreadableInput."""
    passed = set()
    for kind, length, body in riff_chunks(data, position):
        if len(body) < length:
            raise UnreadableInput("the content starts as WEBP but is truncated; export the picture again")
        if kind not in kinds or kind in passed:
            continue
        passed.add(kind)
        if kind == WEBP_FRAME:
            inner = _webp_chunks(body, _WEBP_FRAME_HEAD, _WEBP_STILL)
            body = body[:_WEBP_FRAME_HEAD] + b"".join(_riff_chunk(*one) for one in inner)
        yield kind, body[: _WEBP_HEADS.get(kind)]
        if kind in _WEBP_LAST:
            return


def _riff_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\x00" * (len(body) % 2)


def _bmp(found: Container) -> bytes:
    """Headers, the colours that there can be and the pixels; zeros for all between. Run lengths are unfolded, since
    nothing says where they end."""
    data = found.data
    size, first = (int.from_bytes(data[i : i + 4], "little") for i in (14, 10))
    old = size == _BMP_OS2_HEAD
    places = ((18, 20), (20, 22), (24, 26)) if old else ((18, 22), (22, 26), (28, 30), (30, 34), (46, 50))
    width, height, bits, *more = (int.from_bytes(data[i:j], "little", signed=j - i == 4) for i, j in places)
    compression, colours = more or (0, 0)
    if compression in _BMP_RUN_LENGTHS:
        with BmpImageFile(io.BytesIO(data)) as image, io.BytesIO() as stream:
            image.save(stream, "BMP")
            return stream.getvalue()
    head = table = 14 + size + (_BMP_MASKS.get(compression, 0) if size == _BMP_HEAD else 0)
    if bits <= 8:
        told, colour_bytes = colours or 1 << bits, 3 if old else 4
        if told > _MOST_COLOURS:
            raise UnsupportedFormat(f"a BMP with more than {_MOST_COLOURS} colours in a palette is not kept; send PNG")
        first += 4 * told if first == 14 + size else 0  # so the decoder reads them
        head, table = head + colour_bytes * min(told, 1 << bits), table + colour_bytes * told
    first = first or table  # where it says nothing
    last = min(first + (abs(width) * bits + 31) // 32 * 4 * abs(height), len(data))
    kept = bytearray(max(head, last))
    kept[:head] = data[:head].ljust(head, b"\0")
    kept[2:10] = struct.pack("<II", len(kept), 0)
    for start, end in () if old else _BMP_UNREAD:
        kept[start:end] = bytes(end - start)
    if size > _BMP_COLOURS_AT - 14:  # spaces of colour, a profile or its name, which no pixel depends on
        kept[_BMP_COLOURS_AT : 14 + size] = b"BGRs".ljust(14 + size - _BMP_COLOURS_AT, b"\0")
    kept[first:last] = data[first:last]
    return bytes(kept)


def _gif(found: Container, limits: ImageLimits) -> bytes:
    """Its pixels coded anew, since there can be more blocks behind the last of them."""
    check_pixels("GIF", *(found.size_px or (0, 0)), limits)
    with GifImageFile(io.BytesIO(found.data)) as image, io.BytesIO() as stream:
        image.save(stream, "GIF")
        return stream.getvalue()


def _avif(data: bytes, limits: ImageLimits) -> KeptFile:
    """As a PNG of what is decoded: texts can be anywhere in such a file, also among its pixels."""
    decoded = decode_image(data, _ANY_PICTURE, limits, full_size=True, whole=True)
    with io.BytesIO() as stream:
        decoded.rgb.save(stream, "PNG", compress_level=1)
        copy = stream.getvalue()
    if len(copy) > limits.max_bytes:
        raise InputTooLarge(
            f"an AVIF is kept as PNG, and this one has {len(copy) / 2**20:.1f} MiB as such, at most "
            f"{limits.max_bytes / 2**20:.0f} MiB are kept; POST /analyze/<task> answers it without keeping it"
        )
    note = note_on_frames("AVIF", decoded.frames)
    return KeptFile(copy, "PNG", 1, (note,) if note else ())
