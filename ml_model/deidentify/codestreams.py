"""Compressed pixels without the texts inside them: comments and application data of JPEG, JPEG-LS and JPEG 2000, and
what is behind the end of a picture.

They are blanked where they are, so that every offset of a fragment, and every byte that a decoder looks at, stays.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from ml_model.errors import TooCostly
from ml_model.inputs.dicom.transfer_syntax import JPEG, JPEG_2000, RLE

_ITEM = b"\xfe\xff\x00\xe0"
_START_OF_IMAGE, _CODE_STREAM, _JP2 = b"\xff\xd8", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  "
# What a decoder goes on to, past filling bytes and the coded data of a scan: no stuffed byte, no restart.
_MARKER = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
_SOI, _EOI, _SCAN, _LINES, _COMMENT = 0xD8, 0xD9, 0xDA, 0xDC, 0xFE
_APPLICATION = range(0xE0, 0xF0)
# What decoders read of it, since it tells the colours: how it begins, and its bytes; a thumbnail is behind the first.
_READ_BY_DECODERS = ((b"JFIF\0", 14), (b"Adobe", 12), (b"mrfx", 5))
_LINES_BYTES = 2
# Of JPEG 2000: tile-parts, their pixels, the end, comments; the segments in which there are numbers.
_TILE_PART, _PIXELS, _END, _COMMENT_2000 = 0x90, 0x93, 0xD9, 0x64
_NUMBERS = frozenset({*range(0x50, 0x54), 0x55, *range(0x57, 0x5A), *range(0x5C, 0x62), 0x63, 0x74, 0x75, 0x77, 0x78})
_RUN_LENGTHS_HEAD_BYTES, _MOST_RUN_LENGTHS = 64, 15
_MOST_PARTS = 500_000  # a series of 10,000 frames has a fifth


def parts_to_look_at() -> Iterator[int]:
    """One for each fragment and segment of a file."""
    return iter(range(_MOST_PARTS))


def too_many_parts() -> TooCostly:
    return TooCostly(f"compressed pixels with more than {_MOST_PARTS} fragments and segments; send a single frame")


def encapsulated_without_texts(value: bytes, syntax: str) -> bytes:
    """The items of encapsulated pixels, each as long as it was; what is no item ends them. syntax: the UID of the
    transfer syntax. Raises TooCostly."""
    parts, blanked = parts_to_look_at(), bytearray(value)
    items = _items(value, parts)
    end = items[-1][1] if items else 0
    blanked[end:] = bytes(len(value) - end)
    if items:
        start, end = items[0]
        blanked[start:end] = _frame_offsets(value[start:end], items[1:])
    for fragments in _frames(value, items[1:], syntax):
        coded = bytearray().join(value[start:end] for start, end in fragments)
        _blank(coded, syntax, parts)
        position = 0
        for start, end in fragments:
            blanked[start:end] = coded[position : position + end - start]
            position += end - start
    return bytes(blanked)


def _items(value: bytes, parts: Iterator[int]) -> list[tuple[int, int]]:
    """Start and end of the content of each: a table of offsets, and fragments."""
    items, position = [], 0
    while value[position : position + 4] == _ITEM:
        end = position + 8 + int.from_bytes(value[position + 4 : position + 8], "little")
        if end > len(value):
            break
        if next(parts, None) is None:
            raise too_many_parts()
        items.append((position + 8, end))
        position = end
    return items


def _frame_offsets(table: bytes, fragments: list[tuple[int, int]]) -> bytes:
    """Zeros where it is no table of the places of fragments."""
    places = {start - fragments[0][0] for start, _ in fragments}
    whole = len(table) - len(table) % 4
    told = {place for (place,) in struct.iter_unpack("<I", table[:whole])}
    return table if whole == len(table) and told <= places else bytes(len(table))


def _frames(value: bytes, fragments: list[tuple[int, int]], syntax: str) -> list[list[tuple[int, int]]]:
    """Fragments of each, by how they begin; one fragment each of what is no code stream."""
    begins = (_START_OF_IMAGE,) if syntax in JPEG else (_CODE_STREAM, _JP2) if syntax in JPEG_2000 else (b"",)
    frames: list[list[tuple[int, int]]] = []
    for start, end in fragments:
        if frames and not value.startswith(begins, start, end):
            frames[-1].append((start, end))
        else:
            frames.append([(start, end)])
    return frames


def _blank(coded: bytearray, syntax: str, parts: Iterator[int]) -> None:
    """Run lengths hold no text, and may look like anything; only where they are has room for one."""
    if syntax in JPEG:
        blank_jpeg(coded, parts)
    elif syntax in JPEG_2000:
        _blank_jpeg_2000(coded, parts)
    elif syntax == RLE and (count := int.from_bytes(coded[:4], "little")) <= _MOST_RUN_LENGTHS:
        start, end = 4 + 4 * count, min(_RUN_LENGTHS_HEAD_BYTES, len(coded))
        coded[start:end] = bytes(max(0, end - start))


def blank_jpeg(data: bytearray, parts: Iterator[int]) -> None:
    """One stream, up to its end and behind it, between scans too; all of what is none. Raises TooCostly."""
    if not data.startswith(_START_OF_IMAGE):
        data[:] = bytes(len(data))
        return
    position, coded = len(_START_OF_IMAGE), False
    for _ in parts:
        found = _MARKER.search(data, position)
        start = found.start() if found else len(data)
        if not coded:  # filling bytes are allowed between segments
            data[position:start] = b"\xff" * (start - position)
        if found is None:
            return
        position = found.end()
        marker = data[position - 1]
        if marker == _EOI:
            data[position:] = bytes(len(data) - position)
            return
        if marker != _SOI:
            position, coded = _blank_segment(data, position, marker), marker == _SCAN
    raise too_many_parts()


def _blank_segment(data: bytearray, position: int, marker: int) -> int:
    """Its end. position: behind its marker."""
    start, end = position + 2, min(position + int.from_bytes(data[position : position + 2], "big"), len(data))
    if marker in _APPLICATION:
        start += next((size for lead, size in _READ_BY_DECODERS if data.startswith(lead, start)), 0)
    elif marker == _LINES:
        start += _LINES_BYTES
    elif marker != _COMMENT:
        start = end
    if start < end:
        data[start:end] = bytes(end - start)
    return max(position, end)


def _blank_jpeg_2000(data: bytearray, parts: Iterator[int]) -> None:
    """One code stream: comments of its header and of its tile-parts, what is behind its end; what is before it goes, as
    the standard has none there."""
    begin = data.find(_CODE_STREAM)
    if begin < 0:
        data[:] = bytes(len(data))
        return
    data[:] = data[begin:] + bytes(begin)
    position, part, length = len(_START_OF_IMAGE), 0, 0
    for _ in parts:
        if position + 2 > len(data) or data[position] != 0xFF:
            break
        marker = data[position + 1]
        if marker == _END:
            position += 2
            break
        if marker == _PIXELS:
            found = part + length if length else data.find(bytes((0xFF, _END)), position)
            position = min(found, len(data)) if found > position else len(data)
            if begin and not length:  # there was nothing behind its end, which there is now
                data[part + 6 : part + 10] = (position - part).to_bytes(4, "big")
            continue
        end = min(position + 2 + int.from_bytes(data[position + 2 : position + 4], "big"), len(data))
        if marker == _TILE_PART:
            part, length = position, int.from_bytes(data[position + 6 : position + 10], "big")
        elif marker not in _NUMBERS:
            start = position + (6 if marker == _COMMENT_2000 else 4)  # behind whether it is a text
            data[start:end] = bytes(max(0, end - start))
        position = max(position + 2, end)
    else:
        raise too_many_parts()
    data[position:] = bytes(len(data) - position)
