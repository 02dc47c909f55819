"""The test pictures as users and bad cameras would send them: what the one decoder gives of a file in, file bytes out.

So a change starts from what is seen of a picture: upright, its 16 bits brought to 8, in RGB.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml_model.inputs.images.decoder import decode_image
from ml_model.tasks.registry import ImageInput

Pixels = NDArray[np.uint8]
Change = Callable[[Image.Image], bytes]

BLUR_SHARE_OF_SIDE = 0.008
NOISE_LEVELS = 12.0
BRIGHTNESS = 0.3
ROTATION_DEGREES = 15.0


def _encoded(picture: Image.Image, image_format: str, **options: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, image_format, **options)
    return out.getvalue()


def changed_bytes(data: bytes, change: Change, image_input: ImageInput) -> bytes:
    """The file after a change of its picture, every pixel of it. Raises what `decode_image` raises."""
    return change(decode_image(data, image_input, full_size=True).rgb)


def recoded(picture: Image.Image, *, image_format: str, scale: int = 1, **options: int) -> bytes:
    """The same picture in another format, or `scale` times its size."""
    if scale != 1:
        picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.BICUBIC)
    return _encoded(picture, image_format, **options)


def corrupted(picture: Image.Image, *, corruption: Callable[[Pixels], NDArray[np.generic]]) -> bytes:
    """The picture with its pixels changed, as PNG."""
    changed = np.clip(corruption(np.asarray(picture)), 0, 255).astype(np.uint8)
    return _encoded(Image.fromarray(changed), "PNG", compress_level=1)


def blurred(pixels: Pixels) -> NDArray[np.generic]:
    """Gaussian blur; its deviation is a share of the shorter side, so that it hides as much at any size."""
    return cv2.GaussianBlur(pixels, (0, 0), BLUR_SHARE_OF_SIDE * min(pixels.shape[:2]))


def noisy(pixels: Pixels) -> NDArray[np.generic]:
    """Gaussian noise on every pixel and channel, the same for every picture of a size."""
    return pixels + np.random.default_rng(0).normal(0, NOISE_LEVELS, pixels.shape)


def brighter(pixels: Pixels, share: float) -> NDArray[np.generic]:
    """Every level times 1 + share."""
    return pixels * (1 + share)


def rotated(pixels: Pixels, degrees: float) -> NDArray[np.generic]:
    """Turned about its centre, the corners filled by reflection."""
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


# What users do to a picture before they send it; the figures must hold.
VARIANTS: dict[str, Change] = {
    "jpeg_75": partial(recoded, image_format="JPEG", quality=75),
    "jpeg_95": partial(recoded, image_format="JPEG", quality=95),
    "png": partial(recoded, image_format="PNG", compress_level=1),
    "twice_the_size": partial(recoded, image_format="PNG", scale=2, compress_level=1),
}
# What makes a picture worse; the figures say by how much the answers suffer.
CORRUPTIONS: dict[str, Change] = {
    "blur": partial(corrupted, corruption=blurred),
    "noise": partial(corrupted, corruption=noisy),
    "jpeg_30": partial(recoded, image_format="JPEG", quality=30),
    "brighter": partial(corrupted, corruption=partial(brighter, share=BRIGHTNESS)),
    "darker": partial(corrupted, corruption=partial(brighter, share=-BRIGHTNESS)),
    "rotated_left": partial(corrupted, corruption=partial(rotated, degrees=ROTATION_DEGREES)),
    "rotated_right": partial(corrupted, corruption=partial(rotated, degrees=-ROTATION_DEGREES)),
}
PICTURE_CHANGES = {"variants": VARIANTS, "corruptions": CORRUPTIONS}
