"""Frames, bars and viewers' windows are cut off; margins of a picture's own, and pictures without any, stay."""

from __future__ import annotations

import io
import tracemalloc

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import INPUT, detailed, encode
from PIL import Image

from ml_model.inputs.images.decoder import decode_image, load_image
from ml_model.inputs.images.surround import Surround, ends_straight, find_surround
from ml_model.training.augmentation.surrounds import COLOURS, FRAME_SHARES, WINDOWS, framed_by_share, letterboxed

PICTURE = np.asarray(detailed(200, 160))
WITH_MARGINS = INPUT.model_copy(update={"dark_margins": (0.2, 0.1)})


def as_png(pixels: NDArray[np.uint8]) -> bytes:
    return encode(Image.fromarray(pixels), "PNG")


@pytest.mark.parametrize("share", [0.0, *FRAME_SHARES])
@pytest.mark.parametrize("colour", COLOURS)
def test_the_model_sees_the_same_with_a_frame_as_without(colour: str, share: float) -> None:
    down, across = max(1, round(share * 160)), max(1, round(share * 200))
    loaded = load_image(as_png(framed_by_share(PICTURE, share, COLOURS[colour])), INPUT)
    plain = load_image(as_png(PICTURE), INPUT)
    assert plain.surround is None
    assert np.array_equal(loaded.pixels, plain.pixels)
    assert loaded.surround is not None
    assert loaded.surround.kind == "frame"
    assert loaded.surround.box == (across, down, across + 200, down + 160)
    assert (loaded.original_width_px, loaded.original_height_px) == (200 + 2 * across, 160 + 2 * down)
    assert loaded.size_px == (200, 160)
    assert (loaded.frame.left_px, loaded.frame.top_px) == (across, down)
    assert (loaded.frame.width_px, loaded.frame.height_px) == (200, 160)


@pytest.mark.parametrize("size", [(200, 160), (120, 300)])
@pytest.mark.parametrize("colour", COLOURS)
def test_bars_are_cut_off(colour: str, size: tuple[int, int]) -> None:
    pixels = np.asarray(detailed(*size))
    loaded = load_image(as_png(letterboxed(pixels, 16 / 9, COLOURS[colour])), INPUT)
    assert loaded.size_px == size


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("window", WINDOWS)
def test_the_picture_in_a_window_is_found(window: str, seed: int) -> None:
    shot = WINDOWS[window](np.asarray(detailed(320, 280, colours="RGB")), np.random.default_rng(seed))
    found = find_surround(Image.fromarray(shot), INPUT)
    assert found is not None
    assert found.kind == "screen"
    left, top, right, bottom = found.box
    assert abs(right - left - 320) <= 6
    assert abs(bottom - top - 280) <= 6


def test_a_frame_in_a_jpeg_file_is_found_too() -> None:
    data = encode(Image.fromarray(framed_by_share(PICTURE, 0.1, COLOURS["white"])), "JPEG", quality=85)
    surround = load_image(data, INPUT).surround
    assert surround is not None
    assert max(abs(a - b) for a, b in zip(surround.box, (20, 16, 220, 176), strict=True)) <= 8


@pytest.mark.parametrize(("share", "cut"), [(0.05, False), (0.1, False), (0.2, True)])
def test_dark_margins_of_its_own_stay(share: float, cut: bool) -> None:
    """Frames of these shares leave margins of .045, .083 and .143 all around."""
    found = find_surround(Image.fromarray(framed_by_share(PICTURE, share, COLOURS["black"])), WITH_MARGINS)
    assert (found is not None) == cut


def test_frames_of_another_colour_are_no_margins_of_its_own() -> None:
    assert find_surround(Image.fromarray(framed_by_share(PICTURE, 0.01, COLOURS["grey"])), WITH_MARGINS) is not None


def test_a_page_keeps_its_margins_of_paper_and_loses_a_black_frame() -> None:
    page_input = INPUT.model_copy(update={"light_margins": (0.5, 0.5)})
    page = framed_by_share(PICTURE, 0.1, COLOURS["white"])
    assert find_surround(Image.fromarray(page), page_input) is None
    found = find_surround(Image.fromarray(framed_by_share(page, 0.0, COLOURS["black"])), page_input)
    assert found is not None
    assert found.box == (1, 1, 241, 193)


def test_one_colour_is_no_frame() -> None:
    for colour in COLOURS.values():
        assert find_surround(Image.new("RGB", (64, 48), colour), INPUT) is None


def test_a_gradient_is_no_window() -> None:
    levels = np.linspace(40, 255, 300).astype(np.uint8)
    for ramp in (np.tile(levels, (200, 1)), np.tile(levels[:, None], (1, 200)), np.add.outer(levels, levels) // 2):
        assert find_surround(Image.fromarray(ramp.astype(np.uint8)).convert("RGB"), INPUT) is None


def test_a_picture_of_one_pixel_has_no_frame() -> None:
    assert find_surround(Image.new("RGB", (1, 1)), INPUT) is None


def test_what_would_leave_too_little_is_no_frame() -> None:
    wanted = INPUT.model_copy(update={"min_side_px": 170})
    decode_image(as_png(np.asarray(detailed(200, 170))), wanted)
    whole = framed_by_share(PICTURE, 0.1, COLOURS["white"])
    decoded = decode_image(as_png(whole), wanted)
    assert (decoded.surround, decoded.rgb.size) == (None, (whole.shape[1], whole.shape[0]))


def test_of_a_small_patch_what_ends_straight_is_cut_off() -> None:
    patch = np.asarray(detailed(60, 60))
    framed_patch = framed_by_share(patch, 0.3, COLOURS["white"])
    assert max(framed_patch.shape[:2]) < 128
    for around in (framed_patch, framed_patch[:, 18:-18]):
        assert np.array_equal(np.asarray(decode_image(as_png(around), INPUT).rgb), patch)


def test_a_long_strip_is_looked_at_line_by_line() -> None:
    """One of 48 megapixels took twice what a process may have when all of its pixels were compared."""
    strip = Image.fromarray(np.zeros((100, 20_000, 3), np.uint8))
    tracemalloc.start()
    try:
        assert not ends_straight(strip, Surround((10, 10, 19_990, 90), "frame"))
        assert tracemalloc.get_traced_memory()[1] < 9 * strip.width * strip.height
    finally:
        tracemalloc.stop()


def test_a_small_patch_beside_flat_tissue_is_taken_whole() -> None:
    """Flat tissue beside something is no frame of it: nothing was left of some patches of 50 pixels but a strip."""
    patch = np.full((96, 96, 3), 255, np.uint8)
    cv2.circle(patch, (48, 48), 30, (180, 90, 160), cv2.FILLED)
    assert find_surround(Image.fromarray(patch), INPUT) is not None
    assert decode_image(as_png(patch), INPUT).surround is None


def test_a_box_is_told_in_pixels_of_a_jpeg_that_was_decoded_at_reduced_scale() -> None:
    large = framed_by_share(np.asarray(detailed(1600, 1200)), 0.1, COLOURS["blue"])
    buffer = io.BytesIO()
    Image.fromarray(large).save(buffer, "JPEG", quality=95)
    decoded = decode_image(buffer.getvalue(), INPUT)
    assert decoded.rgb.width < 800
    assert decoded.surround is not None
    assert max(abs(a - b) for a, b in zip(decoded.box, (160, 120, 1760, 1320), strict=True)) <= 16
