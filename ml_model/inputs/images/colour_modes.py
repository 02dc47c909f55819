"""Pictures of any mode that a decoder gives, brought to RGB: grey of 16 bits, palettes, CMYK, transparency."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ml_model.errors import UnsupportedFormat
from ml_model.inputs.images.intensity import deep_grey_to_uint8
from ml_model.inputs.images.raster_containers import Container


def to_rgb(image: Image.Image, container: Container) -> Image.Image:
    """Any mode that the plugins produce -> RGB."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        grey = deep_grey_to_uint8(np.asarray(image))
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
    white.paste(rgba, mask=rgba)
    return white
