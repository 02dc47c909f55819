"""Is a file a small, ordinary JPEG or PNG, one that costs next to nothing to decode whatever is in it? By facts of its
container that are cheap to read; whatever is unusual is none."""

from __future__ import annotations

MOST_BYTES = 3 * 2**18
MOST_PIXELS = 800_000
_MOST_PARTS = 128  # segments or chunks: a PNG of that many bytes in the usual pieces of 8 KiB has 96
_MOST_SCANS = 12  # encoders write ten into a progressive JPEG
_MOST_SCANNED_PIXELS = 4_000_000  # pixels times scans
_MOST_UNFOLDED_BYTES = 4 * MOST_PIXELS  # of a PNG: 16 bits of colour and alpha have eight a pixel
_PNG_CHANNELS = {b"\x00": 1, b"\x02": 3, b"\x03": 1, b"\x04": 2, b"\x06": 4}  # by its colour type
_BASELINE, _EXTENDED, _PROGRESSIVE, _SCAN = 0xC0, 0xC1, 0xC2, 0xDA
_JPEG_PARTS = frozenset({0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)})  # tables, comments, application data


def is_plain(data: bytes) -> bool:
    """Whether decoding it takes less than 50 ms and 64 MB, as tests/ml_model/inputs/images/test_plain.py shows."""
    if len(data) > MOST_BYTES or data[128:132] == b"DICM":
        return False
    if data.startswith(b"\xff\xd8\xff"):
        return _is_plain_jpeg(data)
    return data.startswith(b"\x89PNG\r\n\x1a\n") and _is_plain_png(data)


def _is_plain_jpeg(data: bytes) -> bool:
    """One frame, baseline or progressive, its header without fill bytes, few scans for its size."""
    position, pixels = 2, 0
    for _ in range(_MOST_PARTS):
        if position + 4 > len(data) or data[position] != 0xFF:
            return False
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == _SCAN:
            break
        if marker in (_BASELINE, _EXTENDED, _PROGRESSIVE):
            if pixels:
                return False
            frame = data[position + 5 : position + 9]
            pixels = int.from_bytes(frame[:2], "big") * int.from_bytes(frame[2:], "big")
        elif marker not in _JPEG_PARTS:
            return False
        position += 2 + length
    else:
        return False
    # Behind the header, in the coded pixels: a marker of a scan is never anything else, fill bytes are not needed.
    scans = data.count(b"\xff\xda", position)
    simple = data.find(b"\xff\xff", position) < 0
    few = 0 < scans <= _MOST_SCANS and pixels * scans <= _MOST_SCANNED_PIXELS
    return simple and few and 0 < pixels <= MOST_PIXELS


def _is_plain_png(data: bytes) -> bool:
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    bits, channels = data[24:25], _PNG_CHANNELS.get(data[25:26], 8)
    unfolded = width * height * channels * max(8, *bits) // 8
    position = 8
    for _ in range(_MOST_PARTS):
        kind = data[position + 4 : position + 8]
        position += 12 + int.from_bytes(data[position : position + 4], "big")
        if kind == b"IEND" or position >= len(data):
            return 0 < width * height <= MOST_PIXELS and unfolded <= _MOST_UNFOLDED_BYTES
    return False
