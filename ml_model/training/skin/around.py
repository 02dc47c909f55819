"""The skin around a lesion: which pixels show it, and how light it looks (individual typology angle, ITA).

ITA = arctan((L* - 50) / b*) in degrees, of CIE Lab under D65 (Chardon 1991), by the medians of those pixels. A
dermatoscope's light and the white balance move it, and nobody measured these people's skin: a band says how light the
skin looks in the picture, not what phototype a person has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ml_model.training.data.samples import Sample

Pixels = NDArray[np.uint8]
# Lower limits in degrees (Del Bino and Bernerd 2013), lightest first.
ITA_BANDS = ((55, "very light"), (41, "light"), (28, "intermediate"), (10, "tan"), (-30, "brown"), (-91, "dark"))
UNTOLD = "unknown"
_LEAST_SHARE = 0.05  # of the picture that must be skin for its tone to be told
_LEAST_YELLOW = 4.0  # b*; measured skin has 8 to 25
_SIDE_PX = 224
_DARK_LEVEL = 60  # of the brightest colour: vignettes are darker than skin under a lamp


def lesion_mask(pixels: Pixels) -> NDArray[np.uint8]:
    """(H, W), 1 where the colour differs from that along the edges as far as a threshold by Otsu says, the largest such
    part that is no vignette; 0 everywhere if there is none."""
    height, width = pixels.shape[:2]
    small = cv2.GaussianBlur(cv2.resize(pixels, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA), (0, 0), 3)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lit = small.max(axis=2) >= _DARK_LEVEL
    y, x = np.mgrid[-1 : 1 : _SIDE_PX * 1j, -1 : 1 : _SIDE_PX * 1j]
    edge = lit & (np.maximum(np.abs(x), np.abs(y)) > 0.75)
    found = np.zeros((_SIDE_PX, _SIDE_PX), np.uint8)
    if edge.any():
        away = np.linalg.norm(lab - np.median(lab[edge], axis=0), axis=2)
        levels = np.clip(away * 3, 0, 255).astype(np.uint8)
        threshold, _ = cv2.threshold(levels[lit][None], 0, 255, cv2.THRESH_OTSU)
        apart = ((levels > threshold) & (lit | (np.hypot(x, y) < 0.8))).astype(np.uint8)
        apart = cv2.morphologyEx(apart, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
        _, parts, stats, centres = cv2.connectedComponentsWithStats(apart)
        worth = stats[:, cv2.CC_STAT_AREA] * np.exp(-(((centres / _SIDE_PX - 0.5) * 2) ** 2).sum(axis=1))
        worth[0] = 0
        if worth.max() > 0.004 * _SIDE_PX**2:
            found = (parts == int(worth.argmax())).astype(np.uint8)
    return np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def skin_mask(pixels: Pixels, lesion: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(H, W), where the picture shows skin: off the lesion by a twentieth of the side, no vignette, hair, shine."""
    side = max(3, round(0.05 * max(lesion.shape)))
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    hair = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, np.ones((9, 9), np.uint8)) > 15
    hair = cv2.dilate(hair.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    brightest = cv2.GaussianBlur(pixels.max(axis=2), (0, 0), 3)
    dark = cv2.dilate((brightest < _DARK_LEVEL).astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    near = cv2.dilate(lesion, np.ones((side, side), np.uint8)) > 0
    return np.asarray(~(near | hair | dark | (pixels.min(axis=2) > 245)))


def individual_typology_angle(pixels: Pixels) -> float | None:
    """In degrees, -90 to 90, of the skin around the lesion; None where too little is seen, or where the white balance
    leaves it no yellow, so that an angle would say nothing."""
    skin = skin_mask(pixels, lesion_mask(pixels))
    if skin.mean() < _LEAST_SHARE:
        return None
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[skin]
    lightness, yellow = float(np.median(lab[:, 0])), float(np.median(lab[:, 2]))
    return float(np.degrees(np.arctan2(lightness - 50, yellow))) if yellow >= _LEAST_YELLOW else None


def ita_band(angle: float | None) -> str:
    """The name of the band that an angle lies in; "unknown" for None."""
    if angle is None:
        return UNTOLD
    return next(name for lowest, name in ITA_BANDS if angle > lowest)


def with_ita_bands(samples: Sequence[Sample], pixels: NDArray[np.uint8]) -> list[Sample]:
    """Samples with the attribute `ITA`, the band of the skin that each picture (N, H, W, 3) shows."""
    bands = (ita_band(individual_typology_angle(picture)) for picture in pixels)
    pairs = zip(samples, bands, strict=True)
    return [replace(sample, attributes={**sample.attributes, "ITA": band}) for sample, band in pairs]
