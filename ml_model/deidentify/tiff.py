"""The copy of a TIFF that is kept: its pixels where they were, zeros for all else, and the decoder's directory."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ml_model.deidentify.codestreams import blank_jpeg, parts_to_look_at
from ml_model.errors import UnreadableInput, UnsupportedFormat
from ml_model.inputs.images.raster_containers import Container

ORIENTATION = 274
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _ROWS, _PLANAR = 256, 257, 258, 259, 262, 277, 278, 284
_STRIPS, _TILES, _TILE_WIDTH, _TILE_HEIGHT, _SUBSAMPLING = (273, 279), (324, 325), 322, 323, 530
_JPEG_TABLES, _OLD_JPEG = 347, frozenset(range(513, 522))
_PALETTE, _YCBCR, _MOST_OF_YCBCR = 3, 6, {529: 3, 530: 2, 531: 1, 532: 6}
_COLOURS, _OF_EACH_SAMPLE = 320, (_BITS, 338, 339)
_COUNTED_ELSEWHERE = frozenset({*_STRIPS, *_TILES, _JPEG_TABLES})
_NONE, _JPEG, _WEBP = 1, 7, 50001  # compressions
_TEXT_KINDS = frozenset({2, 7})
_WIDTH_OF = {1: 1, 3: 2, 4: 4, 13: 4, 16: 8}  # bytes of TIFF's integer types
_BYTES_OF = {1: 1, 2: 1, 6: 1, 7: 1, 3: 2, 8: 2, 4: 4, 9: 4, 11: 4, 13: 4}  # of all that have less than eight

Entry = tuple[int, int, int, bytes]
"""Tag, kind, count, and the value or where it is."""


@dataclass
class _Directory:
    """That which the decoder's container wrote at the end of `data`, its values behind it. order: "<" or ">"."""

    data: bytearray
    order: str
    big: bool
    at: int
    entries: dict[int, Entry]

    def integers(self, tag: int) -> tuple[int, ...]:
        """Values of a tag; empty where it is absent. Raises UnreadableInput."""
        if tag not in self.entries:
            return ()
        _, kind, count, field = self.entries[tag]
        size = _WIDTH_OF.get(kind, 0)
        if not size:
            raise UnreadableInput(f"the content starts as TIFF but its tag {tag} is no number; export it again")
        form = self.order + str(count) + {1: "B", 2: "H", 4: "I", 8: "Q"}[size]
        if size * count <= len(field):
            return struct.unpack_from(form, field)
        return struct.unpack_from(form, self.data, self.place(field))

    def integer(self, tag: int, default: int) -> int:
        return next(iter(self.integers(tag)), default)

    def place(self, field: bytes) -> int:
        (found,) = struct.unpack(self.order + ("Q" if self.big else "I"), field)
        return int(found)

    def drop(self, tag: int) -> None:
        """Zeros for its values."""
        _, kind, count, field = self.entries.pop(tag)
        size = count * _BYTES_OF.get(kind, 8)
        if size > len(field):
            self.data[self.place(field) : self.place(field) + size] = bytes(size)

    def put_short(self, tag: int, value: int) -> None:
        self.entries[tag] = (tag, 3, 1, struct.pack(self.order + "H", value))


def kept_tiff(found: Container) -> bytes:
    """Raises UnsupportedFormat, UnreadableInput and TooCostly."""
    directory = _directory(bytearray(found.data))
    data, at, told = directory.data, directory.at, directory.entries.keys()
    compression = directory.integer(_COMPRESSION, _NONE)
    _check_counts(directory)
    if told & _OLD_JPEG or compression == _WEBP or {_STRIPS[0], _TILES[0]} <= told:
        raise UnsupportedFormat(
            "a TIFF with WebP or the old style of JPEG in it, or with strips and tiles, is not kept; send PNG or JPEG"
        )
    kept = bytearray(at)
    places = _places(directory)
    if compression == _JPEG:
        _copy_jpegs(directory, places, kept)
    else:
        done = 0  # strips may share pixels
        for start, end in places:
            start, done = max(start, done), max(end, done)
            kept[start:done] = data[start:done]
    data[:at] = kept
    if found.white_is_zero:  # as it was; the decoder was told otherwise
        directory.put_short(_PHOTOMETRIC, 0)
    directory.put_short(ORIENTATION, found.orientation)
    return _with_directory(directory, found.data)


def _directory(data: bytearray) -> _Directory:
    """Without texts, which the decoder has no use for; where it was there are zeros."""
    order, big = "<" if data[:2] == b"II" else ">", bytes(data[2:4]) in (b"+\x00", b"\x00+")
    layout = struct.Struct(order + ("HHQ8s" if big else "HHI4s"))
    at = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    (number,) = struct.unpack_from(order + ("Q" if big else "H"), data, at)
    first = at + (8 if big else 2)
    end = first + number * layout.size
    rows: dict[int, Entry] = {row[0]: row for row in layout.iter_unpack(bytes(data[first:end]))}
    found = _Directory(data, order, big, at, rows)
    data[at:end] = bytes(end - at)
    for tag in [tag for tag, kind, _, _ in rows.values() if kind in _TEXT_KINDS and tag != _JPEG_TABLES]:
        found.drop(tag)
    return found


