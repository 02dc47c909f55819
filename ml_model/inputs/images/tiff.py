"""TIFF directories: the first picture's tags checked and written anew, and the orientation tag of EXIF blocks.

Decoding works on a file with one fresh directory that holds only the tags that
describe pixels, each inside the file and of the expected length. Metadata, further
pages and crafted pointers never reach the decoder: without it test_damaged_files_give_a_picture_or_a_reasoned_refusal,
test_huge_pictures_are_refused_before_memory_is_taken and test_hostile_files.py fail.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ml_model.errors import InputTooLarge, TooCostly, UnreadableInput

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_INTEGER_TYPES = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8"}
_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _ORIENTATION = 256, 257, 258, 262, 274
_STRIP_OFFSETS, _ROWS_PER_STRIP, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS = 273, 278, 322, 323, 324
_COMPRESSION, _SAMPLES_PER_PIXEL, _PLANAR, _OLD_JPEG_POINTER = 259, 277, 284, 513
_BYTE_COUNTS = {_STRIP_OFFSETS: 279, _TILE_OFFSETS: 325}
_SCALARS = frozenset(
    {_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, 266, 277, _ROWS_PER_STRIP, _PLANAR, 317, 322, 323, 292, 293}
)
# Scalars, and: bits per sample, offsets and byte counts of strips and tiles, colour map, extra samples,
# sample format, JPEG tables (new and old style), YCbCr description.
_PIXEL_TAGS = _SCALARS | {_BITS, 273, 279, 320, 324, 325, 338, 339, 347, *range(512, 522), 529, 530, 531, 532}
# Values of a tag: the decoder makes an object of each. Strips and tiles, the colours of 16 bits, bytes of JPEG tables.
_MOST_STRIPS, _MOST_VALUES = 100_000, 64
_STRIP_TAGS = frozenset({273, 279, 324, 325})
_MOST_VALUES_OF = dict.fromkeys(_STRIP_TAGS, _MOST_STRIPS) | {320: 3 * 65_536, 347: 65_536}
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _YCBCR = 0, 1, 6


@dataclass(frozen=True)
class _Entry:
    kind: int
    count: int
    value: bytes


@dataclass(frozen=True)
class _Directory:
    order: Literal["little", "big"]
    big: bool
    entries: dict[int, _Entry]

    @property
    def prefix(self) -> str:
        return "<" if self.order == "little" else ">"

    def integers(self, tag: int) -> NDArray[np.unsignedinteger[Any]]:
        """Values of an integer tag, empty when it is absent or of another type."""
        entry = self.entries.get(tag)
        if entry is None or entry.kind not in _INTEGER_TYPES:
            return np.zeros(0, np.uint8)
        return np.frombuffer(entry.value, self.prefix + _INTEGER_TYPES[entry.kind])

    def integer(self, tag: int, default: int) -> int:
        return int(next(iter(self.integers(tag)), default))


@dataclass(frozen=True)
class TiffPicture:
    """The first picture of a TIFF file. `white_is_zero` is set only where the decoder leaves the inversion to us."""

    data: bytes
    width_px: int
    height_px: int
    orientation: int
    white_is_zero: bool


def _read_directory(data: bytes, wanted: frozenset[int] | set[int]) -> _Directory:
    """The wanted tags of the first directory. Raises UnreadableInput when it points outside the file, TooCostly."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    prefix = "<" if order == "little" else ">"
    big = data[2:4] in (b"+\x00", b"\x00+")
    try:
        start = struct.unpack_from(prefix + ("8xQ" if big else "4xI"), data)[0]
        number = struct.unpack_from(prefix + ("Q" if big else "H"), data, start)[0]
        start += 8 if big else 2
        layout = struct.Struct(prefix + ("HHQ8s" if big else "HHI4s"))
        entries = {}
        for tag, kind, count, field in layout.iter_unpack(data[start : start + number * layout.size]):
            if tag in wanted and tag not in entries:
                entries[tag] = _entry(data, order, tag, kind, count, field)
    except (struct.error, OverflowError) as error:
        raise UnreadableInput("the content starts as TIFF but its directory is truncated; export it again") from error
    return _Directory(order, big, entries)


def _entry(data: bytes, order: Literal["little", "big"], tag: int, kind: int, count: int, field: bytes) -> _Entry:
    size, most = _TYPE_BYTES.get(kind, 0) * count, _MOST_VALUES_OF.get(tag, _MOST_VALUES)
    if size == 0 or (tag in _SCALARS and count != 1) or (tag not in _STRIP_TAGS and count > most):
        raise UnreadableInput(f"the content starts as TIFF but its tag {tag} is corrupt; export the picture again")
    offset = int.from_bytes(field, order)
    if size > len(field) and offset + size > len(data):
        raise UnreadableInput(f"the content starts as TIFF but tag {tag} lies beyond the end: the file is truncated")
    if count > most:
        raise TooCostly(f"the TIFF lists {count} strips or tiles, at most {most} are read; save it with larger ones")
    return _Entry(kind, count, field[:size] if size <= len(field) else data[offset : offset + size])


