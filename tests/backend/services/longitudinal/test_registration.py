"""Pictures are laid on each other where they show the same in the same view, and only there."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import detailed

from backend.services.longitudinal.registration import Picture, register


def pixels(seed: int, width: int = 300, height: int = 260) -> Picture:
    return np.asarray(detailed(width, height, seed).convert("RGB"), np.uint8)


def test_the_same_picture_lies_on_itself() -> None:
    found = register(pixels(1), pixels(1))
    assert found.reason is None
    assert found.similarity == pytest.approx(1.0, abs=1e-3)
    assert found.shift == pytest.approx((0.0, 0.0), abs=4e-3)


def test_how_far_it_moved_is_found_as_shares_of_the_picture() -> None:
    whole = pixels(2, 309, 266)
    found = register(whole[:-6, 9:], whole[6:, :-9])  # what lay at x lies 9 to the right, and 6 higher
    assert found.reason is None
    assert found.shift == pytest.approx((9 / 300, -6 / 260), abs=4e-3)


def test_another_picture_and_another_shape_are_not_laid_on_it() -> None:
    assert register(pixels(3), pixels(4)).reason == "they are not alike enough to lie on each other"
    assert register(pixels(3), pixels(3)[:, :200]).reason == "the pictures have different shapes"
    flat = np.full((260, 300, 3), 90, np.uint8)
    assert register(flat, pixels(3)).reason == "too little of one picture lies on the other"


def test_values_are_moved_back_and_are_none_beyond() -> None:
    whole = pixels(2, 309, 260)
    found = register(whole[:, :-9], whole[:, 9:])  # 9 to the left
    back = found.back(np.tile(np.arange(300, dtype=np.float32), (260, 1)))
    assert back[130, 150] == pytest.approx(141, abs=0.7)
    assert np.isnan(back[130, 2])
