"""Levels of mammograms: machines with other curves give the same picture, background stays black."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ml_model.inputs.images.intensity import even_tissue

TISSUE = np.zeros((160, 128), bool)
TISSUE[:, :96] = True


def film(gain: float = 1.0, offset: float = 0.0, gamma: float = 1.0) -> NDArray[np.uint8]:
    """Smooth structure of 20 to 120 levels through a machine's curve; the right quarter is background of level 9."""
    y, x = np.mgrid[0:160, 0:128]
    share = 0.5 + 0.25 * np.sin(x / 9) + 0.25 * np.cos(y / 13)
    grey = np.where(TISSUE, offset + gain * (20 + 100 * share**gamma), 9)
    return np.repeat(np.rint(grey).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def test_tissue_fills_the_levels_and_the_rest_is_black() -> None:
    pixels = even_tissue(film(), TISSUE)
    assert pixels.shape == (160, 128, 3)
    assert not pixels[~TISSUE].any()
    tissue = pixels[TISSUE][:, 0]
    assert tissue.min() < 5
    assert tissue.max() > 215
    assert (pixels[..., 0] == pixels[..., 1]).all()
    assert (pixels[..., 0] == pixels[..., 2]).all()


@pytest.mark.parametrize(("gain", "offset", "gamma"), [(2.0, 10, 1.0), (0.7, 60, 1.0), (1.5, 0, 1.6)])
def test_machines_with_other_curves_look_alike(gain: float, offset: float, gamma: float) -> None:
    """Most of the difference goes; what is left comes from the rounding to fewer levels on the film."""
    plain, other = film(), film(gain, offset, gamma)
    before = np.abs(plain.astype(int) - other)[TISSUE].mean()
    after = np.abs(even_tissue(plain, TISSUE).astype(int) - even_tissue(other, TISSUE))[TISSUE].mean()
    assert after < before / 2


def test_faint_structure_becomes_visible() -> None:
    faint = film(gain=0.1, offset=100)
    contrast = faint[TISSUE].std()
    assert even_tissue(faint, TISSUE)[TISSUE].std() > 5 * contrast


def test_a_mass_stays_as_much_brighter_as_the_weave_around_it_does() -> None:
    y, x = np.mgrid[0:160, 0:128]
    mass, around = np.hypot(y - 80, x - 48) < 24, np.hypot(y - 80, x - 48) > 30
    weave = np.random.default_rng(0).integers(-12, 13, (160, 128))
    pixels = np.repeat((90 + weave + 40 * mass).astype(np.uint8)[..., None], 3, axis=2)

    def contrast(of: NDArray[np.uint8]) -> float:
        grey = of[..., 0].astype(float)
        return float((grey[mass].mean() - grey[around & TISSUE].mean()) / grey[around & TISSUE].std())

    assert contrast(even_tissue(pixels, TISSUE)) > 0.65 * contrast(pixels)


@pytest.mark.parametrize("tissue", [np.zeros((160, 128), bool), np.pad([[True] * 9], ((0, 159), (0, 119)))])
def test_without_enough_tissue_its_levels_stay(tissue: NDArray[np.bool_]) -> None:
    np.testing.assert_array_equal(even_tissue(film(), tissue), film() * tissue[..., None])


def test_flat_tissue_keeps_its_level() -> None:
    flat = np.full((160, 128, 3), 77, np.uint8)
    np.testing.assert_array_equal(even_tissue(flat, TISSUE), flat * TISSUE[..., None])


def test_what_is_outside_of_the_tissue_changes_nothing() -> None:
    marked = film()
    marked[20:60, 100:120] = 255
    np.testing.assert_array_equal(even_tissue(marked, TISSUE), even_tissue(film(), TISSUE))
