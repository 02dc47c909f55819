"""Grey levels brought to one scale: of more than 8 bits, and of a mammogram or a CT slice, so that machines and windows
look alike; and noise.

The machines' own curves and the windows of a hospital differ so much that a network tells them apart at a glance, and
the share of disease differs from one to another. One curve for the whole picture: a local equalisation (CLAHE) brings
out the weave of healthy tissue and flattens a mass.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ml_model.errors import UnreadableInput

_FLOAT_LIMIT = 1e30  # beyond it float32 arithmetic overflows; no detector delivers such values
# Detectors deliver 10, 12 or 14 bits and many programs store them unscaled in 16-bit files.
_FULL_SCALES = (255, 1023, 4095, 16383, 65535)
_DARKEST_PERCENTILE, _BRIGHTEST_PERCENTILE = 2.0, 99.7  # beyond them are skin folds, markers and clips
_MEDIAN_LEVEL = 0.35  # of tissue, where the median comes to lie, 0-1
_GAMMA_RANGE = (0.4, 2.5)
_LEAST_PIXELS = 100
_LUNG_LEVEL, _TISSUE_LEVEL = 40.0, 160.0  # of 0-255; air is darker, bone brighter
# Along rows and along columns: responds to neither levels nor slopes nor edges along an axis.
_SECOND_STEP = np.array([1.0, -2.0, 1.0])
_NORM_OF_STEPS = 6.0  # of the two together
_MEDIAN_OF_NOISE = 0.6745  # of the absolute values of a normal distribution of deviation 1
_COLOUR_WEIGHT = 0.7  # noise that differs between red and blue appears so much larger in their difference
_COLOUR_NOISE = 0.7  # levels; the coding errors of a grey picture have none
_EVERY = 2  # pixel is asked, of rows and columns
_SMOOTHED_SIGMA_PX = 1.2
_MEANS_NOISES, _MEANS_PATCH_PX, _MEANS_SEARCH_PX = 0.8, 5, 15
_LEAST_STEP = 8.0  # between lung and tissue as sent, in levels; a smaller one is not stretched further


def deep_grey_to_uint8(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """More than 8 bits a pixel -> uint8, by the depth that the values use.

    Non-negative values are divided by the smallest of 8, 10, 12, 14 and 16 bits that holds
    the largest (floats up to 1: by 1); values below zero (Hounsfield units) or beyond 16
    bits are stretched linearly from their smallest to their largest.
    """
    numbers = values.astype(np.float32)
    low, high = float(numbers.min()), float(numbers.max())
    if not (np.isfinite(low) and np.isfinite(high)) or max(-low, high) > _FLOAT_LIMIT:
        raise UnreadableInput("the picture has pixels that are infinite or not a number; export it again")
    if low < 0 or high > _FULL_SCALES[-1]:
        full_scale = high - low
        numbers -= low
    elif np.issubdtype(values.dtype, np.floating) and high <= 1:
        full_scale = 1.0
    else:
        full_scale = float(next(scale for scale in _FULL_SCALES if high <= scale))
    numbers *= np.float32(255 / max(full_scale, 1 / _FLOAT_LIMIT))  # one value everywhere: black
    return np.rint(numbers, out=numbers).astype(np.uint8)


def even_tissue(pixels: NDArray[np.uint8], tissue: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A film, uint8 (H, W, 3), whose `tissue` (H, W) fills the levels, its median at a fixed one; the rest black.

    The levels stay as they are when there are too few pixels of tissue or they have one level.
    """
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.float32)
    inside = grey[tissue]
    blanked = np.where(tissue[..., None], pixels, np.uint8(0))
    if inside.size < _LEAST_PIXELS:
        return blanked
    low, high = np.percentile(inside, (_DARKEST_PERCENTILE, _BRIGHTEST_PERCENTILE))
    if high <= low:
        return blanked
    stretched = np.clip((grey - low) / (high - low), 0, 1)
    median = float(np.clip(np.median(stretched[tissue]), 0.01, 0.99))
    gamma = float(np.clip(np.log(_MEDIAN_LEVEL) / np.log(median), *_GAMMA_RANGE))
    levels = np.where(tissue, np.rint(255 * stretched**gamma), 0).astype(np.uint8)
    return np.repeat(levels[..., None], 3, axis=2)


