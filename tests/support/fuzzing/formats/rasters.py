"""Layouts of the raster formats: what is split into which parts."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

from fuzzing.parts import Layout, Part, Parts
from pictures import png_chunk

_PNG, _GIF_HEAD = b"\x89PNG\r\n\x1a\n", 13
_MASK = 2**32 - 1
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)  # behind filling bytes


def _told(part: Part) -> int:
    return (len(part.body) if part.declared is None else part.declared) & _MASK


def _split_png(data: bytes) -> Parts:
    parts, at = [], len(_PNG)
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        parts.append(Part(data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return parts


def _join_png(parts: Sequence[Part]) -> bytes:
    """With right checksums, also where a length lies."""
    chunks = (struct.pack(">I", _told(part)) + png_chunk(part.kind, part.body)[4:] for part in parts)
    return _PNG + b"".join(chunks)


def _split_jpeg(data: bytes) -> Parts:
    """Segments behind the start; a scan's coded data is part of its segment."""
    parts, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        kind, length = data[at : at + 2], int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 2 + length
        if kind == b"\xff\xd9":
            parts.append(Part(kind, b""))
            break
        if kind == b"\xff\xda":  # up to the next marker that is no restart
            after = _NEXT_MARKER.search(data, end)
            end = after.start() if after else len(data)
        parts.append(Part(kind, data[at + 4 : end], length))
        at = end
    return [*parts, Part(b"\xff\xd9", b"")] if parts[-1].kind != b"\xff\xd9" else parts


def _join_jpeg(parts: Sequence[Part]) -> bytes:
    """A segment of its own length, unless it is a scan, whose length is its header's, or lies."""
    made = [b"\xff\xd8"]
    for part in parts:
        length = b"" if part.kind == b"\xff\xd9" else _jpeg_length(part).to_bytes(2, "big")
        made += [part.kind, length, part.body]
    return b"".join(made)


def _jpeg_length(part: Part) -> int:
    if part.declared is not None and (part.kind == b"\xff\xda" or part.declared != len(part.body) + 2):
        return part.declared & 0xFFFF
    return min(len(part.body) + 2, 0xFFFF)


def _split_riff(data: bytes) -> Parts:
    parts, at = [], 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        parts.append(Part(data[at : at + 4], data[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return parts


def _join_riff(parts: Sequence[Part]) -> bytes:
    chunks = b"".join(
        part.kind + struct.pack("<I", _told(part)) + part.body + b"\0" * (len(part.body) % 2) for part in parts
    )
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def _split_boxes(data: bytes) -> Parts:
    parts, at = [], 0
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if length < 8:
            break
        parts.append(Part(data[at + 4 : at + 8], data[at + 8 : at + length]))
        at += length
    return parts


def _join_boxes(parts: Sequence[Part]) -> bytes:
    made = []
    for part in parts:
        length = len(part.body) + 8 if part.declared is None else part.declared
        made += [struct.pack(">I", length & _MASK), part.kind, part.body]
    return b"".join(made)


def _inner_boxes(part: Part) -> Layout | None:
    if part.kind == b"meta":  # four bytes of version and flags stand before its boxes
        return Layout(
            lambda body: _split_boxes(body[4:]), lambda parts: bytes(4) + _join_boxes(parts), _BOXES, _inner_boxes
        )
    return AVIF if part.kind in (b"iprp", b"ipco") else None


def _split_gif(data: bytes) -> Parts:
    """The head with its palette, then blocks; `kind` is what stands before the sub-blocks."""
    at = _GIF_HEAD + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    parts = [Part(b"", data[:at])]
    while at < len(data) and data[at] in (0x21, 0x2C):
        head = 2
        if data[at] == 0x2C:
            flags = data[at + 9]
            head = 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        end = at + head
        while end < len(data) and data[end]:
            end += 1 + data[end]
        parts.append(Part(data[at : at + head], data[at + head : end + 1]))
        at = end + 1
    return [*parts, Part(b";", b"")]


def _join_plain(parts: Sequence[Part]) -> bytes:
    return b"".join(part.kind + part.body for part in parts)


def _split_bmp(data: bytes) -> Parts:
    """Fields of both headers, then the rest."""
    ends = (2, 6, 10, 14, 18, 22, 26, 28, 30, 34, 38, 42, 46, 50, 54, len(data))
    starts = (0, *ends[:-1])
    return [Part(b"", data[start:end]) for start, end in zip(starts, ends, strict=True)]


_BOXES = (b"ftyp", b"meta", b"mdat", b"iloc", b"iinf", b"iprp", b"ipco", b"ipma", b"ispe", b"av1C", b"irot", b"free")
PNG = Layout(_split_png, _join_png, tuple(b"IHDR PLTE IDAT IEND tRNS eXIf tEXt zTXt iTXt iCCP acTL fcTL fdAT".split()))
JPEG = Layout(_split_jpeg, _join_jpeg, tuple(bytes((0xFF, marker)) for marker in range(0xC0, 0xFF)))
WEBP = Layout(_split_riff, _join_riff, (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"EXIF", b"ICCP"))
AVIF = Layout(_split_boxes, _join_boxes, _BOXES, _inner_boxes)
GIF = Layout(_split_gif, _join_plain, (b"\x21\xf9", b"\x21\xff", b"\x21\xfe", b"\x2c" + bytes(10)))
BMP = Layout(_split_bmp, _join_plain)
