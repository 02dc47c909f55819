"""Container level of the raster formats: what must be known before a decoder may touch the bytes.

Each reader finds size and orientation and passes on only what describes the first picture. Compressed profiles and
comments (a classic place for bombs), further frames and trailing data are dropped here; Pillow's warnings about odd
metadata never arise, without touching the process-wide warning filters. What is here a test has shown to be necessary
(named below; each was seen to fail without it); the rest is left to Pillow, and what is costly to the limits of the
reading processes. Whatever goes wrong in a damaged file may be raised as it is: the decoder says that it is corrupt.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from ml_model.errors import TooCostly, UnreadableInput, UnsupportedFormat
from ml_model.inputs.images.gif import GIF_PICTURE, MOST_GIF_BLOCKS, gif_blocks, gif_head_bytes
from ml_model.inputs.images.tiff import exif_orientation, read_tiff

# Each scan of a progressive JPEG is a pass over all coefficients; encoders write about ten.
_MAX_JPEG_SCANS = 100
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# The last byte of a run of fill bytes and the marker: a run of its own would be searched anew from each of its bytes.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_JPEG_SOI, _JPEG_EOI, _JPEG_SOS, _JPEG_LINES = 0xD8, 0xD9, 0xDA, 0xDC
_JPEG_REFUSED = frozenset({0xC8, 0xDE, 0xDF})  # by decoders, unless every pixel is decoded; nothing of it is read
_JPEG_TOLD = {(0xE0, b"JFIF\x00"): 16, (0xEE, b"Adobe"): 14}  # bytes with the length; a thumbnail is behind
_GIF_CONTROL_BYTES = 7  # without the empty block behind it
_MAX_BOXES = 1000  # of a whole AVIF file; pictures have about five
_MAX_META_BYTES = 256 * 1024  # the decoder compares all items in it with each other; pictures have about 300
# Pillow decodes run-length BMP in Python, a few million pixels a second.
_MAX_RLE_BMP_PIXELS = 4_000_000


@dataclass(frozen=True)
class Container:
    """The first picture's bytes. Size is that of the stored raster, before orientation; None: the decoder tells."""

    data: bytes
    size_px: tuple[int, int] | None = None
    orientation: int = 1
    white_is_zero: bool = False
    animated: bool = False  # told of WebP alone


def read_container(name: str, data: bytes, max_pixels: int) -> Container:
    """Check and strip a file whose content was recognised as format `name`.

    Raises UnreadableInput (truncated, corrupt), UnsupportedFormat (a variant that is not
    read), InputTooLarge (TIFF tiles beyond `max_pixels`).
    """
    if name == "PNG":
        return _read_png(data)
    if name == "JPEG":
        return _read_jpeg(data)
    if name == "GIF":
        return _read_gif(data)
    if name == "WEBP":
        return _read_webp(data)
    if name == "BMP":
        return _read_bmp(data)
    if name == "TIFF":
        tiff = read_tiff(data, max_pixels)
        return Container(tiff.data, (tiff.width_px, tiff.height_px), tiff.orientation, tiff.white_is_zero)
    return _read_avif(data)


def _truncated(name: str) -> UnreadableInput:
    return UnreadableInput(
        f"the content starts as {name} but is truncated (the file ends before the picture does); "
        "export the picture again and resend it"
    )


def _corrupt(name: str, what: str) -> UnreadableInput:
    return UnreadableInput(
        f"the content starts as {name} but is corrupt ({what}); export the picture again and resend it"
    )


def _read_png(data: bytes) -> Container:
    """Keep header, palette, transparency and pixels, with their checksums verified.

    test_bombs_in_metadata_never_reach_the_decoder, test_wrong_checksum_is_noticed, test_truncated_files_say_so.
    """
    kept, position, exif = [data[:8]], 8, b""
    while True:
        length, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(data):
            raise _truncated("PNG")
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            chunk = data[position:end]
            if zlib.crc32(memoryview(chunk)[4:-4]) != int.from_bytes(chunk[-4:], "big"):
                raise _corrupt("PNG", f"the checksum of a {kind.decode()} chunk is wrong")
            kept.append(chunk)
        elif kind == b"eXIf":
            exif = data[position + 8 : end - 4]
        if kind == b"IEND":
            break
        position = end
    size = int.from_bytes(kept[1][8:12], "big"), int.from_bytes(kept[1][12:16], "big")
    return Container(b"".join(kept), size, exif_orientation(exif) if exif else 1)


def _read_jpeg(data: bytes) -> Container:
    """Keep tables, frame and scans of the first picture, and the two markers that decide its colour space.

    test_bombs_in_pixel_data (scans), test_damaged_orientation_block_is_ignored_without_a_warning (segments),
    test_unread_variants_are_named (bits), test_truncated_files_say_so.
    """
    kept, position, scans, coded, exif, size = [data[:2]], 2, 0, False, b"", None
    while True:
        found = _JPEG_MARKER.search(data, position)
        if coded:  # what is behind other segments no decoder reads
            kept.append(data[position : found.start() if found else None])
        if found is None or found[1][0] == _JPEG_EOI:
            kept.append(found[0] if found else b"")
            break
        marker, position = found[1][0], found.end()
        end = position + int.from_bytes(data[position : position + 2], "big") * (marker != _JPEG_SOI)
        segment = data[position + 2 : end]
        if marker == 0xE1 and segment.startswith(b"Exif\x00\x00"):
            exif = segment
        if marker in _JPEG_FRAMES:
            if size is not None:
                raise _corrupt("JPEG", "it has two frames")
            size = _jpeg_size(segment)
        if (needed := _jpeg_needed(marker, data[position:end])) is not None:
            kept.append(b"\xff" + bytes([marker]) + needed)
        coded = marker == _JPEG_SOS
        scans += coded
        if scans > _MAX_JPEG_SCANS:
            raise _corrupt("JPEG", f"more than {_MAX_JPEG_SCANS} scans")
        position = end
    if size is None or not scans:
        raise _truncated("JPEG")
    return Container(b"".join(kept), size, exif_orientation(exif) if exif else 1)


