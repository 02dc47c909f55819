"""Layouts of formats whose parts carry tags and types: TIFF directories and DICOM data sets."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from functools import partial

from fuzzing.parts import Layout, Part, Parts

BYTES_OF_TYPE = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0"
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_PREAMBLE = bytes(128) + b"DICM"


def _split_tiff(data: bytes) -> Parts:
    """The file up to its end as the first part, then the entries of its first directory: tag and type, then values."""
    order, big = "<" if data[:2] == b"II" else ">", data[2:4] in (b"+\0", b"\0+")
    (start,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    (number,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
    at, entry = start + (8 if big else 2), struct.Struct(order + ("HHQ8s" if big else "HHI4s"))
    parts = [Part(b"", data)]
    for tag, kind, count, field in entry.iter_unpack(data[at : at + number * entry.size]):
        length = count * BYTES_OF_TYPE.get(kind, 1)
        offset = int.from_bytes(field, "little" if order == "<" else "big")
        value = field[:length] if length <= len(field) else data[offset : offset + length]
        parts.append(Part(struct.pack(order + "HH", tag, kind), value, count))
    return parts


def _join_tiff(parts: Sequence[Part]) -> bytes:
    """The file with a directory of these entries at its end."""
    body = next((part.body for part in parts if not part.kind), b"II*\0" + bytes(12))
    entries = [part for part in parts if len(part.kind) == 4][:65_535]
    order, big = ("little" if body[:2] == b"II" else "big"), body[2:4] in (b"+\0", b"\0+")
    word = 8 if big else 4
    body += bytes(-len(body) % 8)
    directory = [len(entries).to_bytes(8 if big else 2, order)]
    values, values_at = b"", len(body) + len(directory[0]) + len(entries) * (20 if big else 12) + word
    for part in entries:
        kind = int.from_bytes(part.kind[2:], order)
        count = len(part.body) // BYTES_OF_TYPE.get(kind, 1) if part.declared is None else part.declared
        field = part.body.ljust(word, b"\0")
        if len(field) > word:
            field = (values_at + len(values)).to_bytes(word, order)
            values += part.body
        directory.append(part.kind + (count % 256**word).to_bytes(word, order) + field)
    pointer_at = 8 if big else 4
    head = body[:pointer_at] + len(body).to_bytes(word, order)
    return b"".join([head, body[len(head) :], *directory, bytes(word), values])


def _elements(data: bytes, explicit: bool, order: str) -> Parts:
    """Elements of a data set. An undefined length reaches to the end of what is there."""
    parts, at = [], 0
    while at + 8 <= len(data):
        if explicit and data[at + 4 : at + 6] in _LONG:
            head, length = 12, struct.unpack_from(order + "I", data, at + 8)[0] if at + 12 <= len(data) else 0
        elif explicit and data[at + 4 : at + 6].isalpha():
            head, (length,) = 8, struct.unpack_from(order + "H", data, at + 6)
        else:
            head, (length,) = 8, struct.unpack_from(order + "I", data, at + 4)
        end = len(data) if length == _UNDEFINED else at + head + length
        kind = data[at : at + 6] if head == 12 or data[at + 4 : at + 6].isalpha() and explicit else data[at : at + 4]
        parts.append(Part(kind, data[at + head : end], _UNDEFINED if length == _UNDEFINED else None))
        at = end
    return parts


def _join_elements(parts: Sequence[Part], order: str) -> bytes:
    made = []
    for part in parts:
        length = (len(part.body) if part.declared is None else part.declared) & _UNDEFINED
        if len(part.kind) != 6:
            made.append(part.kind[:4].ljust(4, b"\0") + struct.pack(order + "I", length))
        elif part.kind[4:] in _LONG:
            made.append(part.kind + b"\0\0" + struct.pack(order + "I", length))
        else:
            made.append(part.kind + struct.pack(order + "H", length & 0xFFFF))
        made.append(part.body)
    return b"".join(made)


def _data_set(explicit: bool, order: str) -> Layout:
    def inner(part: Part) -> Layout | None:
        """Items of sequences, and what is in an item."""
        is_sequence = part.kind[4:6] == b"SQ" or (not explicit and part.body[:4] == _ITEM)
        if is_sequence or part.kind[:4] == _ITEM or part.kind[:2] == b"\xfe\xff":
            return _data_set(explicit, order)
        return None

    kinds = tuple(
        struct.pack(order + "HH", group, element) + vr
        for group, element in ((0x28, 0x10), (0x28, 0x11), (0x28, 0x100), (0x28, 8), (0x28, 0x3006), (0x5400, 0x1010))
        for vr in (b"US", b"SQ", b"UN", b"DS", b"OW", b"IS", b"PN", b"AT", b"FD")
    )
    if not explicit:
        kinds = tuple(sorted({kind[:4] for kind in kinds})) + (_ITEM, _ITEM_END, _SEQUENCE_END)
    split, join = partial(_elements, explicit=explicit, order=order), partial(_join_elements, order=order)
    return Layout(split, join, kinds, inner)


_META = _data_set(True, "<")


def _split_dicom(data: bytes) -> Parts:
    """Two parts: the file's meta elements, and its data set, inflated where it is deflated."""
    meta_end = 132 + 12 + int.from_bytes(data[140:144], "little")
    meta, content = data[132:meta_end], data[meta_end:]
    if _DEFLATED in meta:
        content = zlib.decompress(content, -zlib.MAX_WBITS)
    encoding = b"deflated" if _DEFLATED in meta else b"plain"
    return [Part(b"meta", meta), Part(encoding + (b"<E" if content[4:6].isalpha() else b"<I"), content)]


def _encoding(content: bytes) -> tuple[bool, str]:
    big = content[:1] == b"\0" and content[1:2] != b"\0"
    return content[4:6].isalpha(), ">" if big else "<"


def _join_dicom(parts: Sequence[Part]) -> bytes:
    made = [_PREAMBLE]
    for part in parts:
        deflater = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
        deflated = part.kind.startswith(b"deflated")
        made.append(deflater.compress(part.body) + deflater.flush() if deflated else part.body)
    return b"".join(made)


def _inner_dicom(part: Part) -> Layout | None:
    return _META if part.kind == b"meta" else _data_set(*_encoding(part.body))


_TAGS = (*range(254, 260), 262, 273, 274, 277, 278, 279, 284, 317, 320, *range(322, 326), 338, 347, 513)
_TYPES = (1, 2, 3, 4, 5, 7, 12, 13, 16, 99)
TIFF = Layout(_split_tiff, _join_tiff, tuple(struct.pack("<HH", tag, kind) for tag in _TAGS for kind in _TYPES))
DICOM = Layout(_split_dicom, _join_dicom, (b"meta", b"plain", b"deflated"), _inner_dicom)
