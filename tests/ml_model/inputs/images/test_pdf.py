"""The first page of a PDF document: drawn, bounded, and refused in words when it cannot be."""

from __future__ import annotations

import importlib.util
import random

import numpy as np
import pytest
from pictures import document, drawing, encode, picture
from PIL import Image

from ml_model.errors import InputTooLarge, MediDiagnoseError, PoorQuality, UnreadableInput, UnsupportedFormat
from ml_model.inputs.images import pdf
from ml_model.inputs.images.decoder import ImageLimits, decode_image, load_image
from ml_model.tasks.registry import ImageInput

PAGE = ImageInput(modality="ecg", height_px=64, width_px=96, pdf_pages=True)
PICTURE = PAGE.model_copy(update={"pdf_pages": False})


def test_the_first_page_is_decoded_as_a_picture() -> None:
    second = Image.new("RGB", (96, 64), "red")
    data = encode(picture(960, 640), "PDF", save_all=True, append_images=[second], quality=95)
    decoded = decode_image(data, PAGE)
    assert (decoded.format, decoded.rgb.mode, decoded.rgb.size) == ("PDF", "RGB", (2200, 1467))
    assert (decoded.original_width_px, decoded.original_height_px) == (2200, 1467)
    loaded = load_image(data, PAGE)
    assert (loaded.format, loaded.frame.width_px, loaded.frame.height_px) == ("PDF", 2200, 1467)
    direct = load_image(encode(picture(960, 640), "PNG"), PAGE).pixels
    assert np.abs(loaded.pixels.astype(int) - direct).mean() < 3


def test_lines_are_drawn_on_white_where_the_page_has_them() -> None:
    page = np.asarray(pdf.render_first_page(drawing(b"0 0 0 rg 200 100 400 200 re f"), 50_000_000)[0]).astype(int)
    assert page.shape == (1100, 2200, 3)
    assert page[275, 550:1650].max() <= 255
    assert (page[:270] == 255).all()
    assert (page[280:820, 560:1640] == 0).all()
    turned = b"\n" * 20 + drawing(b"", media="0 0 400 800")  # readers accept something before the header
    assert decode_image(turned, PAGE).rgb.size == (1100, 2200)


def test_a_page_stays_within_the_limit_of_pixels_and_above_the_shortest_side() -> None:
    width, height = pdf.render_first_page(drawing(b""), 200_000)[0].size
    assert width * height <= 200_000 * 1.01
    assert width / height == pytest.approx(2, abs=0.02)
    with pytest.raises(PoorQuality, match="shorter side"):
        load_image(drawing(b"", media="0 0 10000 1"), PAGE)


def test_a_task_that_takes_no_pages_says_so() -> None:
    data = encode(picture(), "PDF")
    with pytest.raises(UnsupportedFormat, match=r"looks like a PDF document; send PNG.*AVIF or DICOM$"):
        load_image(data, PICTURE)
    with pytest.raises(UnsupportedFormat, match="looks like plain text; send PNG.*PDF or DICOM$"):
        load_image(b"hello", PAGE)


PROTECTION = b"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<%s>/U<%s>>>/ID[<00><00>]" % (b"ab" * 32, b"cd" * 32)
NO_PAGES = document(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>")
LARGE_PICTURE = encode(Image.new("L", (1100, 1000)), "PDF")


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (drawing(b"", trailer=PROTECTION), UnreadableInput, "protected by a password"),
        (b"%PDF-1.7\n", UnreadableInput, "truncated, corrupt or has no pages"),
        (encode(picture(), "PDF")[:300], UnreadableInput, "truncated, corrupt or has no pages"),
        (NO_PAGES, UnreadableInput, "has no pages"),
        (LARGE_PICTURE, InputTooLarge, "a picture of too many pixels"),
        (drawing(b"0 0 m 9 9 l S " * 200_001, flate=True), InputTooLarge, "too many objects"),
    ],
    ids=["protected", "header alone", "cut", "no pages", "large picture", "many objects"],
)
def test_what_cannot_be_drawn_is_refused_with_the_reason(
    data: bytes, error: type[MediDiagnoseError], message: str
) -> None:
    with pytest.raises(error, match=message):
        load_image(data, PAGE, ImageLimits(max_pixels=1_000_000))


@pytest.mark.skipif(importlib.util.find_spec("resource") is None, reason="this system limits no memory of a process")
def test_a_small_file_that_unfolds_to_gigabytes_ends_its_own_process_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_WAITING_S", 500.0)  # the limit of memory is what is tested
    data = drawing(b"0 0 m 800 400 l S " * 8_000_000, flate=True)
    assert len(data) < 400_000
    with pytest.raises(InputTooLarge, match="too long or too much memory"):
        pdf.render_first_page(data, 1000)
    assert pdf.render_first_page(drawing(b""), 1000)[0].size == (45, 23)


def test_a_process_that_is_late_or_breaks_off_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(pdf, "_RENDERER", "no_such_module")
        with pytest.raises(InputTooLarge, match="too long or too much memory"):
            pdf.render_first_page(drawing(b""), 1_000_000)
    monkeypatch.setattr(pdf, "TIME_LIMIT_S", 0.001)
    monkeypatch.setattr(pdf, "_WAITING_S", 0.0)
    with pytest.raises(InputTooLarge, match="too long or too much memory"):
        pdf.render_first_page(drawing(b""), 1_000_000)


def _damaged(seed: int) -> bytes:
    """A valid document cut off or with some bytes changed."""
    rng = random.Random(seed)
    data = bytearray(encode(picture(48, 32, seed), "PDF") if seed % 2 else drawing(b"0 0 m 800 400 l S"))
    if seed % 3 == 0:
        return bytes(data[: rng.randrange(9, len(data))])
    for _ in range(rng.choice((1, 5, 40))):
        data[rng.randrange(9, len(data))] = rng.randrange(256)
    return bytes(data)


@pytest.mark.parametrize("seed", range(36))
def test_damaged_documents_are_drawn_or_refused(seed: int) -> None:
    try:
        loaded = load_image(_damaged(seed), PAGE, ImageLimits(max_pixels=1_000_000))
    except (UnreadableInput, InputTooLarge, PoorQuality) as refused:
        message = str(refused)
    else:
        message = f"drawn from {loaded.format}: {loaded.pixels.shape}"
    assert message.startswith(("the PDF document", "the picture is")) or message == "drawn from PDF: (64, 96, 3)"
