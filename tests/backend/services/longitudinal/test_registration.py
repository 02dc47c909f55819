"""Pictures are laid on each other where they show the same in the same view, and only there."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import detailed

from backend.services.longitudinal.registration import Picture, register
from ml_model.training.augmentation.image_corruptions import rotated


def pixels(seed: int, width: int = 300, height: int = 260) -> Picture:
    return np.asarray(detailed(width, height, seed).convert("RGB"), np.uint8)


def test_the_same_picture_lies_on_itself() -> None:
    found = register(pixels(1), pixels(1))
    assert found.alike
    assert found.similarity == pytest.approx(1.0, abs=1e-3)
    assert found.shift == pytest.approx((0.0, 0.0), abs=4e-3)
    assert (found.scale, found.turn_degrees) == (pytest.approx(1.0, abs=2e-3), pytest.approx(0.0, abs=0.1))


def test_how_far_it_moved_is_found_as_shares_of_the_picture() -> None:
    whole = pixels(2, 309, 266)
    found = register(whole[:-6, 9:], whole[6:, :-9])  # what lay at x lies 9 to the right, and 6 higher
    assert found.alike
    assert found.shift == pytest.approx((9 / 300, -6 / 260), abs=4e-3)


def test_turned_darkened_and_from_nearer_it_is_found_too() -> None:
    whole = pixels(6, 320, 280)
    turned = np.clip(rotated(whole, 5.0), 0, 255)[28:-28, 32:-32]
    nearer = np.asarray(255 * (turned / 255.0) ** 1.3, np.uint8)
    found = register(whole, nearer)
    assert found.alike
    assert found.scale == pytest.approx(1.25, abs=0.03)
    assert abs(found.turn_degrees) == pytest.approx(5.0, abs=0.5)
    assert found.shift == pytest.approx((0.0, 0.0), abs=0.01)


def test_another_picture_and_one_without_anything_are_not_laid_on_it() -> None:
    assert not register(pixels(3), pixels(4)).alike
    flat = np.full((260, 300, 3), 90, np.uint8)
    assert not register(flat, pixels(3)).alike
    assert not register(pixels(3), flat).alike


def test_half_of_a_picture_lies_where_it_was() -> None:
    found = register(pixels(3), pixels(3)[:, :200])
    assert found.scale == pytest.approx(300 / 260, abs=0.02)  # longer sides made equal
    assert found.similarity > 0.9


def test_values_are_moved_back_and_are_none_beyond() -> None:
    whole = pixels(2, 309, 260)
    found = register(whole[:, :-9], whole[:, 9:])  # 9 to the left
    width, height = found.later_size
    back = found.back(np.tile(np.arange(width, dtype=np.float32), (height, 1)))
    assert back[110, 128] == pytest.approx(128 - 9 * width / 300, abs=0.7)
    assert np.isnan(back[110, 2])
