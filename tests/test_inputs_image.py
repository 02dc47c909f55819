"""The raster decoder: every format and pixel layout to the same RGB, limits before decoding, one error per fault."""

from __future__ import annotations

import contextlib
import gc
import io
import struct
import sys
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps

from ml_model.errors import (
    EmptyInput,
    InputTooLarge,
    MediDiagnoseError,
    PoorQuality,
    UnreadableInput,
    UnsupportedFormat,
)
from ml_model.inputs.image import ImageLimits, load_image, resize_rgb, sniff_format
from ml_model.inputs.sniffing import describe_content
from ml_model.spec import ImageInput

INPUT = ImageInput(modality="photograph", height_px=32, width_px=48, min_side_px=1)
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")
LOSSLESS: dict[str, dict[str, object]] = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}, "BMP": {}}
ORIENTATION = 274


def encode(image: Image.Image, name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def picture(width_px: int = 96, height_px: int = 64, seed: int = 0) -> Image.Image:
    """Smooth random colours, so that lossy codecs stay close."""
    noise = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width_px, height_px), Image.Resampling.BICUBIC)


def flat(name: str, mode: str, colour: object, **options: object) -> NDArray[np.uint8]:
    """The one colour that a picture of one colour decodes to."""
    pixels = load_image(encode(Image.new(mode, (64, 64), colour), name, **options), INPUT).pixels
    assert (pixels == pixels[0, 0]).all()
    return pixels[0, 0]


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width_px: int, height_px: int, *chunks: bytes) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + png_chunk(b"IDAT", b"x") + png_chunk(b"IEND", b"")


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


def depths(bits: int, kind: type = np.uint16) -> NDArray[np.generic]:
    """A ramp over the whole range of a detector of so many bits."""
    return np.tile(np.linspace(0, 2**bits - 1, 48).round(), (32, 1)).astype(kind)


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


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF"])
def test_animations_and_pages_give_the_first_frame(name: str) -> None:
    red, blue = Image.new("RGB", (64, 64), (250, 0, 0)), Image.new("RGB", (64, 64), (0, 0, 250))
    options: dict[str, object] = {"lossless": True} if name == "WEBP" else {}
    data = encode(red, name, save_all=True, append_images=[blue], **options)
    assert load_image(data, INPUT).pixels[10, 10].tolist() == [250, 0, 0]


# Limits and refusals


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\xef\xbb\xbf  <svg width='9'>", "SVG"),
        (b"PK\x03\x04" + b"\x00" * 30, "zip"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"just some words, saved as photo.jpg\n", "plain text"),
        (b"BMI is 30 and the rest is text", "plain text"),
        ("Grüße ".encode() * 1000, "plain text"),
        (b"\x00" * 128 + b"DICM\x02\x00", "DICOM"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIC"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00mp41mp42", "video"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", "RIFF"),
        (b'{"image": "base64"}', "JSON"),
        (bytes(range(256)), "unknown binary"),
    ],
)
def test_other_content_is_refused_by_what_it_looks_like(data: bytes, what: str) -> None:
    assert sniff_format(data) is None
    assert what in describe_content(data)
    with pytest.raises(UnsupportedFormat, match=what):
        load_image(data, INPUT)


def test_nothing_and_too_many_bytes() -> None:
    with pytest.raises(EmptyInput, match="0 bytes"):
        load_image(b"", INPUT)
    data = encode(picture(), "PNG")
    with pytest.raises(InputTooLarge, match="MiB"):
        load_image(data, INPUT, ImageLimits(max_bytes=len(data) - 1))
    assert load_image(data, INPUT, ImageLimits(max_bytes=len(data))).format == "PNG"


def test_pixel_limit_is_exact() -> None:
    for name in FORMATS:
        data = encode(picture(), name)
        assert load_image(data, INPUT, ImageLimits(max_pixels=96 * 64)).original_width_px == 96
        with pytest.raises(InputTooLarge, match="96x64"):
            load_image(data, INPUT, ImageLimits(max_pixels=96 * 64 - 1))


