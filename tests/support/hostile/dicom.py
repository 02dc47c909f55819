"""DICOM files made to cost as much as a file of their size can: each maker takes about how many bytes it may have."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from dicom_files import dataset, write
from ecg_files import dicom_file, dicom_group, heart
from pydicom.datadict import tag_for_keyword

EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
HEART = heart(100, 3)


def element(group: int, number: int, kind: bytes, value: bytes) -> bytes:
    """An element of a kind with a long length."""
    return struct.pack("<HH2sHI", group, number, kind, 0, len(value)) + value


def around(extra: bytes, before: bytes = b"\x28\0\x02\0") -> bytes:
    """A small picture with elements put in front of one of its own."""
    data = write(dataset(np.arange(4096, dtype=np.uint16).reshape(64, 64)))
    at = data.index(before)
    return data[:at] + extra + data[at:]


def values(group: int, number: int, kind: bytes, one: bytes, size: int) -> bytes:
    """One element of as many values as fit; an unlimited-text kind takes the place of one with 16-bit lengths."""
    return around(element(group, number, kind, one * (size // len(one))), before_of(group, number))


def before_of(group: int, number: int) -> bytes:
    """Where an element of this tag belongs: before the picture's own or at the end of the header."""
    return b"\xe0\x7f\x10\0" if (group, number) > (0x28, 0x2) else b"\x28\0\x02\0" if group == 0x28 else b"\x08\0\x16\0"


def implicit_values(group: int, number: int, one: bytes, size: int) -> bytes:
    """The same in implicit encoding, where every kind has long lengths."""
    head = struct.pack("<HHI", 0x8, 0x16, 26) + b"1.2.840.10008.5.1.4.1.1.1\0"
    words = ((0x02, 1), (0x10, 64), (0x11, 64), (0x100, 8), (0x101, 8), (0x102, 7), (0x103, 0))
    elements = {(0x28, tag): struct.pack("<H", word) for tag, word in words}
    elements[(group, number)] = one * (size // len(one) // 2 * 2)
    body = b"".join(struct.pack("<HHI", *tag, len(value)) + value for tag, value in sorted(elements.items()))
    return bytes(128) + b"DICM" + head + body + struct.pack("<HHI", 0x7FE0, 0x10, 4096) + bytes(4096)


def meta_values(size: int) -> bytes:
    """The transfer syntax, of millions of values."""
    return bytes(128) + b"DICM" + element(2, 0x10, b"UT", b"1\\" * (size // 2)) + around(b"")[132:]


def deflated(data: bytes) -> bytes:
    """The same file with everything behind its first elements deflated."""
    at = data.index(b"\x08\0\x16\0")
    syntax = f"\x02\0\x10\0UI\x16\0{DEFLATED}".encode("latin-1")
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return bytes(128) + b"DICM" + syntax + deflater.compress(data[at:]) + deflater.flush()


def deflated_values(inflated_bytes: int) -> bytes:
    return deflated(values(0x28, 0x1050, b"UT", b"1\\", inflated_bytes))


def elements(one: bytes, size: int) -> bytes:
    """As many copies of an element as fit, in front of the picture's own of group 28."""
    return around(one * (size // len(one)))


def private(size: int) -> bytes:
    """Private elements of distinct tags, which pydicom keeps apart."""
    count = min(size // 8, 30_000_000)
    tags = np.zeros((count, 4), "<u2")
    tags[:, 0] = 9 + 2 * (np.arange(count) // 65536 % 7)
    tags[:, 1] = np.arange(count) % 65536
    tags[:, 2] = int.from_bytes(b"LO", "little")
    return around(tags.tobytes())


def nested(stated: bool, size: int) -> bytes:
    """Sequences within sequences, of undefined or of stated lengths."""
    if not stated:
        return around(b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff" * (size // 20))
    body = b""
    for _ in range(min(size // 20, 5000)):
        item = b"\xfe\xff\0\xe0" + struct.pack("<I", len(body)) + body
        body = struct.pack("<HH2sHI", 0x5200, 0x9229, b"SQ", 0, len(item)) + item
    return around(body, b"\xe0\x7f\x10\0")


def items(group: int, number: int, size: int) -> bytes:
    """A wanted sequence of empty items."""
    return around(element(group, number, b"SQ", b"\xfe\xff\0\xe0\0\0\0\0" * (size // 8)), b"\xe0\x7f\x10\0")


def undefined_bytes(size: int) -> bytes:
    """An element of no stated length, to be searched for its end."""
    return around(b"\x09\0\x10\x10OB\0\0\xff\xff\xff\xff" + b"\xfe\xff\xdd\0" * (size // 4))


def fragments(size: int) -> bytes:
    """Compressed pixels in as many fragments as fit."""
    head = around(b"").replace(EXPLICIT.encode() + b"\0", b"1.2.840.10008.1.2.4.50", 1)
    head = head[: head.index(b"\xe0\x7f\x10\0")].replace(b"UI\x14\0", b"UI\x16\0", 1)
    pixels = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\0\0\0\0"
    return head + pixels + b"\xfe\xff\0\xe0\2\0\0\0\xff\xd8" * (size // 10) + b"\xfe\xff\xdd\xe0\0\0\0\0"


def jpeg_markers(size: int) -> bytes:
    """A compressed frame full of what looks like frame headers."""
    head = around(b"").replace(EXPLICIT.encode() + b"\0", b"1.2.840.10008.1.2.4.50", 1)
    head = head[: head.index(b"\xe0\x7f\x10\0")].replace(b"UI\x14\0", b"UI\x16\0", 1)
    frame = b"\xff\xc0\0\x11\x08\0\x08\0\x08\0" * (size // 20 * 2)
    pixels = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\0\0\0\0\xfe\xff\0\xe0" + struct.pack("<I", len(frame))
    return head + pixels + frame + b"\xfe\xff\xdd\xe0\0\0\0\0"


def waveform(size: int, keyword: str = "CodeMeaning", character: str = "(") -> bytes:
    """A DICOM ECG with one text of its first channel this long."""
    group = dicom_group(HEART, 100)
    source = group.ChannelDefinitionSequence[0].ChannelSourceSequence[0]
    source.CodeValue = "x"
    source.add_new(tag_for_keyword(keyword), "UT", character * size)
    return dicom_file([group])[0][1]


def waveform_values(size: int) -> bytes:
    """A DICOM ECG whose sensitivity is of millions of values."""
    group = dicom_group(HEART, 100)
    group.ChannelDefinitionSequence[0].add_new(0x003A0210, "UT", "1\\" * (size // 2))
    return dicom_file([group])[0][1]


def waveform_groups(size: int) -> bytes:
    """As many multiplex groups as fit."""
    one = dicom_group(heart(100, 1), 100)
    made = dicom_file([one])[0][1]
    at = made.index(b"\0\x54\0\x01SQ")
    end = made.rindex(b"\xfe\xff\xdd\xe0") if made[at + 8 : at + 12] == b"\xff\xff\xff\xff" else len(made)
    item = made[at + 12 : end]
    return made[:at] + element(0x5400, 0x100, b"SQ", item * (size // len(item)))
