"""Compressed pixels without the texts inside them: comments and application data of JPEG, JPEG-LS and JPEG 2000.

They are blanked where they are, so that every offset, and every byte that a decoder looks at, stays.
"""

from __future__ import annotations

import re

from ml_model.errors import TooCostly
from ml_model.inputs.dicom.transfer_syntax import JPEG, JPEG_2000

_ITEM = b"\xfe\xff\x00\xe0"
_START_OF_IMAGE, _END_OF_IMAGE = b"\xff\xd8", b"\xff\xd9"
_CODE_STREAM = b"\xff\x4f\xff\x51"
_TILE = 0x90
# What a decoder goes on to, past filling bytes and the coded data of a scan: no stuffed byte, no restart.
_MARKER = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
_WITHOUT_LENGTH = (0xD8, 0xD9)
# Of a decoder's interest, since they tell the colours, by how they begin; a thumbnail is behind the first.
_APPLICATION, _JFIF, _READ_BY_DECODERS = range(0xE0, 0xF0), b"JFIF\0", (b"Adobe", b"mrfx")
_JFIF_BYTES = 14
_COMMENT, _COMMENT_2000 = 0xFE, 0x64
_MOST_SEGMENTS = 1000


def encapsulated_without_texts(value: bytes, syntax: str) -> bytes:
    """The items of encapsulated pixels, each as long as it was; what is no item ends them. syntax: the UID of the
    transfer syntax. Raises TooCostly."""
    blanked, position, first = bytearray(value), 0, True
    while value[position : position + 4] == _ITEM:
        length = int.from_bytes(value[position + 4 : position + 8], "little")
        start, end = position + 8, position + 8 + length
        if end > len(value):
            break
        if not first:  # that is the table of offsets
            blanked[start:end] = _blanked(value[start:end], syntax)
        position, first = end, False
    return bytes(blanked[:position]) + bytes(len(value) - position)


def _blanked(fragment: bytes, syntax: str) -> bytes:
    """Run lengths hold no text, and may look like anything."""
    found = bytearray(fragment)
    if syntax in JPEG and fragment.startswith(_START_OF_IMAGE):
        _blank_jpeg(found)
        end = found.rfind(_END_OF_IMAGE)  # no thumbnail's: the picture may go on in the next fragment
        if end > 0:
            found[end + 2 :] = bytes(len(fragment) - end - 2)
    elif syntax in JPEG_2000 and (start := fragment.find(_CODE_STREAM)) >= 0:
        found[:start] = bytes(start)
        _blank_main_header(found, start + 2)
    return bytes(found)


def _blank_jpeg(data: bytearray) -> None:
    """Up to the end, between scans too."""
    position = len(_START_OF_IMAGE)
    for _ in range(_MOST_SEGMENTS):
        if (found := _MARKER.search(data, position)) is None:
            return
        position, marker = found.end(), data[found.end() - 1]
        if marker in _WITHOUT_LENGTH:
            continue
        start, end = position + 2, min(position + int.from_bytes(data[position : position + 2], "big"), len(data))
        if marker in _APPLICATION and data.startswith(_JFIF, start):
            start += _JFIF_BYTES
        elif marker not in (_COMMENT, *_APPLICATION) or data.startswith(_READ_BY_DECODERS, start):
            start = end
        data[start:end] = bytes(max(0, end - start))
        position = max(position, end)
    raise TooCostly(f"compressed pixels with more than {_MOST_SEGMENTS} segments")


def _blank_main_header(data: bytearray, position: int) -> None:
    """Of JPEG 2000."""
    for _ in range(_MOST_SEGMENTS):
        if position + 4 > len(data) or data[position] != 0xFF or data[position + 1] == _TILE:
            return
        end = min(position + 2 + int.from_bytes(data[position + 2 : position + 4], "big"), len(data))
        if data[position + 1] == _COMMENT_2000:
            start = position + 6  # behind whether it is a text
            data[start:end] = bytes(max(0, end - start))
        position = end
    raise TooCostly(f"compressed pixels with more than {_MOST_SEGMENTS} segments")
