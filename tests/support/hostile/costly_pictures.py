"""Legal pictures that cost as much as their size lets them; seeded, made from scratch."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of PNG's colour types
_PAETH = 4


def png(
    width_px: int, height_px: int, bits: int, colour_type: int, *, adam7: bool = False, noise: float = 0.0
) -> bytes:
    """A PNG, every row with the costliest filter; zeros, so that it is tiny, but for a share `noise` of its bytes."""
    rng, rows = np.random.default_rng(0), []
    passes = _ADAM7 if adam7 else ((0, 0, 1, 1),)
    for left, top, step_x, step_y in passes:
        columns, lines = -(-(width_px - left) // step_x), -(-(height_px - top) // step_y)
        row = np.zeros((lines, 1 + -(-columns * _CHANNELS[colour_type] * bits // 8)), np.uint8)
        noisy = int(row.size * noise)
        row.flat[rng.integers(0, row.size, noisy)] = rng.integers(0, 256, noisy)
        row[:, 0] = _PAETH
        rows.append(row.tobytes())
    header = struct.pack(">IIBBBBB", width_px, height_px, bits, colour_type, 0, 0, int(adam7))
    palette = [(b"PLTE", bytes(range(256)) * 3), (b"tRNS", bytes(range(256)))] if colour_type == 3 else []
    chunks = [(b"IHDR", header), *palette, (b"IDAT", zlib.compress(b"".join(rows), 1 if noise else 9)), (b"IEND", b"")]
    packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def noise(width_px: int, height_px: int) -> NDArray[np.uint8]:
    """(height_px, width_px, 3)."""
    return np.random.default_rng(0).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)


def jpeg(pixels: NDArray[np.uint8], quality: int = 100, *, progressive: bool = False, subsampling: int = 0) -> bytes:
    """A JPEG; progressive ones have ten scans."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality, progressive=progressive, subsampling=subsampling)
    return stream.getvalue()


# The worst that `is_plain` lets pass: in bytes, pixels, scans, depth and filters.
COSTLY_PLAIN: dict[str, Callable[[], bytes]] = {
    "JPEG of noise in most bytes": lambda: jpeg(noise(432, 432)),
    "JPEG of noise in most pixels": lambda: jpeg(noise(894, 894), 40),
    "progressive JPEG of noise": lambda: jpeg(noise(630, 630), 60, progressive=True),
    "PNG of 16-bit RGBA": lambda: png(632, 632, 16, 6),
    "PNG of 16-bit RGBA with some noise": lambda: png(632, 632, 16, 6, noise=0.05),
    "PNG of RGB noise in most bytes": lambda: png(500, 500, 8, 2, noise=3.0),
    "interlaced PNG of 16-bit RGBA": lambda: png(632, 632, 16, 6, adam7=True),
    "interlaced PNG of RGBA": lambda: png(894, 894, 8, 6, adam7=True, noise=0.05),
    "PNG of 16-bit grey": lambda: png(894, 894, 16, 0),
    "interlaced PNG of 1-bit grey": lambda: png(894, 894, 1, 0, adam7=True),
    "PNG of a palette with transparency": lambda: png(894, 894, 8, 3, noise=0.3),
    "PNG of 16-bit grey with alpha": lambda: png(894, 894, 16, 4),
}