def _jpeg_needed(marker: int, segment: bytes) -> bytes | None:
    """Frames, tables and scans (C0-DF), each behind its length, and what JFIF (APP0) and Adobe (APP14) tell of colours;
    not comments, thumbnails and profiles."""
    if marker in _JPEG_REFUSED:
        return b"\x00\x02"
    if 0xC0 <= marker <= 0xDF and marker != _JPEG_LINES:
        return segment
    if (size := _JPEG_TOLD.get((marker, segment[2:7]))) is None:
        return None
    if len(segment) <= size:
        return segment
    return size.to_bytes(2, "big") + segment[2:14] + bytes(size - 14)  # a JFIF thumbnail of no pixels


def _jpeg_size(segment: bytes) -> tuple[int, int]:
    if segment[0] != 8:
        raise UnsupportedFormat(f"a JPEG with {segment[0]} bits a sample is not read; send 8-bit JPEG, or PNG or TIFF")
    return int.from_bytes(segment[3:5], "big"), int.from_bytes(segment[1:3], "big")


def _read_gif(data: bytes) -> Container:
    """Keep screen, palette, the last control block before the first picture, and that picture.

    test_huge_pictures_are_refused_before_memory_is_taken (a frame larger than the screen),
    test_transparent_palette_entries_and_colours_become_white (control), test_hostile_files.py (blocks).
    """
    control, end = b"", gif_head_bytes(data)
    for start, end, passed in gif_blocks(data):
        if passed > MOST_GIF_BLOCKS:
            raise TooCostly(
                f"the GIF has more than {MOST_GIF_BLOCKS} blocks up to the end of its first picture; send PNG"
            )
        if end > len(data):
            raise _truncated("GIF")
        if data[start] == GIF_PICTURE:
            break
        if data[start + 1 : start + 3] == b"\xf9\x04":
            control = data[start : start + _GIF_CONTROL_BYTES] + b"\x00"
    else:
        raise _truncated("GIF") if end >= len(data) else _corrupt("GIF", "it holds no picture")
    left, top, width, height = (int.from_bytes(data[start + i : start + i + 2], "little") for i in (1, 3, 5, 7))
    canvas = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    size = max(canvas[0], left + width), max(canvas[1], top + height)
    return Container(data[: gif_head_bytes(data)] + control + data[start:end] + b";", size)


def _webp_size(kind: bytes, body: bytes) -> tuple[int, int] | None:
    if kind == b"VP8X" and len(body) >= 10:
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L" and len(body) >= 5:
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and len(body) >= 10:
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return None


def _read_webp(data: bytes) -> Container:
    """Size and orientation; the size must be known first because opening allocates the canvas.

    test_truncated_files_say_so, test_lossless_formats_agree_bit_for_bit.
    """
    if len(data) < 8 + int.from_bytes(data[4:8], "little"):
        raise _truncated("WebP")
    size, orientation, position = _webp_size(data[12:16], data[20:30]), 1, 12
    while position + 8 <= len(data):
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        if data[position : position + 4] == b"EXIF":
            orientation = exif_orientation(data[position + 8 : position + 8 + length])
            break
        position += 8 + length + length % 2
    if size is None:
        raise _corrupt("WebP", "the header is damaged")
    animated = data[12:16] == b"VP8X" and bool(data[20] & 2)
    return Container(data, size, orientation, animated=animated)


def _read_bmp(data: bytes) -> Container:
    """Refuse large run-length pictures, which decode slowly."""
    if int.from_bytes(data[14:18], "little") == 12 or int.from_bytes(data[30:34], "little") not in (1, 2):
        return Container(data)
    width, height = (abs(int.from_bytes(data[i : i + 4], "little", signed=True)) for i in (18, 22))
    if width * height > _MAX_RLE_BMP_PIXELS:
        raise UnsupportedFormat(
            f"a run-length coded BMP of {width}x{height} pixels is not read "
            f"(at most {_MAX_RLE_BMP_PIXELS / 1e6:g} megapixels); send PNG"
        )
    return Container(data, (width, height))


def _read_avif(data: bytes) -> Container:
    """Check that all boxes are there, and hide the EXIF item.

    AVIF's own rotation properties are what counts, and Pillow parses EXIF with warnings.
    test_truncated_files_say_so, test_damaged_exif_item_of_an_avif_is_never_parsed, test_hostile_files.py (boxes).
    """
    position, clean = 0, bytearray(data)
    for _ in range(_MAX_BOXES):
        length, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        if length == 1:
            length = int.from_bytes(data[position + 8 : position + 16], "big")
        end = position + length if length else len(data)  # 0: to the end of the file
        if end > len(data):
            raise _truncated("AVIF")
        if kind == b"meta":
            if end - position > _MAX_META_BYTES:
                raise TooCostly(f"the AVIF describes itself in more than {_MAX_META_BYTES} bytes; send PNG or JPEG")
            clean[position:end] = data[position:end].replace(b"Exif", b"none")
        if 0 < length < 8 or end == len(data):
            break
        position = end
    else:
        raise _corrupt("AVIF", f"more than {_MAX_BOXES} boxes")
    return Container(bytes(clean))