def even_window(pixels: NDArray[np.uint8], body: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A CT slice, uint8 (H, W, 3), with lung and soft tissue of the `body` (H, W) at fixed levels; the rest black.

    The two are told apart by Otsu's threshold; what lies between and beyond them follows on a straight line.
    The levels stay as they are when there are too few pixels of the body or they have one level.
    """
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    inside = grey[body]
    blanked = np.where(body[..., None], pixels, np.uint8(0))
    if inside.size < _LEAST_PIXELS or np.ptp(inside) == 0:
        return blanked
    level, _ = cv2.threshold(inside[:, None], 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    lung, tissue = (float(np.median(inside[part])) for part in (inside <= level, inside > level))
    slope = (_TISSUE_LEVEL - _LUNG_LEVEL) / max(tissue - lung, _LEAST_STEP)
    levels = np.clip(np.rint((grey.astype(np.float32) - lung) * slope + _LUNG_LEVEL), 0, 255).astype(np.uint8)
    levels[~body] = 0
    return np.repeat(levels[..., None], 3, axis=2)


def colour_levels(pixels: NDArray[np.uint8]) -> float:
    """Mean difference between red and blue of uint8 RGB (H, W, 3), in levels."""
    return float(cv2.norm(pixels[..., 0], pixels[..., 2], cv2.NORM_L1)) / pixels[..., 0].size


def too_much_noise(pixels: NDArray[np.uint8], most: float, *, grey: bool) -> float | None:
    """Deviation of the noise of a picture, uint8 RGB (H, W, 3), in levels, where it is above `most`: of what differs
    from pixel to pixel nearly everywhere; fine structures, which are in places, do not count. None where it is not, and
    where `most` is 0. grey: the picture has no colour but that of noise, so that little of it tells."""
    if not most:
        return None
    tint = cv2.subtract(cv2.extractChannel(pixels, 0), cv2.extractChannel(pixels, 2), dtype=cv2.CV_16S)
    colour = _COLOUR_WEIGHT * _deviation(tint) if tint.any() else 0.0
    noise = max(_deviation(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)), colour)
    return noise if noise > most or grey and colour > _COLOUR_NOISE else None


def _deviation(levels: NDArray[np.integer | np.floating]) -> float:
    """levels: whole numbers from -255 to 255."""
    residue = cv2.sepFilter2D(levels, cv2.CV_16S, _SECOND_STEP, _SECOND_STEP)[1:-1:_EVERY, 1:-1:_EVERY]
    return float(np.median(np.abs(residue))) / _NORM_OF_STEPS / _MEDIAN_OF_NOISE if residue.size else 0.0


def smoothed(
    pixels: NDArray[np.uint8], noise: float, *, grey: bool, by: Literal["gaussian", "means"]
) -> NDArray[np.uint8]:
    """The picture, uint8 RGB (H, W, 3), without most of its noise, by a Gaussian or by non-local means.

    grey: it has no colour but that of the noise. noise: deviation in levels.
    """
    levels = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if grey else pixels
    if by == "gaussian":
        found = cv2.GaussianBlur(levels, (0, 0), _SMOOTHED_SIGMA_PX)
    else:
        found = cv2.fastNlMeansDenoising(levels, None, _MEANS_NOISES * noise, _MEANS_PATCH_PX, _MEANS_SEARCH_PX)
    return np.asarray(cv2.cvtColor(found, cv2.COLOR_GRAY2RGB) if grey else found, np.uint8)
