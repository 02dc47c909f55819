"""Pictures of any mode that a decoder gives, brought to RGB: grey of 16 bits, palettes, CMYK, transparency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml_model.errors import UnreadableInput, UnsupportedFormat
from ml_model.inputs.images.raster_containers import Container

_FLOAT_LIMIT = 1e30  # beyond it float32 arithmetic overflows; no detector delivers such values
# Detectors deliver 10, 12 or 14 bits and many programs store them unscaled in 16-bit files.
_FULL_SCALES = (255, 1023, 4095, 16383, 65535)


def to_rgb(image: Image.Image, container: Container) -> Image.Image:
    """Any mode that the plugins produce -> RGB."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        grey = _deep_grey_to_uint8(np.asarray(image))
        return Image.fromarray(255 - grey if container.white_is_zero else grey).convert("RGB")
    if image.mode == "LAB":
        raise UnsupportedFormat("the picture is in the CIELAB colour space; send it as RGB or greyscale")
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        return _over_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    if image.mode == "La":  # premultiplied grey has only this way out
        image = image.convert("LA")
    rgba = image if image.mode == "RGBA" else image.convert("RGBA")
    white = Image.new("RGB", rgba.size, (255, 255, 255))
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def _deep_grey_to_uint8(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """More than 8 bits a pixel -> uint8, by the depth that the values use.

    Non-negative values are divided by the smallest of 8, 10, 12, 14 and 16 bits that holds
    the largest (floats up to 1: by 1); values below zero (Hounsfield units) or beyond 16
    bits are stretched linearly from their smallest to their largest.
    """
    numbers = values.astype(np.float32)
    low, high = float(numbers.min()), float(numbers.max())
    if not (np.isfinite(low) and np.isfinite(high)) or max(-low, high) > _FLOAT_LIMIT:
        raise UnreadableInput("the picture has pixels that are infinite or not a number; export it again")
    if low < 0 or high > _FULL_SCALES[-1]:
        full_scale = high - low
        numbers -= low
    elif np.issubdtype(values.dtype, np.floating) and high <= 1:
        full_scale = 1.0
    else:
        full_scale = float(next(scale for scale in _FULL_SCALES if high <= scale))
    numbers *= np.float32(255 / max(full_scale, 1 / _FLOAT_LIMIT))  # one value everywhere: black
    return np.rint(numbers, out=numbers).astype(np.uint8)
