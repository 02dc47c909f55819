"""How many pictures a file holds, of which only the first is read. Told by its container; nothing is decoded."""

from __future__ import annotations

import struct

_MOST_PAGES = 10_000  # what comes after them is not looked at
_MOST_BLOCKS = 200_000  # a GIF of the largest upload has 130,000 full ones
_REDUCED_OR_MASK = 0b101  # bits of TIFF's NewSubfileType: a smaller copy of another page, or its mask
_NEW_SUBFILE_TYPE = 254  # the smallest tag, so it comes first where it is used
ONE_FRAME = frozenset({"JPEG", "BMP"})
_PAGED = frozenset({"TIFF", "PDF"})


def count_frames(name: str, data: bytes) -> int:
    """Frames or pages of a PNG, GIF or TIFF file; 1 for other formats, and for what is damaged."""
    if name == "GIF":
        return max(1, _gif_frames(data))
    if name == "TIFF":
        return max(1, _tiff_pages(data))
    if name == "PNG":
        # An animation says how many frames it has in a chunk before the first pixels.
        head = data[: max(data.find(b"IDAT"), 0)]
        at = head.find(b"\x00\x00\x00\x08acTL")
        return max(1, int.from_bytes(head[at + 8 : at + 12], "big")) if at > 0 else 1
    return 1


def note_on_frames(name: str, frames: int) -> str | None:
    """A sentence where a file holds more than was read."""
    if frames < 2:
        return None
    what = "pages" if name in _PAGED else "frames"
    return (
        f"the {name} file holds {frames} {what}; only the first was read and answered: "
        "send the others as files of their own"
    )


def _gif_frames(data: bytes) -> int:
    position, frames = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0), 0
    left = _MOST_BLOCKS
    while left > 0 and position + 10 <= len(data) and data[position] in (0x21, 0x2C):
        if data[position] == 0x2C:
            frames += 1
            flags = data[position + 9]
            position += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        else:
            position += 2
        while position < len(data) and data[position]:  # sub-blocks, up to the empty one
            position += 1 + data[position]
            left -= 1
            if left < 0:
                return frames
        position += 1
        left -= 1
    return frames


def _tiff_pages(data: bytes) -> int:
    """Directories of the chain that are pages of their own."""
    order, big = "<" if data[:2] == b"II" else ">", data[2:4] in (b"+\x00", b"\x00+")
    word, count_of, entry_bytes = ("Q", "Q", 20) if big else ("I", "H", 12)
    seen: set[int] = set()
    pages, pointer_at = 0, 8 if big else 4
    try:
        while len(seen) < _MOST_PAGES:
            (start,) = struct.unpack_from(order + word, data, pointer_at)
            if start == 0 or start in seen:
                break
            seen.add(start)
            (entries,) = struct.unpack_from(order + count_of, data, start)
            first = start + struct.calcsize(count_of)
            tag, kind = struct.unpack_from(order + "HH", data, first)
            value_at = first + (12 if big else 8)
            (value,) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, value_at)
            pages += not (tag == _NEW_SUBFILE_TYPE and value & _REDUCED_OR_MASK)
            pointer_at = first + entries * entry_bytes
    except (struct.error, OverflowError):  # the chain leaves the file
        pass
    return pages
