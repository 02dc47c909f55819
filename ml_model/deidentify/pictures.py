"""The copy of a picture that is kept: what the decoder reads of it, and its orientation. DICOM: `dicom.py`.

The decoder's own containers (`raster_containers.py`) pass on what describes the first picture and nothing else: no
EXIF, XMP, comment, thumbnail, profile, further frame or trailing data. What they pass on is what is kept, so that a
kept picture is decoded to the same pixels, and answered the same.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

from ml_model.deidentify.dicom import deidentified
from ml_model.deidentify.kept import KeptFile
from ml_model.errors import EmptyInput, UnreadableInput, UnsupportedFormat
from ml_model.inputs.file_type import describe_content, sniff_format
from ml_model.inputs.images.frames import WEBP_FRAME, count_frames, riff_chunks
from ml_model.inputs.images.raster_containers import Container, read_container

KEPT_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "DICOM")
_ORIENTATION = 274
# Chunks of a WebP that hold pixels; the flags of its header for the two that hold texts.
_WEBP_STILL = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
_WEBP_PIXELS = _WEBP_STILL | {b"VP8X", b"ANIM", WEBP_FRAME}
_WEBP_FRAME_HEAD = 16  # place, size and time of a frame
_WEBP_EXIF, _WEBP_PROFILE_XMP = 0x08, 0x20 | 0x04
_STRIPS_AND_TILES = ((273, 279), (324, 325))  # where they are, and how long
_PHOTOMETRIC, _OLD_JPEG = 262, frozenset(range(513, 522))
_WIDTH_OF = {1: 1, 3: 2, 4: 4, 13: 4, 16: 8}  # bytes of TIFF's integer types


def without_metadata(data: bytes, max_bytes: int, max_pixels: int) -> KeptFile:
    """The copy that may be kept.

    Raises UnsupportedFormat (no picture, or one of a format that is answered but not kept), and the errors of
    `read_container` and `deidentified`.
    """
    if not data:
        raise EmptyInput("the file is empty (0 bytes); send a picture")
    name = sniff_format(data)
    if name not in KEPT_FORMATS:
        what = f"{name} files" if name else describe_content(data)
        answered = "; POST /analyze/<task> answers such a file without keeping it" if name else ""
        raise UnsupportedFormat(f"received {what}; what is kept is one of {', '.join(KEPT_FORMATS)}{answered}")
    if name == "DICOM":
        return deidentified(data, max_bytes)
    found = read_container(name, data, max_pixels)
    writers: dict[str, Callable[[Container], bytes]] = {
        "PNG": _png, "JPEG": _jpeg, "WEBP": _webp, "TIFF": _tiff, "BMP": _bmp, "GIF": lambda gif: gif.data,
    }  # fmt: skip
    return KeptFile(writers[name](found), name, count_frames(name, data))


def _exif(orientation: int) -> bytes:
    """A TIFF block of one tag."""
    return b"II*\x00" + struct.pack("<IHHHIHHI", 8, 1, _ORIENTATION, 3, 1, orientation, 0, 0)


def _png(found: Container) -> bytes:
    if found.orientation == 1:
        return found.data
    body = b"eXIf" + _exif(found.orientation)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return found.data[:33] + chunk + found.data[33:]  # behind signature and header


def _jpeg(found: Container) -> bytes:
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
        if kind == b"VP8X" and len(body) >= 10:
            flags = body[0] & ~(_WEBP_EXIF | _WEBP_PROFILE_XMP) | (_WEBP_EXIF if found.orientation != 1 else 0)
            body = bytes([flags]) + body[1:]
        chunks.append(_riff_chunk(kind, body))
    if found.orientation != 1:  # only a file with VP8X has one
        chunks.append(_riff_chunk(b"EXIF", _exif(found.orientation)))
    joined = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(joined)) + joined


def _webp_chunks(data: bytes, position: int, kinds: frozenset[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of those of the first picture. Raises UnreadableInput."""
    animated = False
    for kind, length, body in riff_chunks(data, position):
        if len(body) < length:
            raise UnreadableInput("the content starts as WEBP but is truncated; export the picture again")
        if kind not in kinds or (animated and kind == WEBP_FRAME):
            continue
        if kind == WEBP_FRAME:
            animated = True
            inner = _webp_chunks(body, _WEBP_FRAME_HEAD, _WEBP_STILL)
            body = body[:_WEBP_FRAME_HEAD] + b"".join(_riff_chunk(*one) for one in inner)
        yield kind, body


