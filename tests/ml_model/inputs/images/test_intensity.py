"""Levels of mammograms: machines with other curves give the same picture, background stays black."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ml_model.inputs.images.intensity import even_tissue, smoothed, too_much_noise

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


def grainy(deviation: float, *, colour: bool) -> NDArray[np.uint8]:
    """A soft grey picture with so much noise, in each colour for itself or in all alike."""
    rng = np.random.default_rng(0)
    soft = cv2.resize(rng.uniform(60, 190, (6, 6)), (224, 224), interpolation=cv2.INTER_CUBIC)[..., None]
    noise = rng.normal(0, deviation, (224, 224, 3 if colour else 1))
    return np.rint(soft + np.broadcast_to(noise, (224, 224, 3))).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("deviation", [4.0, 12.0, 20.0])
def test_noise_is_measured(deviation: float) -> None:
    assert too_much_noise(grainy(deviation, colour=False), 2.0, grey=True) == pytest.approx(deviation, rel=0.1)


def test_a_picture_with_as_much_noise_as_training_pictures_is_left_alone() -> None:
    assert too_much_noise(grainy(1.0, colour=False), 2.0, grey=True) is None
    assert too_much_noise(grainy(12.0, colour=False), 0.0, grey=True) is None


def test_little_noise_in_colour_tells_of_a_grey_picture() -> None:
    little = grainy(1.5, colour=True)
    assert too_much_noise(little, 3.0, grey=False) is None
    assert too_much_noise(little, 3.0, grey=True) is not None


@pytest.mark.parametrize("by", ["gaussian", "means"])
@pytest.mark.parametrize("colour", [False, True])
def test_smoothing_takes_most_of_the_noise(colour: bool, by: Literal["gaussian", "means"]) -> None:
    clean, noisy = (grainy(deviation, colour=colour).astype(int) for deviation in (0.0, 12.0))
    found = smoothed(noisy.astype(np.uint8), 12.0, grey=True, by=by).astype(int)
    assert (found == found[..., :1]).all()
    assert np.abs(found - clean).mean() < 0.35 * np.abs(noisy - clean).mean()
