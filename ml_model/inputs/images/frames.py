"""How many pictures a file holds, of which one is read: the first, of DICOM that which `Presentation` says. Told by its
container; nothing is decoded."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ml_model.inputs.images.gif import GIF_PICTURE, gif_blocks

_MOST_PAGES = 10_000  # what comes after them is not looked at
_REDUCED_OR_MASK = 0b101  # bits of TIFF's NewSubfileType: a smaller copy of another page, or its mask
_NEW_SUBFILE_TYPE = 254  # the smallest tag, so it comes first where it is used
ONE_FRAME = frozenset({"JPEG", "BMP"})
WEBP_FRAME = b"ANMF"
_PAGED = frozenset({"TIFF", "PDF"})


def count_frames(name: str, data: bytes) -> int:
    """Frames or pages of a PNG, GIF, TIFF or WebP file; 1 for other formats, and for what is damaged."""
    if name == "GIF":
        pictures = (data[start] == GIF_PICTURE and start + 10 <= len(data) for start, _, _ in gif_blocks(data))
        return max(1, sum(pictures))
    if name == "TIFF":
        return max(1, _tiff_pages(data))
    if name == "WEBP":
        return max(1, sum(kind == WEBP_FRAME for kind, _, _ in riff_chunks(data, 12)))
    if name == "PNG":
        # An animation says how many frames it has in a chunk before the first pixels.
        head = data[: max(data.find(b"IDAT"), 0)]
        at = head.find(b"\x00\x00\x00\x08acTL")
        return max(1, int.from_bytes(head[at + 8 : at + 12], "big")) if at > 0 else 1
    return 1


def riff_chunks(data: bytes, position: int) -> Iterator[tuple[bytes, int, bytes]]:
    """Kind, bytes as stated, and content as far as it is there."""
    while position + 8 <= len(data):
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        yield data[position : position + 4], length, data[position + 8 : position + 8 + length]
        position += 8 + length + length % 2


def note_on_frames(name: str, frames: int, answered: int | None = None) -> str | None:
    """A sentence where a file holds more than is read. answered: which one was, where that can be chosen."""
    if frames < 2:
        return None
    if name == "DICOM":
        which = f"frame {answered} was" if answered else "the middle one is"
        asks = f"frame=1 to {frames} asks for another"
        return f"the DICOM file holds {frames} frames; only {which} read and answered: {asks}"
    what = "pages" if name in _PAGED else "frames"
    return (
        f"the {name} file holds {frames} {what}; only the first was read and answered: "
        "send the others as files of their own"
    )


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