def huge_headers() -> dict[str, bytes]:
    """Small files that announce 30,000 x 30,000 pixels (16,384 for WebP)."""
    jpeg = bytearray(encode(picture(), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 30_000, 30_000)
    bmp = bytearray(encode(picture(), "BMP"))
    bmp[18:26] = struct.pack("<ii", 30_000, 30_000)
    screen = bytearray(encode(picture(), "GIF"))
    screen[6:10] = struct.pack("<HH", 30_000, 30_000)
    frame_only = bytearray(encode(picture(), "GIF"))
    descriptor = frame_only.index(b"," + b"\x00" * 4 + struct.pack("<HH", 96, 64))
    frame_only[descriptor + 5 : descriptor + 9] = struct.pack("<HH", 11_000, 9_000)  # over Pillow's warning threshold
    canvas = bytearray(encode(picture(), "WEBP", exif=b"II*\x00"))
    canvas[24:30] = (16_383).to_bytes(3, "little") * 2
    return {
        "PNG": png_header(30_000, 30_000),
        "JPEG": bytes(jpeg),
        "BMP": bytes(bmp),
        "GIF screen": bytes(screen),
        "GIF frame": bytes(frame_only),
        "WEBP": bytes(canvas),
        "TIFF": plain_tiff(depths(8), 1, tag256=30_000, tag257=30_000),
        "TIFF tile": plain_tiff(depths(8), 1, tag322=30_000, tag323=30_000, tag324=8, tag325=9),
    }


@pytest.mark.parametrize("kind", huge_headers())
def test_huge_pictures_are_refused_before_memory_is_taken(kind: str) -> None:
    data = huge_headers()[kind]
    before = resident_mib()
    tracemalloc.start()
    with pytest.raises(InputTooLarge):
        load_image(data, INPUT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * 2**20
    assert resident_mib() - before < 20


def test_bombs_in_metadata_never_reach_the_decoder() -> None:
    bomb = zlib.compress(b"\x00" * 64 * 2**20, 9)
    plain = encode(picture(), "PNG")
    laden = plain[:33] + png_chunk(b"iCCP", b"p\x00\x00" + bomb) + png_chunk(b"zTXt", b"c\x00\x00" + bomb) + plain[33:]
    tracemalloc.start()
    loaded = load_image(laden, INPUT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(loaded.pixels, load_image(plain, INPUT).pixels)
    assert peak < 5 * 2**20


def test_bombs_in_pixel_data() -> None:
    # 1,000 times the pixels that the header promises: the surplus is never expanded.
    rows = zlib.compress(b"\x00" * (64 * 3 + 1) * 64 * 1000, 9)
    surplus = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))
    surplus += png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
    assert load_image(surplus, INPUT).pixels.max() == 0
    progressive = bytearray(encode(picture(), "JPEG", progressive=True))
    scan = progressive.rindex(b"\xff\xda")
    with pytest.raises(UnreadableInput, match="scans"):
        load_image(bytes(progressive[:-2] + progressive[scan:-2] * 100 + b"\xff\xd9"), INPUT)


def test_zero_sizes_and_thumbnails() -> None:
    with pytest.raises(UnreadableInput, match="0x10"):
        load_image(png_header(0, 10), INPUT)
    with pytest.raises(UnreadableInput, match="0x48"):
        load_image(plain_tiff(depths(8), 1, tag256=0, tag257=48), INPUT)
    small = ImageInput(modality="photograph", height_px=32, width_px=32, min_side_px=32)
    for size in ((1, 1), (31, 500), (500, 31)):
        with pytest.raises(PoorQuality, match=f"{size[0]}x{size[1]}.*at least 32"):
            load_image(encode(Image.new("RGB", size), "PNG"), small)
    assert load_image(encode(Image.new("RGB", (32, 32)), "PNG"), small).original_width_px == 32


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
def test_truncated_files_say_so(name: str, share: float) -> None:
    data = encode(picture(), name)
    with pytest.raises(UnreadableInput, match="truncated"):
        load_image(data[: int(len(data) * share)], INPUT)


def test_wrong_checksum_is_noticed() -> None:
    data = bytearray(encode(picture(), "PNG"))
    data[data.index(b"IDAT") + 40] ^= 1
    with pytest.raises(UnreadableInput, match="checksum of a IDAT"):
        load_image(bytes(data), INPUT)


def test_unread_variants_are_named() -> None:
    twelve_bits = bytearray(encode(picture(), "JPEG"))
    twelve_bits[twelve_bits.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(UnsupportedFormat, match="12 bits"):
        load_image(bytes(twelve_bits), INPUT)
    with pytest.raises(UnsupportedFormat, match="CIELAB"):
        load_image(encode(Image.new("LAB", (64, 64)), "TIFF"), INPUT)


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


# State, threads, memory, untrusted bytes


def test_threads_agree_and_nothing_global_changes() -> None:
    files = [encode(picture(seed=seed), name) for seed in range(4) for name in FORMATS] + [png_header(9, 9)]
    state = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))

    def decode(data: bytes) -> bytes:
        try:
            return load_image(data, INPUT).pixels.tobytes()
        except MediDiagnoseError as error:
            return type(error).__name__.encode()

    expected = [decode(data) for data in files]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(decode, files * 8)) == expected * 8
    assert expected[-1] == b"UnreadableInput"
    assert state == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))


