"""What the copy that is kept costs, of the largest file of each format, beside what it is granted.

    python benchmarks/records/kept_copies.py [--only NAME]

Each file, made here, is copied and decoded once, as for an upload, in a process of its own with the settings of those
in which the service reads. Printed: what came of it, seconds of computing, the largest share of what is granted for a
step, and the most address space beyond where it stood, which is what is limited, beside what is granted. Exits with 1
where a step takes over half of its seconds, or over nine tenths of the memory are needed.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
)

sys.path.extend(str(Path(__file__).parents[2] / folder) for folder in ("tests/support", "benchmarks"))
from dicom_files import compressed, dataset, write
from hostile_files import SIDE, animated_webp

from ml_model.diagnosis import reading
from ml_model.errors import MediDiagnoseError
from ml_model.sandbox import processes
from ml_model.sandbox.pool import PoolLimits
from ml_model.sandbox.worker import Cost
from ml_model.tasks.registry import load_image_tasks

ROOT = Path(__file__).parents[2]
LARGEST = 31_900_000
SHARE_OF_SECONDS, SHARE_OF_MEMORY = 0.5, 0.9
MIB = 2**20


def levels(side: int = SIDE) -> NDArray[np.uint8]:
    y = np.arange(side)
    return ((y[:, None] // 9 * 3 + y // 7 * 5) & 255).astype(np.uint8)


def noisy(side: int, amplitude: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).integers(0, amplitude, (side, side, 3), np.uint8)
    return noise + levels(side)[..., None] // 2


def saved(pixels: NDArray[np.uint8], form: str, mode: str | None = None, **options: object) -> bytes:
    stream, picture = io.BytesIO(), Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(stream, form, **options)
    return stream.getvalue()


def with_comment(code: bytes, marker: int, at: int) -> bytes:
    """A comment in compressed pixels, so that they are decoded and compared."""
    text = b"\0\1SMITH^JOHN" if marker == 0x64 else b"SMITH^JOHN"
    return code[:at] + b"\xff" + bytes((marker,)) + struct.pack(">H", len(text) + 2) + text + code[at:]


def film(syntax: str, code: bytes, pixels: NDArray[np.integer], marker: int = 0xFE, at: int = 2) -> bytes:
    return compressed(dataset(pixels), syntax, with_comment(code, marker, at))


def jpeg_2000(pixels: NDArray[np.integer], syntax: str, level: int) -> bytes:
    code = imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", level=level)
    return film(syntax, code, pixels, 0x64, code.index(b"\xff\x52"))


def cases() -> dict[str, Callable[[], bytes]]:
    colours = partial(lambda one: np.stack([one, one[::-1], one[:, ::-1]], 2), levels())
    deep = levels().astype(np.uint16) * 256 + np.random.default_rng(1).integers(0, 4096, (SIDE, SIDE), np.uint16)
    bulky = int((LARGEST // 3) ** 0.5)
    return {
        "PNG": lambda: saved(colours(), "PNG", compress_level=1),
        "PNG, RGBA": lambda: saved(colours(), "PNG", "RGBA", compress_level=1),
        "JPEG": lambda: saved(colours(), "JPEG", quality=80),
        "progressive JPEG": lambda: saved(colours(), "JPEG", quality=60, progressive=True),
        "WebP": lambda: saved(colours(), "WEBP", quality=60, method=0, exif=b"x"),
        "WebP, lossless": lambda: saved(colours(), "WEBP", lossless=True, quality=0, method=0, exif=b"x"),
        "WebP, alpha": lambda: saved(colours(), "WEBP", "RGBA", quality=60, method=0, exif=b"x"),
        "animated WebP": animated_webp,
        "TIFF": lambda: saved(noisy(bulky, 255), "TIFF"),
        "TIFF, deflate": lambda: saved(colours(), "TIFF", compression="tiff_adobe_deflate"),
        "TIFF, LZW": lambda: saved(colours(), "TIFF", compression="tiff_lzw"),
        "TIFF, JPEG": lambda: saved(colours(), "TIFF", compression="jpeg"),
        "TIFF, CMYK": lambda: saved(colours(), "TIFF", "CMYK", compression="tiff_adobe_deflate"),
        "BMP": lambda: saved(noisy(bulky, 255), "BMP"),
        "BMP, one bit": lambda: saved(levels(), "BMP", "1"),
        "GIF": lambda: saved(levels(), "GIF"),
        "GIF, noise": lambda: saved(np.random.default_rng(2).integers(0, 64, (5400, 5400), np.uint8), "GIF"),
        "AVIF": lambda: saved(colours(), "AVIF", speed=10, quality=60),
        "AVIF, noise": lambda: saved(noisy(SIDE, 64), "AVIF", speed=10, quality=60),
        "AVIF, alpha": lambda: saved(colours(), "AVIF", "RGBA", speed=10, quality=60),
        "DICOM": lambda: write(dataset(deep[:3990, :3990])),
        "DICOM, deflated": lambda: write(dataset(levels()), DeflatedExplicitVRLittleEndian),
        "DICOM, JPEG": lambda: film(JPEGBaseline8Bit, saved(levels(), "JPEG", quality=90), levels()),
        "DICOM, lossless JPEG": lambda: film(JPEGLosslessSV1, imagecodecs.ljpeg_encode(levels()), levels()),
        "DICOM, JPEG-LS": lambda: film(JPEGLSLossless, imagecodecs.jpegls_encode(levels()), levels()),
        "DICOM, JPEG 2000": lambda: jpeg_2000(levels(), JPEG2000Lossless, 0),
        # Lossy, and nearly as large as a file may be; up to 25 megapixels are decoded whole.
        "DICOM, JPEG 2000, 16 bits": lambda: jpeg_2000(deep, JPEG2000, 56),
        "DICOM, JPEG 2000, signed": lambda: jpeg_2000(deep.view(np.int16), JPEG2000, 56),
        "DICOM, JPEG 2000, whole": lambda: jpeg_2000(deep[:4990, :4990], JPEG2000, 80),
        "DICOM, JPEG 2000, RGB": lambda: jpeg_2000(colours()[:4990, :4990], JPEG2000, 60),
    }


def measure(path: str) -> None:
    """In a process of its own."""
    reading.prepare()
    data, task = Path(path).read_bytes(), load_image_tasks()[0]
    first = PoolLimits().at_first
    granted, most_bytes, shares, since = first.cpu_s, first.memory_bytes, [0.0], time.process_time()

    def announce(cost: Cost) -> None:  # as `worker.granting` does: from now on there is so much time
        nonlocal granted, most_bytes, since
        shares.append((time.process_time() - since) / granted)
        granted, most_bytes, since = first.cpu_s + cost.cpu_s, max(most_bytes, cost.memory_bytes), time.process_time()

    def held(name: str) -> int:
        return int(Path("/proc/self/status").read_text(encoding="utf-8").split(f"{name}:")[1].split()[0]) // 1024

    before, began = held("VmSize"), time.process_time()
    try:
        limits = reading.ImageLimits()
        copy = reading.PictureToKeep(data, limits.max_bytes, limits.max_pixels, task.input).read(announce)
        found = f"{len(copy.data) / MIB:.1f} MiB"
    except MediDiagnoseError as error:
        found = error.code
    shares.append((time.process_time() - since) / granted)
    computed = time.process_time() - began
    print(json.dumps([found, computed, max(shares), held("VmPeak") - before, most_bytes / MIB]))


def main() -> int:
    """Print the table; exit code 1 where a grant has too little margin."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure(options.one)
        return 0
    print(f"{'':26}{'sent':>9} {'kept':>16} {'s':>6} {'granted':>7} {'MiB':>6} {'granted':>7}")
    short, environment = 0, os.environ | processes._SETTINGS | {"PYTHONPATH": str(ROOT)}
    for name, make in cases().items():
        if not name.startswith(options.only):
            continue
        with tempfile.NamedTemporaryFile() as file:
            file.write(data := make())
            file.flush()
            command = [sys.executable, __file__, "--one", file.name]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
        found, computed, share, grown, granted = json.loads(done.stdout)
        bad = share > SHARE_OF_SECONDS or grown > SHARE_OF_MEMORY * granted
        short += bad
        print(
            f"{name:26}{len(data) / MIB:>5.1f} MiB {found:>16} {computed:6.2f} {share:7.0%} {grown:6} {granted:7.0f}"
            f"{' <-' if bad else ''}",
            flush=True,
        )
    return int(bool(short))


if __name__ == "__main__":
    sys.exit(main())
