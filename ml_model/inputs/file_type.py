"""What a file is by its first bytes. File names and declared content types are never consulted."""

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
