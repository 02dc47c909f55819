"""Blocks of a GIF file, each passed over once."""

from __future__ import annotations

from collections.abc import Iterator

GIF_PICTURE, _EXTENSION = 0x2C, 0x21
MOST_GIF_BLOCKS = 200_000  # a GIF of the largest upload has 130,000 full ones


def gif_head_bytes(data: bytes) -> int:
    """Bytes of signature, screen and global palette, before the first block."""
    return 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)


def gif_blocks(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Start and end of each picture or extension, and how many blocks and sub-blocks were passed up to there.

    Up to anything else, to the end of the file (the last end then lies beyond it) or to MOST_GIF_BLOCKS, beyond
    which the count of the last one is.
    """
    position, passed = gif_head_bytes(data), 0
    while position < len(data) and data[position] in (GIF_PICTURE, _EXTENSION):
        start = position
        position += 2
        if data[start] == GIF_PICTURE:
            flags = data[start + 9] if start + 9 < len(data) else 0
            position = start + 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        passed += 1
        while position < len(data) and data[position] and passed <= MOST_GIF_BLOCKS:  # sub-blocks, up to the empty one
            position += 1 + data[position]
            passed += 1
        position += 1
        yield start, position, passed
        if passed > MOST_GIF_BLOCKS:
            return
