"""The raster decoder: every format and pixel layout comes out as the same upright RGB, resized in one way."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import FORMATS, INPUT, ORIENTATION, depths, encode, picture, plain_tiff
from PIL import Image, ImageOps

from ml_model.errors import UnreadableInput
from ml_model.inputs.images.decoder import load_image, resize_rgb, sniff_format

LOSSLESS: dict[str, dict[str, object]] = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}, "BMP": {}}


def flat(name: str, mode: str, colour: object, **options: object) -> NDArray[np.uint8]:
    """The one colour that a picture of one colour decodes to."""
    pixels = load_image(encode(Image.new(mode, (64, 64), colour), name, **options), INPUT).pixels
    assert (pixels == pixels[0, 0]).all()
    return pixels[0, 0]


# What comes out


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_found_by_content_and_resized_alike(name: str) -> None:
    source = picture()
    data = encode(source, name)
    assert sniff_format(data) == name
    loaded = load_image(data, INPUT)
    assert (loaded.format, loaded.original_width_px, loaded.original_height_px) == (name, 96, 64)
    assert loaded.pixels.shape == (32, 48, 3)
    assert loaded.pixels.dtype == np.uint8
    expected = np.asarray(source.resize((48, 32), Image.Resampling.BILINEAR), np.int16)
    difference = np.abs(loaded.pixels.astype(np.int16) - expected)
    if name in LOSSLESS and name != "WEBP":
        assert difference.max() == 0
    assert difference.mean() < 4


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_formats_agree_bit_for_bit(name: str) -> None:
    np.testing.assert_array_equal(
        load_image(encode(picture(), name, **LOSSLESS[name]), INPUT).pixels,
        resize_rgb(picture(), 32, 48),
    )


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_tiff(compression: str) -> None:
    data = encode(picture(), "TIFF", compression=compression)
    np.testing.assert_array_equal(load_image(data, INPUT).pixels, resize_rgb(picture(), 32, 48))


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_tag_is_applied(name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encode(picture(), name, exif=exif.tobytes(), quality=95)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert upright.size == ((64, 96) if orientation >= 5 else (96, 64))
    loaded = load_image(data, INPUT)
    assert (loaded.original_width_px, loaded.original_height_px) == upright.size
    np.testing.assert_array_equal(loaded.pixels, resize_rgb(upright.convert("RGB"), 32, 48))


def test_damaged_orientation_block_is_ignored_without_a_warning() -> None:
    damaged = b"Exif\x00\x00II*\x00\xff\xff\xff\x7f" + b"\x01" * 20
    for name in ("PNG", "JPEG", "WEBP"):
        assert load_image(encode(picture(), name, exif=damaged), INPUT).original_width_px == 96


def test_damaged_exif_item_of_an_avif_is_never_parsed() -> None:
    exif = Image.Exif()
    exif[270] = "a description that is stored outside its directory entry"
    data = bytearray(encode(picture(), "AVIF", exif=exif.tobytes()))
    block = max(data.rfind(b"II*\x00"), data.rfind(b"MM\x00*"))
    data[block + 8 : block + 10] = b"\xff\xff"  # far more entries than the block holds
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert load_image(bytes(data), INPUT).original_width_px == 96
        assert caught == []
        Image.open(io.BytesIO(data)).close()
    assert len(caught) > 0  # Pillow left to itself does parse it


def test_alpha_is_laid_over_white() -> None:
    assert flat("PNG", "RGBA", (200, 0, 0, 0)).tolist() == [255, 255, 255]
    assert flat("PNG", "RGBA", (255, 0, 0, 51)).tolist() == [255, 204, 204]  # 20 % red, 80 % white
    assert flat("PNG", "LA", (0, 51)).tolist() == [204, 204, 204]
    assert flat("WEBP", "RGBA", (255, 0, 0, 51), lossless=True).tolist() == [255, 204, 204]
    assert flat("TIFF", "RGBA", (0, 0, 255, 0)).tolist() == [255, 255, 255]


def test_transparent_palette_entries_and_colours_become_white() -> None:
    palette = Image.new("P", (64, 64), 1)
    palette.putpalette([0, 0, 0, 10, 200, 30])
    for name in ("PNG", "GIF"):
        assert load_image(encode(palette, name), INPUT).pixels[5, 5].tolist() == [10, 200, 30]
        assert load_image(encode(palette, name, transparency=1), INPUT).pixels[5, 5].tolist() == [255, 255, 255]
    translucent = encode(palette, "PNG", transparency=bytes([255, 51]))
    assert load_image(translucent, INPUT).pixels[5, 5].tolist() == [206, 244, 210]
    assert flat("PNG", "RGB", (9, 8, 7), transparency=(9, 8, 7)).tolist() == [255, 255, 255]


def test_grey_is_replicated_and_bilevel_is_black_and_white() -> None:
    assert flat("PNG", "L", 100).tolist() == [100, 100, 100]
    assert flat("JPEG", "L", 100).tolist() == [100, 100, 100]
    assert flat("PNG", "1", 1).tolist() == [255, 255, 255]
    assert flat("TIFF", "1", 0, compression="group4").tolist() == [0, 0, 0]


def test_cmyk_of_both_conventions() -> None:
    # TIFF stores ink amounts, Adobe JPEG their complement: the same inks must give the same colour.
    assert flat("TIFF", "CMYK", (255, 0, 0, 0)).tolist() == [0, 255, 255]
    jpeg = flat("JPEG", "CMYK", (255, 0, 0, 0), quality=95).astype(int)
    assert np.abs(jpeg - [0, 255, 255]).max() <= 2


RAMP = np.tile(np.rint(np.linspace(0, 255, 48)), (32, 1))


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_sixteen_bit_files_are_scaled_by_the_depth_they_use(name: str, bits: int) -> None:
    pixels = load_image(encode(Image.fromarray(depths(bits)), name), INPUT).pixels
    assert (pixels == pixels[..., :1]).all()
    assert np.abs(pixels[..., 0] - RAMP).max() <= 1


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("bits", [8, 16])
def test_white_is_zero_tiff_is_inverted(bits: int, order: str) -> None:
    values = depths(bits, np.uint8 if bits == 8 else np.uint16)
    pixels = load_image(plain_tiff(values, photometric=0, order=order), INPUT).pixels
    assert np.abs(pixels[..., 0] - RAMP[:, ::-1]).max() <= 1


def test_float_and_signed_values() -> None:
    unit = depths(8).astype(np.float32) / 255
    for values in (unit, unit * 255, unit * 4095, unit * 2000 - 1000):
        pixels = load_image(encode(Image.fromarray(values.astype(np.float32)), "TIFF"), INPUT).pixels
        assert np.abs(pixels[..., 0] - RAMP).max() <= 1
    hounsfield = Image.fromarray((unit * 2000 - 1000).astype(np.int32))
    assert np.abs(load_image(encode(hounsfield, "TIFF"), INPUT).pixels[..., 0] - RAMP).max() <= 1
    unit[3, 3] = np.nan
    with pytest.raises(UnreadableInput, match="not a number"):
        load_image(encode(Image.fromarray(unit), "TIFF"), INPUT)


def test_float_extremes_neither_overflow_nor_divide_by_zero() -> None:
    for value, expected in ((0.0, 0), (1.0, 255), (-5.0, 0), (1e-44, 0)):
        pixels = load_image(encode(Image.new("F", (64, 64), value), "TIFF"), INPUT).pixels
        assert (pixels == expected).all()
    opposite = Image.new("F", (64, 64), -1e-44)
    opposite.putpixel((3, 3), 1e-44)
    assert load_image(encode(opposite, "TIFF"), INPUT).pixels.max() == 0
    with pytest.raises(UnreadableInput, match="infinite"):
        load_image(encode(Image.new("F", (64, 64), -3e38), "TIFF"), INPUT)


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF"])
def test_animations_and_pages_give_the_first_frame(name: str) -> None:
    red, blue = Image.new("RGB", (64, 64), (250, 0, 0)), Image.new("RGB", (64, 64), (0, 0, 250))
    options: dict[str, object] = {"lossless": True} if name == "WEBP" else {}
    data = encode(red, name, save_all=True, append_images=[blue], **options)
    assert load_image(data, INPUT).pixels[10, 10].tolist() == [250, 0, 0]


# Reduced-scale decoding, resizing


def test_large_jpeg_is_decoded_reduced_with_hardly_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    source = picture(1600, 1200)
    data = encode(source, "JPEG", quality=90)
    seen: list[tuple[int, int]] = []
    original = Image.Image.resize

    def resize(self: Image.Image, size: tuple[int, int], *args: object) -> Image.Image:
        seen.append(self.size)
        return original(self, size, *args)

    monkeypatch.setattr(Image.Image, "resize", resize)
    loaded = load_image(data, INPUT)
    assert seen == [(200, 150)]  # an eighth: still more than twice 48 x 32
    assert (loaded.original_width_px, loaded.original_height_px) == (1600, 1200)
    full = resize_rgb(Image.open(io.BytesIO(data)), 32, 48).astype(int)
    assert np.abs(loaded.pixels - full).max() <= 3
    just_below = encode(picture(191, 127), "JPEG")
    load_image(just_below, INPUT)
    assert seen[-1] == (191, 127)  # half of it would be less than twice the model's size


def test_resize_is_one_function_for_arrays_and_pictures() -> None:
    source = picture(300, 200)
    shrunk = resize_rgb(source, 32, 48)
    np.testing.assert_array_equal(shrunk, resize_rgb(np.asarray(source), 32, 48))
    np.testing.assert_array_equal(shrunk, np.asarray(source.resize((48, 32), Image.Resampling.BILINEAR)))
    np.testing.assert_array_equal(resize_rgb(source, 200, 300), np.asarray(source))
    # Antialiased when shrinking: a fine chequerboard turns grey instead of aliasing.
    board = (np.indices((320, 480)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    assert np.abs(resize_rgb(board, 32, 48).astype(int) - 127).max() <= 2
    # Plain bilinear when growing: halfway between black and white lies grey.
    edge = np.array([[[0] * 3, [255] * 3]], np.uint8)
    assert resize_rgb(edge, 1, 4)[0, :, 0].tolist() == [0, 64, 191, 255]
    with pytest.raises(ValueError, match="mode L"):
        resize_rgb(np.zeros((4, 4), np.uint8), 2, 2)
