"""WebP: still pictures straight into one buffer, the same as Pillow's bit for bit; animations through Pillow."""

from __future__ import annotations

import io
import struct
import sys

import numpy as np
import pytest
from pictures import INPUT, encode, extra_bytes, picture
from PIL import Image

from ml_model.errors import TooCostly
from ml_model.inputs.images.decoder import ImageLimits, decode_image

OPTIONS: dict[str, dict[str, object]] = {
    "lossy": {"quality": 40},
    "lossless": {"lossless": True},
    "lossless, colours under alpha kept": {"lossless": True, "exact": True},
    "coarse alpha": {"quality": 90, "alpha_quality": 10},
    "profile": {"quality": 70, "icc_profile": bytes(140)},
    "turned": {"quality": 70, "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"},
}


def of_pillow(data: bytes) -> np.ndarray:
    """What the decoder gave when Pillow read it: alpha over white, upright by its orientation."""
    image = Image.open(io.BytesIO(data))
    image.load()
    if image.mode == "RGBA":
        white = Image.new("RGB", image.size, (255, 255, 255))
        white.paste(image, mask=image.getchannel("A"))
        return np.asarray(white)
    return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "opaque RGBA"])
def test_a_still_picture_is_the_same_bit_for_bit(mode: str, options: dict[str, object]) -> None:
    rng = np.random.default_rng(len(mode))
    for width_px, height_px in ((1, 1), (17, 33), (96, 64)):
        image = picture(width_px, height_px)
        alpha = rng.integers(0, 256, (height_px, width_px), dtype=np.uint8) * (rng.random((height_px, width_px)) > 0.3)
        if mode.endswith("RGBA"):
            image.putalpha(Image.fromarray(alpha.astype(np.uint8)) if mode == "RGBA" else 255)
        data = encode(image.convert("L") if mode == "L" else image, "WEBP", **options)
        found = decode_image(data, INPUT)
        expected = of_pillow(data)
        if "exif" in options:
            expected = np.rot90(expected, -1)
        assert np.array_equal(np.asarray(found.rgb), expected)
        assert (found.format, found.frames, found.rgb.size) == ("WEBP", 1, expected.shape[1::-1])
        assert (found.original_width_px, found.original_height_px) == found.rgb.size


@pytest.mark.skipif(sys.platform != "linux", reason="the highest memory of a process is read from /proc")
def test_a_large_still_picture_is_held_once_or_twice() -> None:
    """Pillow's plugin holds four canvases, 16 bytes a pixel; the limits of a reading know 12."""
    data = encode(picture(2000, 2000), "WEBP", lossless=True, quality=0, method=0)
    decode_image(encode(picture(), "WEBP"), INPUT)
    assert extra_bytes(lambda: decode_image(data, INPUT, full_size=True)) < 10 * 2000 * 2000


def test_large_animations_are_refused_and_told_apart_from_still_pictures() -> None:
    red, blue = (Image.new("RGB", (64, 64), colour) for colour in ("red", "blue"))
    data = encode(red, "WEBP", save_all=True, append_images=[blue], lossless=True)
    seen: list[tuple[str, int]] = []
    limits = ImageLimits(announce=lambda name, pixels: seen.append((name, pixels)))
    found = decode_image(data, INPUT, limits)
    assert (found.frames, np.asarray(found.rgb)[0, 0].tolist()) == (2, [255, 0, 0])
    decode_image(encode(red, "WEBP"), INPUT, limits)
    assert seen[0] == ("animated WEBP", 4096)
    assert seen[-1] == ("WEBP", 4096)
    canvas = struct.pack("<I", 5000)[:3] + struct.pack("<I", 5000)[:3]  # 25.01 megapixels
    with pytest.raises(TooCostly, match=r"5001x5001 pixels and animated; at most 25 megapixels"):
        decode_image(data[:24] + canvas + data[30:], INPUT)
