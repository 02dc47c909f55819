"""How pictures come to a model's size: stretched, mirrored at the edges, or cut to the breast; and the way back."""

from __future__ import annotations

import io
import zipfile

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from pictures import encode, picture
from PIL import Image
from samples import real_archive

from backend.services.rendering.heatmaps import Heatmap, overlay_png, peak_region
from ml_model.inputs.images.decoder import decode_image, load_image
from ml_model.inputs.images.geometry import Frame, place, resize_rgb
from ml_model.tasks.registry import ImageInput

Pixels = NDArray[np.uint8]
SQUASH, MIRROR, BREAST = (
    ImageInput(modality="film", height_px=96, width_px=64, geometry=g, min_side_px=1)
    for g in ("squash", "mirror", "breast")
)
FIELD = ImageInput(modality="film", height_px=448, width_px=672, geometry="field", min_side_px=1)
SQUARE = ImageInput(modality="film", height_px=224, width_px=224, geometry="mirror", min_side_px=1)
SIZES = st.integers(1, 300)


def film(width_px: int = 400, height_px: int = 500, letter: bool = True, spot: bool = False) -> Pixels:
    """A left breast: half an ellipse on the left border, two fifths as wide as the film, with denser tissue in it.

    Reaches from 20 to 80 % of the height. letter: an L in the upper right corner. spot: a white disc.
    """
    rng = np.random.default_rng(3)
    grey = rng.integers(0, 5, (height_px, width_px)).astype(np.uint8)
    centre, axes = (0, height_px // 2), (2 * width_px // 5, 3 * height_px // 10)
    cv2.ellipse(grey, centre, axes, 0, 0, 360, 70, cv2.FILLED)
    cv2.ellipse(grey, (width_px // 8, height_px // 2), (axes[0] // 3, axes[1] // 3), 0, 0, 360, 130, cv2.FILLED)
    if letter:
        stroke = max(2, width_px // 80)
        cv2.putText(grey, "L", (int(0.85 * width_px), height_px // 8), 0, width_px / 300, 255, stroke)
    if spot:
        cv2.circle(grey, (width_px // 5, 2 * height_px // 5), max(3, width_px // 60), 255, cv2.FILLED)
    return np.repeat(grey[..., None], 3, axis=2)


# Squash


@pytest.mark.parametrize("size", [(96, 64), (31, 500), (1, 1), (64, 96), (640, 480)])
def test_squash_is_one_bilinear_resize_of_the_whole_picture(size: tuple[int, int]) -> None:
    source = picture(*size)
    pixels, frame = place(source, SQUASH)
    np.testing.assert_array_equal(pixels, np.asarray(source.resize((64, 96), Image.Resampling.BILINEAR)))
    assert frame == Frame(0, 0, *size)
    np.testing.assert_array_equal(place(np.asarray(source), SQUASH)[0], pixels)


# Mirror


def test_a_square_patch_fills_a_square_model() -> None:
    pixels, frame = place(picture(50, 50), SQUARE)
    np.testing.assert_array_equal(pixels, resize_rgb(picture(50, 50), 224, 224))
    assert frame == Frame(0, 0, 50, 50)


def test_a_wide_picture_keeps_its_proportions_and_is_mirrored_above_and_below() -> None:
    pixels, frame = place(picture(700, 460), SQUARE)
    inner = resize_rgb(picture(700, 460), 147, 224)  # 460 / 700 of 224
    np.testing.assert_array_equal(pixels[38:185], inner)
    np.testing.assert_array_equal(pixels[:38], inner[38:0:-1])  # the edge row itself is not doubled
    np.testing.assert_array_equal(pixels[185:], inner[-2:-41:-1])
    per_px = 460 / 147
    assert (frame.left_px, frame.width_px, frame.mirrored) == (0, 700, False)
    assert frame.top_px == pytest.approx(-38 * per_px)
    assert frame.height_px == pytest.approx(224 * per_px)


@pytest.mark.parametrize("upright", [False, True])
def test_a_strip_is_mirrored_as_often_as_it_takes(upright: bool) -> None:
    strip = picture(1000, 100)
    pixels, frame = place(strip.transpose(Image.Transpose.TRANSPOSE) if upright else strip, SQUARE)
    if upright:
        pixels, frame = pixels.transpose(1, 0, 2), Frame(frame.top_px, frame.left_px, frame.height_px, frame.width_px)
        inner = resize_rgb(strip.transpose(Image.Transpose.TRANSPOSE), 224, 22).transpose(1, 0, 2)
    else:
        inner = resize_rgb(strip, 22, 224)
    np.testing.assert_array_equal(pixels[101:123], inner)
    period = np.concatenate([inner, inner[-2:0:-1]])
    rows = np.arange(-101, 123) % len(period)
    np.testing.assert_array_equal(pixels, period[rows])
    assert frame.height_px == pytest.approx(224 * 100 / 22)


@settings(max_examples=60, deadline=None)
@given(width=SIZES, height=SIZES, model=st.sampled_from([(32, 32), (96, 64), (33, 57)]))
def test_mirror_takes_any_size(width: int, height: int, model: tuple[int, int]) -> None:
    image_input = ImageInput(modality="film", height_px=model[0], width_px=model[1], geometry="mirror")
    pixels, frame = place(picture(width, height), image_input)
    assert pixels.shape == (*model, 3)
    assert pixels.dtype == np.uint8
    assert frame.left_px <= 0
    assert frame.top_px <= 0
    assert frame.left_px + frame.width_px >= width - 1e-6
    assert frame.top_px + frame.height_px >= height - 1e-6
    # The same scale across and down, but for the rounding of the shorter side to whole pixels.
    across, down = model[1] / frame.width_px, model[0] / frame.height_px
    assert abs(min(width, height) * (across - down)) <= 1.01


# Field


@pytest.mark.parametrize("side", [10, 50, 100, 112])
def test_a_patch_is_shown_at_half_the_size_whatever_its_pixels(side: int) -> None:
    pixels, frame = place(picture(side, side), FIELD)
    inner = resize_rgb(picture(side, side), 224, 224)
    np.testing.assert_array_equal(pixels[112:336, 224:448], inner)
    np.testing.assert_array_equal(pixels[112:336, 223:0:-1], inner[:, 1:])  # mirrored, as the rest
    assert frame == Frame(-side, -side / 2, 3 * side, 2 * side)


@pytest.mark.parametrize("size", [(700, 460), (640, 421), (1280, 842), (504, 336), (336, 336)])
def test_a_whole_field_fills_the_picture(size: tuple[int, int]) -> None:
    pixels, _ = place(picture(*size), FIELD)
    whole = FIELD.model_copy(update={"geometry": "mirror"})
    np.testing.assert_array_equal(pixels, place(picture(*size), whole)[0])


def test_a_picture_below_the_limit_is_a_patch() -> None:
    assert place(picture(503, 200), FIELD)[1].width_px == pytest.approx(2 * 503, abs=1)
    assert place(picture(504, 200), FIELD)[1].width_px == pytest.approx(504, abs=1)


# Breast


@pytest.mark.parametrize("size", [(400, 500), (180, 150), (2000, 2600)])
@pytest.mark.parametrize("letter", [False, True])
def test_the_crop_is_the_breast_and_letters_neither_widen_it_nor_stay(size: tuple[int, int], letter: bool) -> None:
    width, height = size
    pixels, frame = place(film(width, height, letter), BREAST)
    assert not frame.mirrored
    assert frame.left_px == 0
    assert frame.top_px == pytest.approx(0.2 * height, abs=0.025 * height)
    assert frame.width_px == pytest.approx(0.4 * width, abs=0.025 * max(size))
    assert frame.height_px == pytest.approx(0.6 * height, abs=0.035 * height)
    assert pixels[0, -1].max() == pixels[-1, -1].max() == 0  # beside the breast
    assert pixels[48, 60].min() > 60  # plain tissue
    other = place(film(width, height, not letter), BREAST)[0]
    assert ((pixels > 30) != (other > 30)).mean() < 0.02  # a pixel of the small copy apart at most


def test_a_label_inside_the_crop_is_blanked() -> None:
    shown = film(letter=False)
    shown[110:125, 130:150] = 255  # between the breast's outline and the corner of its box
    pixels, frame = place(shown, BREAST)
    assert frame.left_px + frame.width_px > 150
    assert frame.top_px < 110
    np.testing.assert_array_equal(pixels, place(film(letter=False), BREAST)[0])


@pytest.mark.parametrize("size", [(400, 500), (180, 150), (2000, 2600)])
def test_an_inverted_film_is_the_same_film(size: tuple[int, int]) -> None:
    upright, frame = place(film(*size), BREAST)
    inverted, inverted_frame = place(255 - film(*size), BREAST)
    np.testing.assert_array_equal(inverted, upright)
    assert inverted_frame == frame


@pytest.mark.parametrize("size", [(400, 500), (180, 150), (2000, 2600)])
def test_a_right_breast_is_turned_to_the_left(size: tuple[int, int]) -> None:
    left, frame = place(film(*size), BREAST)
    right, right_frame = place(np.ascontiguousarray(film(*size)[:, ::-1]), BREAST)
    assert right_frame.mirrored
    assert right_frame.left_px == pytest.approx(size[0] - frame.left_px - frame.width_px)
    assert np.abs(right.astype(int) - left).mean() < 1
    assert left[:, 0].mean() > 30 > left[:, -1].mean()


def test_a_grey_strip_and_a_white_page_around_the_film_are_no_tissue() -> None:
    _, expected = place(film(), BREAST)
    strip = film()
    strip[:25] = 64
    assert place(strip, BREAST)[1] == expected
    page = np.full((700, 600, 3), 255, np.uint8)
    page[100:600, 100:500] = film()
    _, found = place(page, BREAST)
    assert found.left_px == pytest.approx(100, abs=5)
    assert found.top_px == pytest.approx(100 + expected.top_px, abs=5)
    assert found.width_px == pytest.approx(expected.width_px, abs=15)
    assert found.height_px == pytest.approx(expected.height_px, abs=15)
    assert not found.mirrored


@pytest.mark.parametrize("level", [0, 7, 128, 255])
def test_a_film_without_a_breast_is_taken_as_a_whole(level: int) -> None:
    blank = np.full((120, 90, 3), level, np.uint8)
    pixels, frame = place(blank, BREAST)
    np.testing.assert_array_equal(pixels, resize_rgb(blank, 96, 64))
    assert frame == Frame(0, 0, 90, 120)
    if level == 0:
        cv2.putText(blank, "L", (70, 20), 0, 0.4, (255, 255, 255), 1)  # a letter alone is no breast
        np.testing.assert_array_equal(place(blank, BREAST)[0], resize_rgb(blank, 96, 64))


@settings(max_examples=60, deadline=None)
@given(
    pixels=hnp.arrays(np.uint8, st.tuples(SIZES, SIZES, st.just(1)), elements=st.sampled_from([0, 3, 60, 128, 255])),
    factor=st.integers(1, 5),
)
def test_any_picture_comes_out_of_the_breast_geometry(pixels: Pixels, factor: int) -> None:
    source = pixels.repeat(3, axis=2).repeat(factor, axis=0)
    placed, frame = place(source, BREAST)
    assert placed.shape == (96, 64, 3)
    assert placed.dtype == np.uint8
    assert 0 <= frame.left_px < frame.left_px + frame.width_px <= source.shape[1]
    assert 0 <= frame.top_px < frame.top_px + frame.height_px <= source.shape[0]


def test_real_films_have_the_chest_wall_left_and_do_not_mind_inversion() -> None:
    with zipfile.ZipFile(real_archive("rsna_mammography.zip")) as stored:
        names = sorted(name for name in stored.namelist() if name.endswith(".avif"))[::48]
        films = [Image.open(io.BytesIO(stored.read(name))).convert("RGB") for name in names]
    assert len(films) >= 40
    for name, shown in zip(names, films, strict=True):
        pixels, frame = place(shown, BREAST)
        edge = frame.left_px + frame.width_px if frame.mirrored else frame.left_px
        assert edge == (shown.width if frame.mirrored else 0), name  # the chest wall is where the film ends
        assert (pixels[:, :8] > 0).mean() > (pixels[:, -8:] > 0).mean(), name
        inverted, inverted_frame = place(255 - np.asarray(shown), BREAST)
        assert inverted_frame == frame, name
        np.testing.assert_array_equal(inverted, pixels, name)


# The way back to the original


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_place_in_the_crop_leads_back_to_the_film(mirrored: bool) -> None:
    shown, without = film(spot=True), film()
    if mirrored:
        shown, without = (np.ascontiguousarray(one[:, ::-1]) for one in (shown, without))
    pixels, frame = place(shown, BREAST)
    assert frame.mirrored == mirrored
    change = np.abs(pixels[..., 0].astype(np.float32) - place(without, BREAST)[0][..., 0])
    cells = cv2.resize(np.where(change > 50, change, 0), (64, 96))
    x, y, width, height = peak_region(Heatmap(pixels, cells, frame, 400, 500)) or (0, 0, 0, 0)
    assert x + width / 2 == pytest.approx(319 if mirrored else 80, abs=4)
    assert y + height / 2 == pytest.approx(200, abs=4)
    with Image.open(io.BytesIO(overlay_png(Heatmap(pixels, cells, frame, 400, 500)))) as overlay:
        assert overlay.width / overlay.height == pytest.approx(frame.width_px / frame.height_px, abs=0.01)
        drawn = np.asarray(overlay.convert("L"), np.float32)
    halves = drawn[:, : drawn.shape[1] // 2].mean(), drawn[:, drawn.shape[1] // 2 :].mean()
    assert (halves[1] > halves[0]) == mirrored  # the sides are those of the upload again


@pytest.mark.parametrize(
    ("row", "expected"),
    [(0, (100, 200)), (1, (0, 100)), (2, (100, 200)), (3, (100, 200)), (4, (0, 100))],
)
def test_a_peak_in_the_reflection_tells_what_is_reflected(row: int, expected: tuple[int, int]) -> None:
    cells = np.zeros((5, 1), np.float32)
    cells[row] = 1
    # Rows of 200 px from -300 on over a picture of 300: the first and the last two lie outside.
    heatmap = Heatmap(np.zeros((32, 32, 3), np.uint8), cells, Frame(0, -300, 1000, 1000), 1000, 300)
    assert peak_region(heatmap) is not None
    x, y, width, height = peak_region(heatmap) or (0, 0, 0, 0)
    assert (x, width) == (0, 1000)
    assert (y, height) == expected


def test_the_frame_is_in_the_pixels_of_the_original_even_when_a_jpeg_was_decoded_reduced() -> None:
    data = encode(picture(1601, 1203), "JPEG", quality=90)
    assert decode_image(data, MIRROR).rgb.size == (401, 301)
    assert decode_image(data, MIRROR, full_size=True).rgb.size == (1601, 1203)
    assert load_image(data, SQUASH).frame == Frame(0, 0, 1601, 1203)
    loaded = load_image(data, MIRROR)
    assert (loaded.original_width_px, loaded.frame.left_px, loaded.frame.width_px) == (1601, 0, 1601)
    assert loaded.frame.height_px == pytest.approx(1601 * 96 / 64, rel=0.01)
    full, _ = place(picture(1601, 1203), MIRROR)
    assert np.abs(loaded.pixels.astype(int) - full).mean() < 2


def test_a_mammogram_is_never_decoded_reduced() -> None:
    data = encode(Image.fromarray(film(2000, 2600)), "JPEG", quality=95)
    assert decode_image(data, BREAST).rgb.size == (2000, 2600)
    loaded = load_image(data, BREAST)
    expected, frame = place(film(2000, 2600), BREAST)
    assert loaded.frame.width_px == pytest.approx(frame.width_px, abs=20)
    assert np.abs(loaded.pixels.astype(int) - expected).mean() < 2
