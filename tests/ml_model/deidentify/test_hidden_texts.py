"""A text wherever a format has room for one: nothing of it is kept, and every pixel is."""

from __future__ import annotations

import io
import struct
import time
import zlib
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_files import dataset, jpeg
from hostile.hidden_texts import (
    GREY,
    HIDING,
    TEXT,
    TIFF_TEXTS,
    avif,
    bmp,
    dicom,
    jpeg_2000,
    jpeg_tiff,
    plain_tiff,
    progressive_jpeg,
    segment,
    tiff,
)
from numpy.typing import NDArray
from pictures import encode, picture, png_chunk
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit
from samples import image_task

from ml_model.deidentify.codestreams import encapsulated_without_texts
from ml_model.deidentify.kept import KeptFile
from ml_model.deidentify.pictures import without_metadata
from ml_model.diagnosis.reading import PictureToKeep
from ml_model.errors import InputTooLarge, TooCostly, UnreadableInput, UnsupportedFormat
from ml_model.inputs.images.decoder import ImageLimits, decode_image
from ml_model.inputs.images.gif import gif_head_bytes

LIMITS = ImageLimits()
SKIN = image_task("skin").input


def decoded(data: bytes) -> Any:
    return np.asarray(decode_image(data, SKIN, full_size=True, whole=True).rgb)


def kept(data: bytes) -> KeptFile:
    return PictureToKeep(data, LIMITS.max_bytes, LIMITS.max_pixels, SKIN).read()


@pytest.mark.parametrize("case", sorted(HIDING))
def test_nothing_of_it_is_kept_and_every_pixel_is(case: str) -> None:
    sent = HIDING[case]()
    assert TEXT in sent
    copy = kept(sent)
    assert TEXT not in copy.data
    assert TEXT[:6] not in copy.data
    assert (decoded(copy.data) == decoded(sent)).all()
    assert np.ptp(decoded(sent)) > 30
    assert (decoded(kept(copy.data).data) == decoded(sent)).all()


def test_of_a_series_each_frame_is_looked_through_and_none_is_moved() -> None:
    frames = [jpeg_2000(open_end=False) for _ in range(3)]
    sent = dicom(JPEG2000Lossless, *frames, made=dataset(GREY, NumberOfFrames=3))
    found = pydicom.dcmread(io.BytesIO(kept(sent).data))
    assert len(found.PixelData) == len(pydicom.dcmread(io.BytesIO(sent)).PixelData)
    assert TEXT not in found.PixelData
    assert (found.pixel_array == GREY).all()
    assert found.pixel_array.shape == (3, *GREY.shape)


def test_a_copy_that_would_show_something_else_is_not_kept() -> None:
    """A fragment that begins with a thumbnail within a segment passes for a picture of its own."""
    thumbnail, frame = jpeg(Image.new("L", (8, 8))), jpeg(Image.fromarray(GREY))
    head = frame[:2] + segment(0xE1, b"Exif\0\0" + TEXT[:18] + thumbnail)
    at = head.index(thumbnail)
    sent = dicom(JPEGBaseline8Bit, head[:at], head[at:] + frame[2:])
    assert (decoded(sent)[..., 0] == decoded(dicom(JPEGBaseline8Bit, frame))[..., 0]).all()
    with pytest.raises(UnsupportedFormat, match="answered the same"):
        kept(sent)


def test_a_table_of_offsets_is_one_or_is_blanked() -> None:
    frames = [jpeg(Image.fromarray(level)) + bytes(1) for level in (GREY, 255 - GREY)]
    right, wrong = encapsulate(frames, has_bot=True), encapsulate(frames, has_bot=False)
    text = TEXT + bytes(-len(TEXT) % 4)
    wrong = wrong[:4] + len(text).to_bytes(4, "little") + text + wrong[8:]
    assert encapsulated_without_texts(right, JPEGBaseline8Bit) == right
    assert encapsulated_without_texts(wrong, JPEGBaseline8Bit) == wrong.replace(TEXT, bytes(len(TEXT)))


def test_fragments_without_end_are_refused_soon() -> None:
    started = time.process_time()
    with pytest.raises(TooCostly, match="500000"):
        encapsulated_without_texts(b"\xfe\xff\x00\xe0\0\0\0\0" * 4_000_000, JPEG2000Lossless)
    assert time.process_time() - started < 2


def adam7(levels: NDArray[np.uint8]) -> bytes:
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    parts = (levels[top::down, left::right] for top, left, down, right in passes)
    return b"".join(b"\0" + row.tobytes() for part in parts if part.size for row in part)


