"""Pictures for tests, valid and crafted, and the memory of this process."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ml_model.tasks.registry import ImageInput, ImageTask

INPUT = ImageInput(modality="photograph", height_px=32, width_px=48, min_side_px=1)
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")
ORIENTATION = 274
OBJECT_STREAM = b"<</Length %d%s>>stream\n%s\nendstream"  # of a PDF document


def encode(image: Image.Image, name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def picture(width_px: int = 96, height_px: int = 64, seed: int = 0) -> Image.Image:
    """Smooth random colours, so that lossy codecs stay close."""
    noise = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width_px, height_px), Image.Resampling.BICUBIC)


def detailed(width_px: int = 200, height_px: int = 160, seed: int = 0, colours: str = "L") -> Image.Image:
    """The same with a finer layer, so that it does not count as blurred; grey, so not as a photograph of a screen."""
    noise = np.random.default_rng(seed).integers(0, 256, (36, 48, 3), dtype=np.uint8)
    fine = Image.fromarray(noise).resize((width_px, height_px), Image.Resampling.BICUBIC)
    return Image.blend(picture(width_px, height_px, seed), fine, alpha=0.2).convert(colours).convert("RGB")


def chest_film(seed: int = 0) -> NDArray[np.uint8]:
    """A drawn chest film, uint8 RGB (240, 240, 3): dark lungs, light spine and belly, the heart at the right."""
    rng = np.random.default_rng(seed)
    grey = np.full((240, 240), 120, np.uint8)
    cv2.rectangle(grey, (0, 0), (240, 40), (60,), cv2.FILLED)
    cv2.rectangle(grey, (90, 0), (150, 60), (150,), cv2.FILLED)
    cv2.rectangle(grey, (0, 195), (240, 240), (200,), cv2.FILLED)
    for x in (70, 170):
        cv2.ellipse(grey, (x, 115), (42, 85), 0, 0, 360, (40,), cv2.FILLED)
    cv2.rectangle(grey, (108, 20), (132, 200), (190,), cv2.FILLED)
    cv2.ellipse(grey, (143, 155), (38, 42), 20, 0, 360, (190,), cv2.FILLED)
    for y in range(45, 190, 18):
        for x in (62, 178):
            cv2.ellipse(grey, (x, y + 14), (42, 12), 0, 180, 360, (95,), 3)  # straight ones would be a grid
    soft = cv2.GaussianBlur(grey, (0, 0), 2)
    return np.repeat(np.clip(soft + rng.normal(0, 2, soft.shape), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width_px: int, height_px: int, *chunks: bytes) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + png_chunk(b"IDAT", b"x") + png_chunk(b"IEND", b"")


def plain_tiff(values: NDArray[np.generic], photometric: int, order: str = "little", **changes: int) -> bytes:
    """An uncompressed greyscale TIFF of one strip, any tag of which can be changed."""
    mark = "<" if order == "little" else ">"
    body = values.astype(values.dtype.newbyteorder(mark)).tobytes()
    tags = {
        256: values.shape[1],
        257: values.shape[0],
        258: values.dtype.itemsize * 8,
        259: 1,
        262: photometric,
        273: 8,
        277: 1,
        278: values.shape[0],
        279: len(body),
    } | {int(tag.removeprefix("tag")): value for tag, value in changes.items()}
    directory = b"".join(struct.pack(mark + "HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    head = (b"II*\x00" if order == "little" else b"MM\x00*") + struct.pack(mark + "I", 8 + len(body))
    return head + body + struct.pack(mark + "H", len(tags)) + directory + b"\x00" * 4


def document(*objects: bytes, trailer: bytes = b"") -> bytes:
    """A PDF file of these objects, numbered from 1; the first is the catalogue."""
    written, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(written))
        written += b"%d 0 obj%sendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return (
        written
        + b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
        + b"trailer<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF" % (size, trailer, len(written))
    )


def drawing(content: bytes, media: str = "0 0 800 400", flate: bool = False, **extra: bytes) -> bytes:
    """A document of one page with this content stream."""
    body = zlib.compress(content, 9) if flate else content
    return document(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[%s]/Contents 4 0 R>>" % media.encode(),
        OBJECT_STREAM % (len(body), b"/Filter/FlateDecode" if flate else b"", body),
        **extra,
    )


def depths(bits: int, kind: type = np.uint16) -> NDArray[np.generic]:
    """A ramp over the whole range of a detector of so many bits."""
    return np.tile(np.linspace(0, 2**bits - 1, 48).round(), (32, 1)).astype(kind)


def resident_mib() -> float:
    """Resident memory of this process; skips where the kernel does not tell."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip(f"resident memory is read from /proc, which {sys.platform} has not")
    return int(statm.read_text(encoding="utf-8").split()[1]) * 4096 / 2**20


def extra_bytes(call: Callable[[], object]) -> int:
    """How far the resident memory of this process rose at most while it was called. On Linux."""

    def of_this_process(field: str) -> int:
        return int(Path("/proc/self/status").read_text(encoding="ascii").split(f"{field}:")[1].split()[0]) * 1024

    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the highest is the present one
    before = of_this_process("VmRSS")
    call()
    return of_this_process("VmHWM") - before


def soft_pictures(task: ImageTask) -> NDArray[np.uint8]:
    """Soft grey blobs of middling contrast, as in real pictures.

    Noise leaves the last feature maps nearly empty; hard-edged blocks of full contrast, and colours where a model knows
    grey alone, drive activations far beyond those of real pictures, where the engines differ by rounding alone (9e-4;
    on films and slices 6e-6).
    """
    rng = np.random.default_rng(0)
    size = (task.input.width_px, task.input.height_px)
    coarse = np.repeat(rng.integers(40, 216, (3, 7, 7, 1), dtype=np.uint8), 3, axis=3)
    return np.stack([cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR) for picture in coarse])
