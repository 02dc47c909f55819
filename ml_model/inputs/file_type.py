"""What a file is by its first bytes, and whether it is a small ordinary picture. What it is called says nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

_BMP_HEADER_BYTES = frozenset({12, 40, 52, 56, 64, 108, 124})
_NAMED_SIGNATURES = (
    (0, b"%PDF-", "a PDF document"),
    (0, b"PK\x03\x04", "a zip archive (or an office document)"),
    (0, b"PK\x05\x06", "an empty zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 code stream"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"\x00\x00\x01\x00", "a Windows icon"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (0, b"MZ", "a Windows program"),
    (0, b"\x7fELF", "a Linux program"),
)
_DICOM_VALUE_KINDS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
_TEXT_STARTS = (
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<svg", "an SVG drawing"),
    (b"{", "JSON text"),
    (b"data:", "a data URL (send the decoded bytes)"),
)
# What a small ordinary picture has at most.
MOST_PLAIN_BYTES = 3 * 2**18
MOST_PLAIN_PIXELS = 800_000
_MOST_PARTS = 128  # segments or chunks: a PNG of that many bytes in the usual pieces of 8 KiB has 96
_MOST_SCANS = 12  # encoders write ten into a progressive JPEG
_MOST_SCANNED_PIXELS = 4_000_000  # pixels times scans
_MOST_UNFOLDED_BYTES = 4 * MOST_PLAIN_PIXELS  # of a PNG: 16 bits of colour and alpha have eight a pixel
_PNG_CHANNELS = {b"\x00": 1, b"\x02": 3, b"\x03": 1, b"\x04": 2, b"\x06": 4}  # by its colour type
_BASELINE, _EXTENDED, _PROGRESSIVE, _SCAN = 0xC0, 0xC1, 0xC2, 0xDA
_JPEG_PARTS = frozenset({0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)})  # tables, comments, application data


def input_sha256(files: Iterable[bytes]) -> tuple[str, ...]:
    """SHA-256 of each file, or of the body, as it was sent, in hex: which file it is, whatever its name."""
    return tuple(hashlib.sha256(data).hexdigest() for data in files)


def _iso_media_brands(data: bytes) -> frozenset[bytes]:
    """Major and compatible brands of an ISO base media file (AVIF, HEIC, MP4), empty for anything else."""
    if data[4:8] != b"ftyp":
        return frozenset()
    box = data[8 : min(int.from_bytes(data[:4], "big"), 1024)]
    return frozenset([box[:4], *(box[i : i + 4] for i in range(8, len(box) - 3, 4))])


def _is_bare_dicom(data: bytes) -> bool:
    """A DICOM data set without the preamble: it starts with an element of group 2 or 8 in one of three encodings."""
    if data[:2] in (b"\x02\x00", b"\x08\x00") and data[3:4] == b"\x00":
        short = int.from_bytes(data[4:8], "little") <= 64  # implicit: the length of a value, never of a long one
        return data[4:6] in _DICOM_VALUE_KINDS or (data[:1] == b"\x08" and len(data) >= 16 and short)
    return data[:3] == b"\x00\x08\x00" and data[4:6] in _DICOM_VALUE_KINDS


def sniff_format(data: bytes) -> str | None:
    """Format that `data` starts as: PNG JPEG WEBP TIFF BMP GIF AVIF DICOM, or None for any other content."""
    # First, because the preamble is free for the header of another format.
    if data[128:132] == b"DICM":
        return "DICOM"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return "TIFF"
    # "BM" alone also starts ordinary text, so the length of the second header must be a known one.
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADER_BYTES:
        return "BMP"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if _iso_media_brands(data) & {b"avif", b"avis"}:
        return "AVIF"
    return "DICOM" if _is_bare_dicom(data) else None


def _describe_text(data: bytes) -> str | None:
    head = data[:4096]
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for prefix, name in _TEXT_STARTS:
        if start.startswith(prefix):
            return name
    if start.startswith((b"<?xml", b"<!")):
        return "an SVG drawing" if b"<svg" in start else "an XML document"
    # A cut in the middle of a character must not hide that it is text.
    text = head.decode("utf-8", errors="replace").rstrip("\ufffd")
    readable = all(character.isprintable() or character in "\r\n\t\f" for character in text)
    return "plain text" if text and readable and "\ufffd" not in text else None


def describe_content(data: bytes) -> str:
    """What bytes that are no raster image look like, as words for an error message."""
    for offset, signature, name in _NAMED_SIGNATURES:
        if data[offset : offset + len(signature)] == signature:
            return name
    if brands := _iso_media_brands(data):
        return "a HEIC picture" if brands & {b"heic", b"heix", b"mif1", b"hevc"} else "a video (MP4 or QuickTime)"
    if data[:4] == b"RIFF":
        return "a RIFF file (sound or video)"
    return _describe_text(data) or "unknown binary data"


def is_plain(data: bytes) -> bool:
    """Whether decoding it takes less than 50 ms and 64 MB, as tests/ml_model/inputs/images/test_plain.py shows."""
    if len(data) > MOST_PLAIN_BYTES or data[128:132] == b"DICM":
        return False
    if data.startswith(b"\xff\xd8\xff"):
        return _is_plain_jpeg(data)
    return data.startswith(b"\x89PNG\r\n\x1a\n") and _is_plain_png(data)


def _is_plain_jpeg(data: bytes) -> bool:
    """One frame, baseline or progressive, its header without fill bytes, few scans for its size."""
    position, pixels = 2, 0
    for _ in range(_MOST_PARTS):
        if position + 4 > len(data) or data[position] != 0xFF:
            return False
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == _SCAN:
            break
        if marker in (_BASELINE, _EXTENDED, _PROGRESSIVE):
            if pixels:
                return False
            frame = data[position + 5 : position + 9]
            pixels = int.from_bytes(frame[:2], "big") * int.from_bytes(frame[2:], "big")
        elif marker not in _JPEG_PARTS:
            return False
        position += 2 + length
    else:
        return False
    # Behind the header, in the coded pixels: a marker of a scan is never anything else, fill bytes are not needed.
    scans = data.count(b"\xff\xda", position)
    simple = data.find(b"\xff\xff", position) < 0
    few = 0 < scans <= _MOST_SCANS and pixels * scans <= _MOST_SCANNED_PIXELS
    return simple and few and 0 < pixels <= MOST_PLAIN_PIXELS


def _is_plain_png(data: bytes) -> bool:
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    bits, channels = data[24:25], _PNG_CHANNELS.get(data[25:26], 8)
    unfolded = width * height * channels * max((8, *bits)) // 8
    position = 8
    for _ in range(_MOST_PARTS):
        kind = data[position + 4 : position + 8]
        position += 12 + int.from_bytes(data[position : position + 4], "big")
        if kind == b"IEND" or position >= len(data):
            return 0 < width * height <= MOST_PLAIN_PIXELS and unfolded <= _MOST_UNFOLDED_BYTES
    return False