def resident_mib() -> float:
    """Resident memory of this process; skips where the kernel does not tell."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip(f"resident memory is read from /proc, which {sys.platform} has not")
    return int(statm.read_text().split()[1]) * 4096 / 2**20


def test_memory_returns_after_broken_uploads() -> None:
    cut = [encode(picture(1200, 900), name)[:-200] for name in FORMATS]

    def decode_all(times: int) -> None:
        for data in cut * times:
            with pytest.raises(UnreadableInput):
                load_image(data, INPUT)
        gc.collect()

    decode_all(2)
    before = resident_mib()
    decode_all(29)
    assert resident_mib() - before < 15


def seeds() -> list[bytes]:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    small = picture(40, 30)
    grey = Image.fromarray(np.asarray(small)[..., 0].astype(np.uint16) * 200)
    return [
        *(encode(small, name) for name in FORMATS),
        *(encode(small, name, exif=exif.tobytes()) for name in ("PNG", "JPEG", "WEBP", "TIFF", "AVIF")),
        *(encode(small, name, save_all=True, append_images=[small.rotate(90)]) for name in ("PNG", "GIF", "WEBP")),
        encode(small, "JPEG", progressive=True),
        encode(small.convert("CMYK"), "JPEG"),
        encode(small.convert("P"), "PNG", transparency=3),
        encode(small, "WEBP", lossless=True),
        encode(small, "TIFF", compression="tiff_lzw"),
        encode(grey, "TIFF"),
        encode(grey, "PNG"),
    ]


SEEDS = seeds()


def outcome(data: bytes) -> None:
    """A LoadedImage of the right shape or one of our errors, and never a warning (even one turned into an error)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with contextlib.suppress(EmptyInput, UnsupportedFormat, InputTooLarge, UnreadableInput, PoorQuality):
            pixels = load_image(data, INPUT).pixels
            assert (pixels.shape, pixels.dtype) == ((32, 48, 3), np.uint8)
    assert [str(warning.message) for warning in caught] == []


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([b"", *(data[:16] for data in SEEDS)]))
@example(b"", b"BM" + b"\x00" * 12 + b"\x0c")
def test_any_bytes_give_a_picture_or_a_reasoned_refusal(tail: bytes, lead: bytes) -> None:
    outcome(lead + tail)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.data_too_large])
@given(st.data())
def test_damaged_files_give_a_picture_or_a_reasoned_refusal(data: st.DataObject) -> None:
    file = bytearray(data.draw(st.sampled_from(SEEDS)))
    # Damage in headers finds more than damage in pixels, so half of it goes there.
    place = st.integers(0, len(file) - 1) | st.integers(0, min(200, len(file) - 1))
    for position, value in data.draw(st.lists(st.tuples(place, st.integers(0, 255)), max_size=6)):
        file[position] = value
    outcome(bytes(file[: data.draw(st.just(len(file)) | st.integers(0, len(file)))]))
