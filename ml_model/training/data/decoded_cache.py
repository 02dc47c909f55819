"""Decode every image once into a memory-mapped uint8 array, with the decoder that serves requests."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from ml_model.inference.provenance import decoding_sha256
from ml_model.inputs.images.decoder import load_image
from ml_model.inputs.images.geometry import place
from ml_model.inputs.images.surround import find_surround
from ml_model.tasks.registry import ImageInput
from ml_model.training.data.ecg_pages import page_of
from ml_model.training.data.samples import Sample


def data_fingerprint(samples: Sequence[Sample]) -> str:
    """SHA-256 over file names, sizes, labels, groups and splits: the same data give the same value."""
    digest = hashlib.sha256()
    for s in sorted(samples, key=lambda s: str(s.path)):
        digest.update(f"{s.path.name}|{s.path.stat().st_size}|{s.label}|{s.group}|{s.split}\n".encode())
    return digest.hexdigest()


def picture_bytes(sample: Sample) -> bytes:
    """What a client would send of this sample: the file as it is, or a PNG of the page that shows an ECG record."""
    if sample.path.suffix != ".hea":
        return sample.path.read_bytes()
    return as_png(page_of(sample))


def as_png(pixels: NDArray[np.uint8]) -> bytes:
    """RGB (H, W, 3) as a file, lossless."""
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def shown(sample: Sample, image_input: ImageInput) -> NDArray[np.uint8]:
    """What the model sees of this sample, (height_px, width_px, 3). The page of an ECG record goes without its PNG."""
    if sample.path.suffix == ".hea":
        page = Image.fromarray(page_of(sample))
        surround = find_surround(page, image_input)
        return place(page.crop(surround.box) if surround else page, image_input)[0]
    return load_image(picture_bytes(sample), image_input).pixels


def _cache_key(samples: Sequence[Sample], image_input: ImageInput) -> str:
    """Another one wherever the pixels could be others: other files, another input, another decoder or drawer."""
    names = "|".join(f"{s.path}{s.look}{s.photographed}" for s in samples)
    drawn = any(s.path.suffix == ".hea" for s in samples)
    code = decoding_sha256(image_input, *([page_of.__module__] if drawn else []))
    return hashlib.sha256(f"{data_fingerprint(samples)}{code}{names}".encode()).hexdigest()[:16]


def decode_all(samples: Sequence[Sample], image_input: ImageInput, cache_dir: Path) -> NDArray[np.uint8]:
    """Pixels of every sample, uint8 (N, height_px, width_px, 3), kept in `cache_dir` for the next run."""
    size = (image_input.height_px, image_input.width_px)
    path = cache_dir / f"pixels-{_cache_key(samples, image_input)}.npy"
    if not path.is_file():
        cache_dir.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        out = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=(len(samples), *size, 3))

        def decode(index: int) -> None:
            out[index] = shown(samples[index], image_input)

        with ThreadPoolExecutor() as pool:
            list(tqdm(pool.map(decode, range(len(samples))), total=len(samples), desc="decode", unit="img"))
        out.flush()
        partial.rename(path)
    pixels: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return pixels