def _with_fresh_directory(data: bytes, directory: _Directory) -> bytes:
    """`data` with a new directory at its end, so that every offset of pixel data stays valid."""
    prefix, word, field_bytes = directory.prefix, *(("Q", 8) if directory.big else ("I", 4))
    body = data + b"\x00" * (-len(data) % 16)
    count_bytes = 8 if directory.big else 2
    entry_bytes = 20 if directory.big else 12
    values_at = len(body) + count_bytes + len(directory.entries) * entry_bytes + field_bytes
    table, values = [struct.pack(prefix + ("Q" if directory.big else "H"), len(directory.entries))], bytearray()
    for tag in sorted(directory.entries):
        entry = directory.entries[tag]
        field = entry.value.ljust(field_bytes, b"\x00")
        if len(entry.value) > field_bytes:
            field = struct.pack(prefix + word, values_at + len(values))
            values += entry.value.ljust(-(-len(entry.value) // 8) * 8, b"\x00")
        table.append(struct.pack(prefix + "HH" + word, tag, entry.kind, entry.count) + field)
    table.append(b"\x00" * field_bytes)
    pointer_at = 8 if directory.big else 4
    header = body[:pointer_at] + struct.pack(prefix + word, len(body))
    return b"".join([header, memoryview(body)[len(header) :], *table, values])


def _check_layout(data: bytes, directory: _Directory, width_px: int, height_px: int, max_pixels: int) -> None:
    """Raise when strips or tiles are missing or lie beyond the end, or when tiles are larger than a picture may be."""
    tile = directory.integer(_TILE_WIDTH, 0), directory.integer(_TILE_HEIGHT, 0)
    if _TILE_OFFSETS in directory.entries:
        if tile[0] * tile[1] > max_pixels:
            raise InputTooLarge(f"the TIFF's tiles are {tile[0]}x{tile[1]} pixels; send it with smaller tiles")
        needed, offsets = -(-width_px // tile[0]) * -(-height_px // tile[1]), _TILE_OFFSETS
    else:
        rows = directory.integer(_ROWS_PER_STRIP, height_px) or height_px
        needed, offsets = -(-height_px // rows), _STRIP_OFFSETS
    if directory.integer(_PLANAR, 1) == 2:
        needed *= directory.integer(_SAMPLES_PER_PIXEL, 1)
    if _OLD_JPEG_POINTER in directory.entries:  # old-style JPEG compression has its own pointers
        return
    starts, lengths = directory.integers(offsets), directory.integers(_BYTE_COUNTS[offsets])
    listed = min(len(starts), len(lengths))
    if listed < needed:
        raise UnreadableInput(
            f"the content starts as TIFF but lists {listed} of {needed} strips or tiles; export the picture again"
        )
    bits = [int(number) for number in directory.integers(_BITS)] or [1]
    # Subsampled YCbCr stores at least the luma of each pixel.
    subsampled = directory.integer(_PHOTOMETRIC, _BLACK_IS_ZERO) == _YCBCR
    samples = 1 if subsampled else max(directory.integer(_SAMPLES_PER_PIXEL, len(bits)), 1)
    raw_bytes = width_px * height_px * max(bits[0], 1) * samples // 8 if directory.integer(_COMPRESSION, 1) == 1 else 0
    ends = [int(start) + int(length) for start, length in zip(starts[:listed], lengths[:listed], strict=True)]
    if max(ends) > len(data) or raw_bytes > len(data):
        raise UnreadableInput(
            "the content starts as TIFF but is truncated (the file ends before the picture does); export it again"
        )


def read_tiff(data: bytes, max_pixels: int) -> TiffPicture:
    """The first picture, with a directory the decoder can trust.

    A size of zero or beyond the limit is left for the caller to refuse.

    Raises UnreadableInput (truncated or corrupt directory), InputTooLarge (tiles beyond `max_pixels`), TooCostly.
    """
    directory = _read_directory(data, _PIXEL_TAGS | {_ORIENTATION})
    width_px, height_px = directory.integer(_WIDTH, 0), directory.integer(_HEIGHT, 0)
    orientation = directory.integer(_ORIENTATION, 1)
    if 0 < width_px * height_px <= max_pixels:
        _check_layout(data, directory, width_px, height_px, max_pixels)
    entries = {tag: entry for tag, entry in directory.entries.items() if tag != _ORIENTATION}
    deep = bool((directory.integers(_BITS) > 8).any())
    inverted = deep and directory.integer(_PHOTOMETRIC, _BLACK_IS_ZERO) == _WHITE_IS_ZERO
    if inverted:  # Pillow ignores or refuses white-is-zero beyond 8 bits, so it is told black-is-zero
        entries[_PHOTOMETRIC] = _Entry(3, 1, _BLACK_IS_ZERO.to_bytes(2, directory.order))
    fresh = _with_fresh_directory(data, _Directory(directory.order, directory.big, entries))
    return TiffPicture(fresh, width_px, height_px, orientation if 1 <= orientation <= 8 else 1, inverted)


def exif_orientation(exif: bytes) -> int:
    """Orientation 1-8 of an EXIF block (with or without its "Exif" lead); 1 when absent or unreadable."""
    block = exif[6:] if exif.startswith(b"Exif\x00\x00") else exif
    if block[:4] not in (b"II*\x00", b"MM\x00*"):
        return 1
    try:
        orientation = _read_directory(block, {_ORIENTATION}).integer(_ORIENTATION, 1)
    except UnreadableInput:
        return 1
    return orientation if 1 <= orientation <= 8 else 1
