"""Is this picture something to diagnose from? Its technical quality; what it shows is for `kind.py`.

A gate that refuses real pictures does harm too, so the thresholds lie well outside anything
seen in real ones and are stated with the measurement they come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ml_model.inputs.images.decoder import LoadedImage
from ml_model.tasks.registry import ImageInput

# Contrast and brightness are measured on the means of so many cells a side (8 px each of 224): what a sensor or a codec
# adds to single pixels averages out, and only content is left.
GRID_CELLS = 28
# Contrast below which a picture counts as blank, in levels of 0-255. The faintest of 8,911 dermatoscope pictures, a
# pale spot on pale skin, has 6.6, the faintest of 10,350 tissue patches 4.3; an empty page stays below 1.5 even with
# strong sensor noise (deviation 10 per pixel).
MIN_CONTRAST = 2.5
# Level of the brightest cells below which a picture counts as too dark. The darkest of 30,676 real ones, a magnetic
# resonance picture, reaches 59; below 40 fewer than six of the eight bits are in use, and coding errors are as large as
# findings.
MIN_BRIGHT_LEVEL = 40.0
BRIGHT_PERCENTILE = 99
# Detail is measured on so many cells a side by a cosine transform: what is in waves of 1/8 to 1/16 of the side, less
# the white noise that the finest waves (from 48 a side on, where pictures hold next to nothing) tell of. So it
# depends neither on the size nor, much, on noise or compression.
DETAIL_CELLS = 112
DETAIL_WAVES = (8, 16)
NOISE_WAVES = 48


@dataclass(frozen=True)
class Quality:
    """Technical quality of a picture at the model's size; levels are those of 0-255."""

    mean_level: float
    """Mean grey level."""
    contrast: float
    """Standard deviation of the cell means, in the colour channel where it is largest."""
    bright_level: float
    """Level that the brightest 1 % of the cells reach, each in its strongest channel."""
    sharpness: float
    """Variance of the Laplacian of the grey levels, in squared levels; low when blurred. Reported, not judged."""
    detail: float
    """Share (0-1) of the variance of the levels that is in waves of 1/8 to 1/16 of the side, without noise."""
    min_side_px: int
    """Shorter side of the picture as it was sent, without what was around it."""


def quality_refusal(quality: Quality, image_input: ImageInput) -> str | None:
    """Why a picture that is blank, too dark or blurred beyond use should not be answered, with the measured value and
    the threshold; None where it can be."""
    if quality.bright_level < MIN_BRIGHT_LEVEL:
        return (
            f"the picture is too dark: its brightest parts reach level {quality.bright_level:.1f} of 255, "
            f"at least {MIN_BRIGHT_LEVEL:g} is needed; send one with a normal exposure"
        )
    if quality.contrast < MIN_CONTRAST:
        return (
            f"the picture is blank: its contrast (standard deviation of the levels, 0-255) is {quality.contrast:.2f}, "
            f"at least {MIN_CONTRAST:g} is needed; send one that shows the subject"
        )
    if quality.detail < image_input.min_detail:
        return (
            f"the picture is blurred beyond use: structures of 1/{DETAIL_WAVES[0]} to 1/{DETAIL_WAVES[1]} of its side "
            f"hold {quality.detail:.2g} of the variance of its levels, at least {image_input.min_detail:g} is needed; "
            "send a sharp one"
        )
    return None


def measure_quality(image: LoadedImage) -> Quality:
    """Quality of a decoded picture, uint8 RGB (height_px, width_px, 3)."""
    grey = cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY)
    cells = cv2.resize(image.pixels, (GRID_CELLS, GRID_CELLS), interpolation=cv2.INTER_AREA)
    _, deviation = cv2.meanStdDev(cells)
    _, edges = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return Quality(
        mean_level=cv2.mean(grey)[0],
        contrast=float(deviation.max()),
        bright_level=float(np.percentile(cells.max(axis=2), BRIGHT_PERCENTILE)),
        sharpness=float(edges[0, 0]) ** 2,
        detail=measure_detail(image.pixels),
        min_side_px=min(image.size_px),
    )


def measure_detail(pixels: NDArray[np.uint8]) -> float:
    """`Quality.detail` of uint8 RGB (height_px, width_px, 3); 0 where all levels are the same."""
    cells = cv2.resize(pixels, (DETAIL_CELLS, DETAIL_CELLS), interpolation=cv2.INTER_AREA).astype(np.float32)
    cells -= np.array(cv2.mean(cells)[:3], np.float32)
    energy = np.sum([np.square(cv2.dct(channel)) for channel in cv2.split(cells)], axis=0)
    of_detail, of_noise = _waves()
    noise = float(energy[of_noise].mean())
    return max(0.0, float(energy[of_detail].sum()) - noise * int(of_detail.sum())) / max(float(energy.sum()), 1e-9)


@cache
def _waves() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which terms of the transform, (DETAIL_CELLS, DETAIL_CELLS), are of detail, and which tell of noise."""
    half_waves = np.arange(DETAIL_CELLS)
    per_side = np.hypot(half_waves[:, None], half_waves) / 2
    return (per_side >= DETAIL_WAVES[0]) & (per_side < DETAIL_WAVES[1]), per_side >= NOISE_WAVES
