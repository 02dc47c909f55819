"""Ultrasound pictures as other places would show them: what each setting does to levels and geometry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml_model.training.augmentation.images import NONE, augment
from ml_model.training.augmentation.ultrasound_sites import SIMULATED_SITES, UltrasoundSite, random_site, seen_at

SIZE = 112
PLAIN = UltrasoundSite()


def flat(level: int) -> np.ndarray:
    return np.full((SIZE, SIZE, 3), level, np.uint8)


def seen(picture: np.ndarray, **settings: float | bool) -> np.ndarray:
    return seen_at(picture, replace(PLAIN, **settings), np.random.default_rng(3))


@pytest.mark.parametrize("level", [40, 128, 255])
def test_the_usual_site_shows_the_picture_as_it_is(level: int) -> None:
    assert np.array_equal(seen(flat(level)), flat(level))


def test_levels_are_decibels_within_the_dynamic_range() -> None:
    assert seen(flat(128), gain_db=6.0)[5, 5, 0] == 128 + 26  # 6 of 60 dB: 25.5 levels
    assert seen(flat(128), gain_db=-60.0).max() == 0
    assert seen(flat(128), range_db=30.0)[5, 5, 0] == 1  # -29.9 of 30 dB
    assert seen(flat(64), gamma=0.5)[5, 5, 0] == round(255 * (64 / 255) ** 0.5)


def test_time_gain_compensation_lifts_the_skin_and_lowers_the_depth() -> None:
    rows = seen(flat(128), tgc_db=10.0)[:, 50, 0].astype(int)
    assert rows[0] == 128 + 43  # 42.5 levels
    assert rows[-1] == 128 - 42
    assert (np.diff(rows) <= 0).all()


def test_the_screen_stays_black_and_a_cyst_does_not() -> None:
    picture = flat(100)
    picture[:, :20] = 0
    picture[50:75, 50:75] = 0
    shown = seen(picture, gain_db=70.0)
    assert shown[:, :12].max() == 0
    assert shown[62, 62, 0] > 30


def test_speckle_is_grained_sideways_and_has_the_deviation_asked_for() -> None:
    noise = seen(flat(128), speckle_db=4.0)[..., 0].astype(float) - 128
    assert noise.std() == pytest.approx(4 / 60 * 255, rel=0.1)
    beside = np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]
    below = np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1]
    assert beside > below + 0.2


def test_depth_makes_a_lesion_smaller_and_a_sector_cuts_the_corners() -> None:
    picture = flat(200)
    picture[40:72, 40:72] = 20
    lesion = {d: int((np.abs(seen(picture, depth=d)[..., 0].astype(int) - 20) < 10).sum()) for d in (0.8, 1.0, 1.4)}
    assert lesion[1.0] == 32 * 32
    assert lesion[0.8] == pytest.approx(1024 / 0.64, rel=0.1)
    assert lesion[1.4] == pytest.approx(1024 / 1.96, rel=0.1)
    sector = seen(picture, sector_degrees=70.0)
    assert sector[0, 0, 0] == sector[0, -1, 0] == 0
    assert sector[20, SIZE // 2, 0] == 200


def test_what_is_drawn_and_the_polarity_of_export() -> None:
    assert np.array_equal(seen(flat(200), inverted=True), flat(55))
    assert 0 < (seen(flat(100), callipers=True) > 220).mean() < 0.02
    console = seen(flat(100), console=True)
    assert 0.4 < (console == 100).mean() < 0.85
    assert console.max() > 150


def test_the_simulated_sites_are_fixed_and_all_differ() -> None:
    picture = np.random.default_rng(1).integers(30, 220, (SIZE, SIZE, 3), dtype=np.uint8)
    shown = [seen_at(picture, site, np.random.default_rng(0)) for site in SIMULATED_SITES.values()]
    again = [seen_at(picture, site, np.random.default_rng(0)) for site in SIMULATED_SITES.values()]
    assert len(shown) == 12
    assert all(np.array_equal(a, b) for a, b in zip(shown, again, strict=True))
    assert len({s.tobytes() for s in shown}) == 12
    assert all(s.shape == picture.shape and s.dtype == np.uint8 for s in shown)


def test_a_random_site_follows_the_generator_and_the_augmentation_declares_how_often() -> None:
    assert random_site(np.random.default_rng(4)) == random_site(np.random.default_rng(4))
    assert random_site(np.random.default_rng(4)) != random_site(np.random.default_rng(5))
    picture = np.random.default_rng(1).integers(30, 220, (SIZE, SIZE, 3), dtype=np.uint8)
    plain, other = NONE, replace(NONE, other_sites=1.0)
    assert np.array_equal(augment(picture, plain, SIZE, np.random.default_rng(0)), picture)
    views = [augment(picture, other, SIZE, np.random.default_rng(0)) for _ in range(2)]
    assert np.array_equal(views[0], views[1])
    assert np.abs(views[0].astype(int) - picture).mean() > 5
