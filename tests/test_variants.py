"""Changes of the test pictures: what they do to known pixels."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ml_model.training.augmentation.image_corruptions import CORRUPTIONS, VARIANTS


def encoded(pixels: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def opened(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture(scope="module")
def half() -> NDArray[np.uint8]:
    """Left half level 60, right half level 160."""
    pixels = np.full((100, 200, 3), 60, np.uint8)
    pixels[:, 100:] = 160
    return pixels


@pytest.mark.parametrize(("name", "left", "right"), [("brighter", 78, 208), ("darker", 42, 112)])
def test_brightness_moves_by_thirty_percent(half: NDArray[np.uint8], name: str, left: int, right: int) -> None:
    changed = opened(CORRUPTIONS[name](encoded(half)))
    assert (changed[50, 20, 0], changed[50, 180, 0]) == (left, right)


def test_blur_spreads_over_the_edge_and_not_beyond(half: NDArray[np.uint8]) -> None:
    row = opened(CORRUPTIONS["blur"](encoded(half)))[50, :, 0].astype(int)
    assert (row[20], row[180]) == (60, 160)
    assert 60 < row[99] < 110 < row[100] < 160


def test_noise_has_its_deviation_and_is_the_same_each_time(half: NDArray[np.uint8]) -> None:
    changed = opened(CORRUPTIONS["noise"](encoded(half)))
    assert (changed.astype(float) - half).std() == pytest.approx(12, abs=0.5)
    assert np.array_equal(changed, opened(CORRUPTIONS["noise"](encoded(half))))


def test_rotations_turn_opposite_ways_and_keep_the_size(half: NDArray[np.uint8]) -> None:
    left, right = (opened(CORRUPTIONS[name](encoded(half)))[..., 0] for name in ("rotated_left", "rotated_right"))
    assert left.shape == right.shape == half.shape[:2]
    # The edge through the centre leans: 40 rows above it lies 40 tan 15 = 11 columns to one side.
    assert (left[10, 94], right[10, 94]) == (160, 60)
    assert (left[10, 105], right[10, 105]) == (160, 60)


@pytest.mark.parametrize(("name", "scale"), [("jpeg_75", 1), ("jpeg_95", 1), ("png", 1), ("twice_the_size", 2)])
def test_recoding_keeps_what_is_seen(half: NDArray[np.uint8], name: str, scale: int) -> None:
    changed = opened(VARIANTS[name](encoded(half)))
    assert changed.shape == (100 * scale, 200 * scale, 3)
    assert abs(int(changed[50 * scale, 30 * scale, 0]) - 60) <= 2
    assert abs(int(changed[50 * scale, 170 * scale, 0]) - 160) <= 2