@pytest.mark.parametrize("size", [(64, 96), (61, 93), (33, 65)])
def test_an_interlaced_png_is_kept_up_to_its_last_row(size: tuple[int, int]) -> None:
    levels = GREY[: size[0], : size[1]]
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", *levels.shape[::-1], 8, 0, 0, 0, 1))

    def file(rows: bytes, behind: bytes = b"") -> bytes:
        pixels = png_chunk(b"IDAT", zlib.compress(rows, 0) + behind)
        return b"\x89PNG\r\n\x1a\n" + header + pixels + png_chunk(b"IEND", b"")

    copy = kept(file(adam7(levels), TEXT))
    assert copy.data == file(adam7(levels))
    assert (decoded(copy.data)[..., 0] == levels).all()
    with pytest.raises(UnsupportedFormat, match="unfold"):
        kept(file(adam7(levels) + TEXT))


@pytest.mark.parametrize("kind", [b"IHDR", b"tRNS", b"PLTE"])
@pytest.mark.parametrize("place", [b"IDAT", b"IEND"])
def test_a_png_whose_chunks_are_twice_or_out_of_place_is_not_kept(kind: bytes, place: bytes) -> None:
    plain = encode(picture(), "PNG", transparency=(1, 2, 3))
    body = plain[16:29] if kind == b"IHDR" else bytes(6)
    twice = png_chunk(kind, body) * (2 if place == b"IDAT" else 1)
    at = plain.index(place) - 4
    with pytest.raises(UnsupportedFormat, match="out of place"):
        kept(plain[:at] + twice + plain[at:])


@pytest.mark.parametrize("mode", ["P", "L", "1"])
@pytest.mark.parametrize("options", [{"interlace": 0}, {"interlace": 1}, {"transparency": 3}])
def test_gifs_of_all_kinds(mode: str, options: dict[str, int]) -> None:
    image = picture().quantize(16) if mode == "P" else picture().convert(mode)
    plain = encode(image, "GIF", **options)
    at = plain.index(b"\x2c", gif_head_bytes(plain))
    moved = plain[:6] + struct.pack("<HH", 140, 90) + plain[10 : at + 1] + struct.pack("<HH", 11, 7) + plain[at + 5 :]
    for sent in (plain, moved):
        assert (decoded(kept(sent).data) == decoded(sent)).all()


