"""Files for tests that no decoder should take: cut, patched, with false headers, or unfolding to far too much."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable

import numpy as np
from pictures import png_chunk
from PIL import Image


def picture(name: str = "JPEG", width_px: int = 96, height_px: int = 64, **options: object) -> bytes:
    """A valid picture with structure in it."""
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).resize((width_px, height_px), Image.Resampling.BICUBIC).save(stream, name, **options)
    return stream.getvalue()


def cut(name: str, share: float) -> Callable[[], bytes]:
    """The first part of a valid picture."""

    def make() -> bytes:
        data = picture(name)
        return data[: int(len(data) * share)]

    return make


def patched(name: str, find: bytes, offset: int, new: bytes) -> Callable[[], bytes]:
    """A valid picture with some bytes overwritten, counted from where `find` first occurs."""

    def make() -> bytes:
        data = bytearray(picture(name))
        at = data.index(find) + offset
        data[at : at + len(new)] = new
        return bytes(data)

    return make


def png(width_px: int, height_px: int, pixels: bytes) -> bytes:
    """A PNG that claims a size and holds some other pixel data."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")


def gif_bomb(width_px: int, height_px: int) -> bytes:
    """A few bytes that unfold to a huge frame."""
    size = struct.pack("<HH", width_px, height_px)
    return b"GIF89a" + size + b"\x80\0\0" + b"\0\0\0\xff\xff\xff" + b"," + bytes(4) + size + b"\0\x02\x02\x4c\x01\0;"


def gif_with_far_frame() -> bytes:
    """A small screen with a frame far outside it."""
    frame = b"," + struct.pack("<HHHH", 65_000, 65_000, 9, 9) + b"\0\x02\x02\x4c\x01\0;"
    return b"GIF89a" + struct.pack("<HH", 64, 64) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff" + frame


def tiff(**changes: int) -> bytes:
    """A small grey TIFF of one strip, any tag of which can be changed."""
    tags = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 64, 279: 4096}
    tags |= {int(tag.removeprefix("tag")): value for tag, value in changes.items()}
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    pixels = np.random.default_rng(0).integers(0, 256, 4096, dtype=np.uint8).tobytes()
    return b"II*\0" + struct.pack("<I", 8 + 4096) + pixels + struct.pack("<H", len(tags)) + directory + bytes(4)


def dicom(width_px: int, height_px: int) -> bytes:
    """A grey DICOM file, explicit little-endian, with 64 x 64 pixels whatever it says."""
    words = ((0x02, 1), (0x10, height_px), (0x11, width_px), (0x100, 8), (0x101, 8), (0x102, 7), (0x103, 0))
    layout = b"".join(struct.pack("<HH2sHH", 0x28, number, b"US", 2, word) for number, word in words)
    pixels = np.random.default_rng(0).integers(0, 256, 4096, dtype=np.uint8).tobytes()
    return bytes(128) + b"DICM" + layout + struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, len(pixels)) + pixels


def zipped(content: bytes, name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def scans(times: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    data = picture("JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * times + b"\xff\xd9"
