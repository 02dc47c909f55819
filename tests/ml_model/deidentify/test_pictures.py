"""Kept copies: nothing but pixels and orientation, and every pixel."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from samples import image_task

from ml_model.deidentify.pictures import KEPT_FORMATS, without_metadata
from ml_model.diagnosis.reading import PictureToKeep
from ml_model.errors import EmptyInput, UnreadableInput, UnsupportedFormat
from ml_model.inputs.images.decoder import ImageLimits, decode_image

Picture = Callable[..., bytes]
NAME = b"SMITH^JOHN"
LIMITS = ImageLimits()
SKIN = image_task("skin").input


def decoded(data: bytes) -> Any:
    return np.asarray(decode_image(data, SKIN, full_size=True, whole=True).rgb)


def named(form: str, orientation: int = 1, mode: str = "RGB") -> bytes:
    """A picture that names a person wherever the format lets it, and behind its end."""
    rng = np.random.default_rng(3)
    image = Image.fromarray(rng.integers(0, 256, (61, 90, 3), dtype=np.uint8)).convert(mode)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x013B] = orientation, NAME.decode(), NAME.decode()
    extra: dict[str, Any] = {"exif": exif}
    if form == "PNG":
        extra["pnginfo"] = PngInfo()
        extra["pnginfo"].add_text("Comment", NAME.decode())
    elif form == "JPEG":
        extra |= {"comment": NAME, "icc_profile": NAME * 20, "quality": 90}
    elif form == "WEBP":
        extra |= {"xmp": NAME, "icc_profile": NAME * 20, "lossless": True}
    elif form == "TIFF":
        extra = {
            "tiffinfo": {270: NAME.decode(), 274: orientation, 315: NAME.decode(), 700: NAME, 33432: NAME.decode()}
        }
    elif form == "GIF":
        extra = {"comment": NAME}
    elif form == "BMP":
        extra = {}
    stream = io.BytesIO()
    image.save(stream, form, **extra)
    return stream.getvalue() + (b"" if form == "WEBP" else NAME)


@pytest.mark.parametrize("form", sorted(set(KEPT_FORMATS) - {"AVIF", "DICOM"}))
def test_what_names_a_person_goes_and_every_pixel_stays(form: str) -> None:
    sent = named(form)
    assert NAME in sent
    kept = without_metadata(sent, LIMITS)
    assert kept.format == form
    assert NAME not in kept.data
    assert (decoded(kept.data) == decoded(sent)).all()
    with Image.open(io.BytesIO(kept.data)) as image:  # another reader reads it too
        image.load()
    assert (decoded(without_metadata(kept.data, LIMITS).data) == decoded(sent)).all()


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_picture_stays_upright(form: str, orientation: int) -> None:
    sent = named(form, orientation)
    kept = without_metadata(sent, LIMITS).data
    assert NAME not in kept
    assert (decoded(kept) == decoded(sent)).all()
    with Image.open(io.BytesIO(kept)) as image:
        assert image.getexif()[0x0112] == orientation


@pytest.mark.parametrize("mode", ["1", "L", "P", "I;16", "CMYK"])
@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_kinds_of_tiff(mode: str, compression: str | None) -> None:
    source = Image.fromarray(np.arange(70 * 50, dtype=np.uint16).reshape(50, 70) * 18) if mode == "I;16" else None
    image = source or Image.open(io.BytesIO(named("PNG"))).convert(mode)
    stream = io.BytesIO()
    image.save(stream, "TIFF", compression=compression, tiffinfo={270: NAME.decode()})
    kept = without_metadata(stream.getvalue(), LIMITS).data
    assert NAME not in kept
    assert (decoded(kept) == decoded(stream.getvalue())).all()


def test_deep_white_is_zero_stays_so() -> None:
    import imagecodecs  # noqa: F401 - the decoder's

    levels = np.arange(64 * 64, dtype="<u2").reshape(64, 64) * 16
    pixels = levels.tobytes()
    tags = [(256, 3, 1, 64), (257, 3, 1, 64), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 0), (273, 4, 1, 8),
            (277, 3, 1, 1), (278, 3, 1, 64), (279, 4, 1, len(pixels))]  # fmt: skip
    rows = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    sent = b"II*\x00" + struct.pack("<I", 8 + len(pixels)) + pixels + struct.pack("<H", len(tags)) + rows + bytes(4)
    kept = without_metadata(sent, LIMITS).data
    assert (decoded(kept) == decoded(sent)).all()
    assert decoded(sent)[0, 0, 0] > decoded(sent)[-1, -1, 0]


def test_a_hidden_page_and_a_thumbnail_go() -> None:
    pages = [Image.new("L", (90, 61), level) for level in (40, 200)]
    stream = io.BytesIO()
    pages[0].save(stream, "TIFF", save_all=True, append_images=pages[1:])
    kept = without_metadata(stream.getvalue(), LIMITS)
    assert kept.frames == 2
    assert bytes([200] * 90) not in kept.data
    assert bytes([40] * 90) in kept.data


def test_a_thumbnail_beside_what_a_jpeg_tells_of_colours_goes() -> None:
    sent = named("JPEG")
    assert sent[2:11] == b"\xff\xe0\x00\x10JFIF\x00"
    pixels = bytes([len(NAME), 1]) + NAME * 3
    sent = sent[:4] + (14 + len(pixels)).to_bytes(2, "big") + sent[6:18] + pixels + sent[20:]
    kept = without_metadata(sent, LIMITS).data
    assert NAME not in kept
    assert kept[:11] == named("JPEG")[:11]
    assert (decoded(kept) == decoded(sent)).all()


def test_of_an_animation_the_first_frame_stays_and_nothing_beside_its_pixels() -> None:
    first, second = (Image.open(io.BytesIO(named("PNG"))).rotate(angle) for angle in (0, 180))
    stream = io.BytesIO()
    first.save(stream, "WEBP", save_all=True, append_images=[second], lossless=True)
    plain = stream.getvalue()
    at = plain.index(b"ANMF") + 4
    length = int.from_bytes(plain[at : at + 4], "little")
    inner = plain[at + 4 : at + 4 + length] + b"NAME" + struct.pack("<I", len(NAME)) + NAME
    sent = plain[:at] + struct.pack("<I", len(inner)) + inner + plain[at + 4 + length :]
    sent = sent[:4] + struct.pack("<I", len(sent) - 8) + sent[8:]
    kept = without_metadata(sent, LIMITS)
    assert (kept.frames, NAME in kept.data) == (2, False)
    assert len(kept.data) < 0.6 * len(sent)
    with Image.open(io.BytesIO(kept.data)) as image:
        assert getattr(image, "n_frames", 1) == 1
    assert (decoded(kept.data) == decoded(sent)).all()
    assert (decoded(sent) == np.asarray(first)).all()


def test_a_text_between_the_chunks_of_a_png_goes() -> None:
    sent = named("PNG").removesuffix(NAME)
    body = b"prVt" + NAME
    private = struct.pack(">I", len(NAME)) + body + struct.pack(">I", zlib.crc32(body))
    assert NAME not in without_metadata(sent[:-12] + private + sent[-12:], LIMITS).data


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", EmptyInput), (b"%PDF-1.7 nothing", UnsupportedFormat), (bytes(128) + b"DICM", UnreadableInput),
        (b"plain text", UnsupportedFormat), (b"RIFF\x00\x01\x00\x00WEBPVP8 ", UnreadableInput),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_not_kept(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        without_metadata(data, LIMITS)


def test_what_is_damaged_is_not_kept() -> None:
    sent = named("JPEG")
    with pytest.raises(UnreadableInput):
        PictureToKeep(sent[: len(sent) // 3], LIMITS.max_bytes, LIMITS.max_pixels, SKIN).read()
