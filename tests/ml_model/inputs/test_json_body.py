"""CT slices cut to the trunk in one window: table, air and window tell nothing any more."""

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
from PIL import Image
from samples import real_archive

from ml_model.inputs.images.geometry import place
from ml_model.inputs.images.intensity import even_window
from ml_model.tasks.registry import ImageInput

Pixels = NDArray[np.uint8]
BODY = ImageInput(modality="film", height_px=112, width_px=112, geometry="body", min_side_px=1)
AIR, LUNG, FAT, MUSCLE, BONE = 0.0, 0.18, 0.8, 0.9, 1.0


def slice_of(
    side: int = 400, share: float = 0.8, table: bool = True, black: float = 30, white: float = 220, middle: float = 0.5
) -> Pixels:
    """An oval trunk, `share` of the side wide, with two lungs, a nodule in one and a spine; a table below it.

    black, white: levels of air and bone. middle: where the trunk's centre is, of the height.
    """
    density = np.full((side, side), AIR, np.float32)
    centre, half = (side // 2, round(middle * side)), round(share * side / 2)
    cv2.ellipse(density, centre, (half, round(0.7 * half)), 0, 0, 360, FAT, cv2.FILLED)
    cv2.ellipse(density, centre, (round(0.93 * half), round(0.63 * half)), 0, 0, 360, MUSCLE, cv2.FILLED)
    for sign in (-1, 1):
        lung = (centre[0] + sign * round(0.42 * half), centre[1] - round(0.05 * half))
        cv2.ellipse(density, lung, (round(0.3 * half), round(0.45 * half)), 0, 0, 360, LUNG, cv2.FILLED)
    cv2.circle(density, (centre[0] + round(0.5 * half), centre[1]), max(2, half // 12), MUSCLE, cv2.FILLED)
    cv2.circle(density, (centre[0], centre[1] + round(0.5 * half)), max(2, half // 8), BONE, cv2.FILLED)
    if table:
        below = (side // 2, round(centre[1] + 0.75 * half))
        cv2.ellipse(density, below, (half, half // 5), 0, 20, 160, MUSCLE, max(1, side // 150))
    grey = np.rint(black + (white - black) * density).clip(0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


@pytest.mark.parametrize("share", [0.4, 0.6, 0.9])
def test_the_frame_is_the_trunk_without_the_table(share: float) -> None:
    _, frame = place(slice_of(share=share), BODY)
    wide, high = share * 400, 0.7 * share * 400
    assert frame.left_px == pytest.approx(200 - wide / 2, abs=10)
    assert frame.width_px == pytest.approx(wide, abs=20)
    assert frame.top_px == pytest.approx(200 - high / 2, abs=10)
    assert frame.height_px == pytest.approx(high, abs=20)


def test_size_of_the_field_table_and_window_change_hardly_anything() -> None:
    """The same trunk, small on its table in a bright window and filling a dark picture."""
    small, _ = place(slice_of(share=0.5, table=True, black=60, white=250), BODY)
    large, _ = place(slice_of(share=0.95, table=False, black=0, white=120), BODY)
    apart = np.abs(small.astype(int) - large).mean()
    squashed = [np.asarray(Image.fromarray(p).resize((112, 112))).astype(int) for p in (
        slice_of(share=0.5, black=60, white=250), slice_of(share=0.95, table=False, black=0, white=120)
    )]  # fmt: skip
    assert apart < 8 < 60 < np.abs(squashed[0] - squashed[1]).mean()


def test_lung_and_tissue_have_their_levels_and_what_is_outside_is_black() -> None:
    pixels, _ = place(slice_of(black=70, white=200), BODY)
    assert pixels[52, 34, 0] == pytest.approx(40, abs=3)  # in the left lung
    assert pixels[30, 56, 0] == pytest.approx(160, abs=3)  # between the lungs
    assert not pixels[0, 0].any()
    assert (pixels == pixels[..., :1]).all()


def test_lungs_that_reach_the_edge_of_the_picture_stay() -> None:
    """A cut that goes through both lungs leaves them open to the left and right: they belong to the trunk."""
    narrow = slice_of(share=0.95, table=False)[:, 75:325]
    pixels, frame = place(narrow, BODY)
    assert frame.width_px == 250
    assert pixels[52, 5, 0] == pytest.approx(40, abs=3)


@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_picture_of_one_level_is_taken_as_a_whole(level: int) -> None:
    pixels, frame = place(np.full((50, 80, 3), level, np.uint8), BODY)
    assert (pixels == level).all()
    assert (frame.left_px, frame.top_px, frame.width_px, frame.height_px) == (0, 0, 80, 50)


def test_noise_between_lung_and_tissue_is_not_stretched_without_end() -> None:
    rng = np.random.default_rng(0)
    faint = np.repeat(rng.integers(100, 103, (60, 60, 1)).astype(np.uint8), 3, axis=2)
    levels = even_window(faint, np.ones((60, 60), bool))
    assert np.ptp(levels) <= 2 * 120 / 8


@settings(max_examples=60, deadline=None)
@given(
    pixels=hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))),
    factor=st.sampled_from([1, 7]),
)
def test_any_picture_comes_out(pixels: Pixels, factor: int) -> None:
    large = np.repeat(np.repeat(pixels, factor, axis=0), factor, axis=1)
    placed, frame = place(large, BODY)
    assert placed.shape == (112, 112, 3)
    assert frame.left_px >= 0
    assert frame.left_px + frame.width_px <= large.shape[1]
    assert frame.top_px >= 0
    assert frame.top_px + frame.height_px <= large.shape[0]


def test_real_slices_of_both_hospitals_are_cut_to_the_trunk() -> None:
    """Wide fields with a table and tight ones: the trunk fills the picture, and lung and tissue are at their levels."""
    for archive in ("iq_othnccd.zip", "chest_ctscan.zip"):
        with zipfile.ZipFile(real_archive(archive)) as files:
            names = [n for n in files.namelist() if n.endswith(".avif")][::60]
            pictures = [Image.open(io.BytesIO(files.read(n))).convert("RGB") for n in names]
        placed = [place(picture, BODY)[0][..., 0] for picture in pictures]
        assert len(placed) > 8
        assert np.mean([(p > 0).mean() for p in placed]) > 0.7
        bright = [float(np.median(p[p > 100])) for p in placed]
        assert max(abs(b - 160) for b in bright) < 25
