"""The raster decoder against bad files: limits before decoding, one reason per fault, no state, no memory left."""

from __future__ import annotations

import contextlib
import gc
import struct
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pictures import (
    FORMATS,
    INPUT,
    ORIENTATION,
    depths,
    encode,
    picture,
    plain_tiff,
    png_chunk,
    png_header,
    resident_mib,
)
from PIL import Image, ImageFile

from ml_model.errors import (
    EmptyInput,
    InputTooLarge,
    MediDiagnoseError,
    PoorQuality,
    UnreadableInput,
    UnsupportedFormat,
)
from ml_model.inputs.file_type import describe_content
from ml_model.inputs.images.decoder import ImageLimits, load_image, sniff_format
from ml_model.tasks.registry import ImageInput

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
@pytest.mark.parametrize("share", [0.3, 0.6, 0.97, 0.999])
def test_truncated_files_say_so(name: str, share: float) -> None:
    data = encode(picture(), name)
    with pytest.raises(UnreadableInput, match="truncated"):
        load_image(data[: int(len(data) * share) - 3], INPUT)


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