@pytest.mark.parametrize(
    ("bits", "compression", "masks"),
    [(1, 0, b""), (8, 0, b""), (16, 3, struct.pack("<III", 0xF800, 0x7E0, 0x1F)), (24, 0, b""), (32, 0, b"")],
)
@pytest.mark.parametrize("height", [64, -64])
def test_bmps_of_all_kinds(bits: int, compression: int, masks: bytes, height: int) -> None:
    colours = b"".join(bytes((n * 7 % 256, n, 255 - n, 0)) for n in range(1 << bits)) if bits <= 8 else b""
    pixels = np.random.default_rng(bits).integers(0, 256, 96 * bits // 8 * 64, np.uint8).tobytes()
    head = struct.pack("<IiiHHIIiiII", 40, 96, height, 1, bits, compression, 0, 0, 0, 0, 0) + masks + colours
    for gap in (b"", TEXT):
        first = 14 + len(head) + len(gap)
        sent = b"BM" + struct.pack("<III", first + len(pixels), 0, first) + head + gap + pixels + gap
        copy = kept(sent).data
        assert (decoded(copy) == decoded(sent)).all()
        assert copy == sent[: first + len(pixels)].replace(TEXT, bytes(len(TEXT)))
    untold = sent[:10] + bytes(4) + head + pixels
    assert (decoded(kept(untold).data) == decoded(untold)).all()


def test_a_bmp_of_the_oldest_kind() -> None:
    colours = b"".join(bytes((n, 255 - n, n // 3)) for n in range(256))
    first = 14 + 12 + len(colours) + len(TEXT)
    head = struct.pack("<IHHHH", 12, 96, 64, 1, 8) + colours + TEXT
    sent = b"BM" + struct.pack("<III", first + GREY.size, 0, first) + head + GREY.tobytes() + TEXT
    copy = kept(sent).data
    assert (TEXT in copy, len(copy)) == (False, first + GREY.size)
    assert (decoded(copy) == decoded(sent)).all()


@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize("tiled", [False, True])
def test_tiffs_of_tiles_and_planes(tiled: bool, planar: int) -> None:
    rgb = np.asarray(picture())
    planes = [rgb] if planar == 1 else [rgb[..., channel] for channel in range(3)]
    numbers = {256: (96,), 257: (64,), 258: (8, 8, 8), 259: (1,), 262: (2,), 277: (3,), 284: (planar,)}
    numbers |= {322: (48,), 323: (32,)} if tiled else {278: (48,)}
    sides = [(32, 48)] if tiled else [(48, 96)]
    parts = [
        plane[y : y + height, x : x + width].tobytes() + TEXT
        for plane in planes for height, width in sides for y in range(0, 64, height) for x in range(0, 96, width)
    ]  # fmt: skip
    sent = tiff(tuple(parts), numbers, TIFF_TEXTS, tiled=tiled)
    copy = kept(sent).data
    assert TEXT not in copy
    assert (decoded(copy) == rgb).all()


def test_a_strip_that_says_that_it_is_shorter_than_its_pixels_is_kept_whole() -> None:
    sent = plain_tiff()
    length = struct.pack("<I", 40 * 96 + len(TEXT))
    assert sent.count(length) == 1
    short = sent.replace(length, struct.pack("<I", 1000))
    assert (decoded(kept(short).data)[..., 0] == GREY).all()


def test_strips_that_overlap_are_copied_once_and_jpegs_among_them_refused() -> None:
    strips, tags = 50_000, [(256, 16), (257, 50_000), (258, 8), (259, 1), (262, 1), (277, 1), (278, 1)]
    pixels = np.random.default_rng(1).integers(0, 256, 800_000, np.uint8).tobytes()
    at = 8 + len(pixels)
    places = struct.pack(f"<{strips}I", *[8] * strips), struct.pack(f"<{strips}I", *[len(pixels)] * strips)
    for compression in (32773, 7):
        rows = [(tag, 4, 1, compression if tag == 259 else value) for tag, value in tags]
        rows += [(273, 4, strips, at), (279, 4, strips, at + 4 * strips)]
        table = b"".join(struct.pack("<HHII", *row) for row in sorted(rows))
        start = at + 8 * strips
        head = struct.pack("<4sI", b"II*\0", start)
        sent = head + pixels + b"".join(places) + struct.pack("<H", len(rows)) + table + bytes(4)
        started = time.process_time()
        if compression == 7:
            sent = sent[:at] + struct.pack("<I", 9) + sent[at + 4 :]
            with pytest.raises(UnsupportedFormat, match="overlap"):
                without_metadata(sent, LIMITS)
        else:
            assert without_metadata(sent, LIMITS).data[8:at] == pixels
        assert time.process_time() - started < 2


def test_an_avif_is_kept_as_png() -> None:
    turned = Image.Exif()
    turned[274] = 6
    pages = {"save_all": True, "append_images": [picture(seed=2)]}
    sent = encode(picture().convert("RGBA"), "AVIF", exif=turned, speed=10)
    copy = kept(sent)
    assert (copy.format, copy.warnings, copy.data[:4]) == ("PNG", (), b"\x89PNG")
    assert decoded(copy.data).shape == (96, 64, 3)
    assert (decoded(copy.data) == decoded(sent)).all()
    assert kept(encode(picture(), "AVIF", speed=10, **pages)).warnings[0].startswith("the AVIF file holds 2 frames")
    with pytest.raises(InputTooLarge, match="as PNG"):
        without_metadata(avif(), ImageLimits(max_bytes=len(avif())))


DAMAGED = {
    "JPEG": b"\xff\xd8\xff\xc0\x00\x02\xff\xda\x00\x02\xff\xd9", "BMP": b"BM" + bytes(12) + b"\x28\0\0\0",
    "GIF": b"GIF89a\0\0", "PNG": b"\x89PNG\r\n\x1a\n" + png_chunk(b"IDAT", b"x") + png_chunk(b"IEND", b""),
    "TIFF": plain_tiff()[:-60], "JPEG in TIFF": jpeg_tiff()[:300], "rows of a BMP": bmp()[:-400],
    "scans": progressive_jpeg()[:80],
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(DAMAGED))
def test_what_is_damaged_is_told_of_and_no_fault_of_ours(case: str) -> None:
    with pytest.raises(UnreadableInput):
        kept(DAMAGED[case])


def test_a_jpeg_that_goes_on_without_an_end_is_not_kept() -> None:
    plain = encode(picture(), "JPEG")
    with pytest.raises(UnreadableInput, match="has no end"):
        kept(plain[:-2] + TEXT * 9)
