"""What the fuzzer found stays found: each file is refused or answered soon, for the reason that it has."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from fuzzing import findings
from fuzzing.findings import jpeg_ls_without_end
from fuzzing.keeping import kept_picture
from hostile.hidden_texts import TEXT

from ml_model.deidentify.pictures import without_metadata
from ml_model.diagnosis.reading import PictureToKeep
from ml_model.errors import UnreadableInput, UnsupportedFormat
from ml_model.inputs.images.decoder import DEFAULT_LIMITS, decode_image, load_image
from ml_model.tasks.registry import ImageInput

INPUT = ImageInput(modality="film", height_px=32, width_px=48, min_side_px=1)
SOON_S = 5.0  # what took half a minute or more takes milliseconds; a busy machine may take its time


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_jpeg_ls_stream_without_an_end(share: float) -> None:
    assert load_image(jpeg_ls_without_end(1), INPUT).pixels.shape == (32, 48, 3)
    started = time.monotonic()
    with pytest.raises(UnreadableInput, match="cannot be decoded"):
        load_image(jpeg_ls_without_end(share), INPUT)
    assert time.monotonic() - started < SOON_S


@pytest.mark.parametrize("tiled", [False, True])
def test_a_tiff_whose_pixels_are_its_head_is_not_kept(tiled: bool) -> None:
    sent = findings.pixels_of_the_head(tiled=tiled)
    assert load_image(sent, INPUT).pixels.shape == (32, 48, 3)
    with pytest.raises(UnsupportedFormat, match="this TIFF cannot be kept .* the same pixels"):
        without_metadata(sent, DEFAULT_LIMITS)


def test_a_tiff_of_a_strip_of_no_bytes_is_not_kept() -> None:
    sent = findings.strip_of_no_bytes()
    assert load_image(sent, INPUT).pixels.shape == (32, 48, 3)
    with pytest.raises(UnsupportedFormat, match="this TIFF cannot be kept .* the same pixels"):
        without_metadata(sent, DEFAULT_LIMITS)


def test_a_text_behind_the_last_block_of_a_jpeg_is_coded_data() -> None:
    sent = findings.jpeg_of_a_stuffed_byte_filled_up()
    kept_picture((("sent", sent),))
    assert without_metadata(sent, DEFAULT_LIMITS).data.endswith(sent[-25:])


@pytest.mark.parametrize("marker", [0xC8, 0xD8, 0xDE, 0xDF])
def test_a_text_behind_the_last_scan_of_a_jpeg_goes(marker: int) -> None:
    sent = findings.jpeg_that_goes_on(marker)
    kept_picture((("sent", sent),))
    assert TEXT not in without_metadata(sent, DEFAULT_LIMITS).data


def test_a_webp_that_is_decoded_otherwise_without_what_is_behind_its_pixels_is_not_kept() -> None:
    with pytest.raises(UnsupportedFormat, match="this WEBP cannot be kept .* the same pixels"):
        without_metadata(findings.webp_of_two_transparencies(), DEFAULT_LIMITS)


@pytest.mark.parametrize(
    ("sent", "error", "what"),
    [
        (findings.webp_broken_behind_its_pixels, UnreadableInput, "corrupt"),
        (lambda: findings.jpeg_that_goes_on(0xC0), UnreadableInput, "two frames"),
        (findings.png_with_colours_first, UnsupportedFormat, "out of place"),
        (findings.png_of_300_degrees, UnsupportedFormat, "more than 256 colours"),
        (findings.png_of_300_colours, UnsupportedFormat, "more than 256 colours"),
        (findings.bmp_of_300_colours, UnsupportedFormat, "more than 256 colours"),
        (findings.dicom_of_an_odd_table, UnsupportedFormat, "answered the same"),
        (findings.dicom_short_of_a_byte, UnsupportedFormat, "answered the same"),
        (findings.dicom_of_odd_colours, UnreadableInput, "cannot be decoded"),
        (findings.tiff_of_more_samples, UnsupportedFormat, "5 values of tag 338"),
    ],
)
def test_what_is_not_decoded_itself_or_has_room_for_a_text_is_not_kept(
    sent: Callable[[], bytes], error: type[Exception], what: str
) -> None:
    with pytest.raises(error, match=what):
        PictureToKeep(sent(), DEFAULT_LIMITS.max_bytes, DEFAULT_LIMITS.max_pixels, INPUT).read()


@pytest.mark.parametrize(
    "sent",
    [
        findings.bmp_with_a_text_for_a_size, findings.tiff_of_other_colours, findings.tile_beyond_the_picture,
        findings.dicom_of_more_numbers,
    ],
)  # fmt: skip
def test_a_text_among_numbers_and_unread_pixels_goes(sent: Callable[[], bytes]) -> None:
    data = sent()
    assert data.count(TEXT[:12]) > 0
    kept = without_metadata(data, DEFAULT_LIMITS).data
    assert TEXT[:4] not in kept
    before, after = (np.asarray(decode_image(one, INPUT, full_size=True, whole=True).rgb) for one in (data, kept))
    assert (before == after).all()