def _riff_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\x00" * (len(body) % 2)


def _bmp(found: Container) -> bytes:
    """Without what follows the pixels, where these are not run-length coded."""
    data = found.data
    if int.from_bytes(data[14:18], "little") == 12:
        width, height = (int.from_bytes(data[i : i + 2], "little") for i in (18, 20))
        bits, compression = int.from_bytes(data[24:26], "little"), 0
    else:
        width, height = (abs(int.from_bytes(data[i : i + 4], "little", signed=True)) for i in (18, 22))
        bits, compression = int.from_bytes(data[28:30], "little"), int.from_bytes(data[30:34], "little")
    end = int.from_bytes(data[10:14], "little") + (width * bits + 31) // 32 * 4 * height
    return data[:end] if compression in (0, 3, 6) else data


def _tiff(found: Container) -> bytes:
    """The pixels where they were and zeros for all else, with the decoder's directory and the orientation in it."""
    data = bytearray(found.data)
    order, big = "<" if data[:2] == b"II" else ">", bytes(data[2:4]) in (b"+\x00", b"\x00+")
    layout = struct.Struct(order + ("HHQ8s" if big else "HHI4s"))
    pointer, count, head = ("Q", "Q", 16) if big else ("I", "H", 8)
    at = struct.unpack_from(order + pointer, data, head // 2)[0]
    (number,) = struct.unpack_from(order + count, data, at)
    first = at + struct.calcsize(count)
    entries = {row[0]: row for row in layout.iter_unpack(bytes(data[first : first + number * layout.size]))}
    if entries.keys() & _OLD_JPEG:
        raise UnsupportedFormat("a TIFF with JPEG compression of the old style is not kept; send PNG or JPEG")
    kept = bytearray(at)
    kept[:head] = data[:head]
    for starts, lengths in _STRIPS_AND_TILES:
        if starts in entries and lengths in entries:
            places = zip(
                _integers(data, entries[starts], order), _integers(data, entries[lengths], order), strict=False
            )
            for start, length in places:
                kept[start : min(start + length, at)] = data[start : min(start + length, at)]
    data[:at] = kept
    data[:head] = found.data[:head]
    short = struct.Struct(order + "H")
    if found.white_is_zero:  # as it was; the decoder was told otherwise
        entries[_PHOTOMETRIC] = (_PHOTOMETRIC, 3, 1, short.pack(0))
    entries[_ORIENTATION] = (_ORIENTATION, 3, 1, short.pack(found.orientation))
    struct.pack_into(order + pointer, data, head // 2, len(data))
    rows = b"".join(layout.pack(*entries[tag]) for tag in sorted(entries))
    return bytes(data) + struct.pack(order + count, len(entries)) + rows + bytes(struct.calcsize(pointer))


def _integers(data: bytearray, entry: tuple[int, int, int, bytes], order: str) -> tuple[int, ...]:
    """Values of an entry of the decoder's directory."""
    _, kind, count, field = entry
    size = _WIDTH_OF.get(kind, 0)
    if not size:
        raise UnreadableInput("the content starts as TIFF but its strips have no places; export the picture again")
    form = order + str(count) + {1: "B", 2: "H", 4: "I", 8: "Q"}[size]
    if size * count <= len(field):
        return struct.unpack_from(form, field)
    (place,) = struct.unpack(order + ("Q" if len(field) == 8 else "I"), field)
    return struct.unpack_from(form, data, place)