def _check_counts(directory: _Directory) -> None:
    """What is of no use to the decoder is a place for a text: of colours that the picture is not in it goes, else it is
    refused."""
    colours = directory.integer(_PHOTOMETRIC, 0)
    unread = (set() if colours == _YCBCR else _MOST_OF_YCBCR.keys()) | (set() if colours == _PALETTE else {_COLOURS})
    for tag in unread & directory.entries.keys():
        directory.drop(tag)
    samples, bits = directory.integer(_SAMPLES, 1), directory.integer(_BITS, 1)
    most = dict.fromkeys(_OF_EACH_SAMPLE, samples) | {_COLOURS: 3 << min(bits, 16)} | _MOST_OF_YCBCR
    for tag, _, count, _ in directory.entries.values():
        if tag not in _COUNTED_ELSEWHERE and count > most.get(tag, 1):
            raise UnsupportedFormat(f"a TIFF with {count} values of tag {tag} is not kept; send PNG or JPEG")
    for starts, lengths in (_STRIPS, _TILES):
        if len(directory.integers(starts)) != len(directory.integers(lengths)):
            raise UnsupportedFormat("a TIFF with strips or tiles of no length is not kept; send PNG or JPEG")


def _with_directory(directory: _Directory, sent: bytes) -> bytes:
    """A second one, behind the values of the first."""
    order, data, entries = directory.order, directory.data, directory.entries
    pointer, count, head = ("Q", "Q", 16) if directory.big else ("I", "H", 8)
    data[:head] = sent[:head]
    struct.pack_into(order + pointer, data, head // 2, len(data))
    layout = struct.Struct(order + ("HHQ8s" if directory.big else "HHI4s"))
    rows = b"".join(layout.pack(*entries[tag]) for tag in sorted(entries))
    return bytes(data) + struct.pack(order + count, len(entries)) + rows + bytes(struct.calcsize(pointer))


def _places(directory: _Directory) -> list[tuple[int, int]]:
    """Start and end of each strip or tile, in the order in which they lie; without compression as far as its pixels go,
    as the decoder reads it, whatever its length is said to be."""
    tiled = _TILES[0] in directory.entries
    starts, lengths = (directory.integers(tag) for tag in (_TILES if tiled else _STRIPS))
    if directory.integer(_COMPRESSION, _NONE) == _NONE and _SUBSAMPLING not in directory.entries:
        lengths = _raw_bytes(directory, len(starts), tiled=tiled)
    found = zip(starts, lengths, strict=False)
    return sorted({(start, min(start + length, directory.at)) for start, length in found})


def _raw_bytes(directory: _Directory, count: int, *, tiled: bool) -> tuple[int, ...]:
    """Bytes of the pixels of so many strips or tiles without compression, as far as there are so many."""
    planes = directory.integer(_SAMPLES, 1) if directory.integer(_PLANAR, 1) == 2 else 1
    bits = directory.integer(_BITS, 1) * directory.integer(_SAMPLES, 1) // planes
    width, height = directory.integer(_WIDTH, 0), directory.integer(_HEIGHT, 0)
    if tiled:  # of the last ones the decoder reads the rows that are in the picture
        across, rows = directory.integer(_TILE_WIDTH, 0), directory.integer(_TILE_HEIGHT, 0)
        row, beside = -(-across * bits // 8), -(-width // across)
        plane = beside * -(-height // rows)
        return tuple(
            row * min(rows, height - number % plane // beside * rows) for number in range(min(count, plane * planes))
        )
    row, rows = -(-width * bits // 8), directory.integer(_ROWS, height) or height
    strips = -(-height // rows) if rows else 1
    return tuple(row * min(rows, height - number % strips * rows) for number in range(min(count, strips * planes)))


def _copy_jpegs(directory: _Directory, places: list[tuple[int, int]], kept: bytearray) -> None:
    """Each without its texts; the tables that they share too."""
    parts, done = parts_to_look_at(), 0
    for start, end in places:
        if start < done:
            raise UnsupportedFormat("a TIFF whose JPEG-compressed strips overlap is not kept; send PNG or JPEG")
        coded, done = directory.data[start:end], end
        blank_jpeg(coded, parts)
        kept[start:end] = coded
    if _JPEG_TABLES in directory.entries:
        _, _, count, field = directory.entries[_JPEG_TABLES]
        if count > len(field):
            place = directory.place(field)
            tables = directory.data[place : place + count]
            blank_jpeg(tables, parts)
            directory.data[place : place + count] = tables
