"""Is this picture something to diagnose from? So far its technical quality; what it shows comes later.

A gate that refuses real pictures does harm too, so the thresholds lie well outside anything
seen in real ones and are stated with the measurement they come from.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np

from ml_model.errors import PoorQuality, WrongModality
from ml_model.inputs.image import LoadedImage
from ml_model.spec import ImageInput

# Contrast and brightness are measured on the means of so many cells a side (8 px each of 224): what a sensor or a codec
# adds to single pixels averages out, and only content is left.
GRID_CELLS = 28
# Contrast below which a picture counts as blank, in levels of 0-255. The faintest of 8,911 dermatoscope pictures, a
# pale spot on pale skin, has 6.6; an empty page stays below 1.5 even with strong sensor noise (deviation 10 per pixel).
MIN_CONTRAST = 2.5
# Level of the brightest cells below which a picture counts as too dark. The darkest of 15,975 real ones, an ultrasound,
# reaches 102; below 40 fewer than six of the eight bits are in use, and coding errors are as large as findings.
MIN_BRIGHT_LEVEL = 40.0
BRIGHT_PERCENTILE = 99
UNTOLD_MODALITIES = ("OT", "SC")  # "other" and "secondary capture": pictures of anything


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
    min_side_px: int
    """Shorter side of the picture as it was sent."""


@dataclass(frozen=True)
class InputCheck:
    """What the gate found. `modality` and its `score` (0-1) are None while nothing recognises modalities."""

    modality: str | None
    expected: str
    accepted: bool
    score: float | None
    quality: Quality


def check(
    image: LoadedImage,
    image_input: ImageInput,
    dicom_modalities: Collection[str] = (),
    quality: Quality | None = None,
) -> InputCheck:
    """Measure the picture's quality, if it is not given, and believe what a DICOM file says it is.

    dicom_modalities: the codes of such pictures (CR, CT, ...); empty where a task names none. Raises
    WrongModality when the file names another one, PoorQuality, with value and threshold, when the
    picture is blank or too dark.
    """
    stated = image.dicom.modality if image.dicom else None
    if dicom_modalities and stated and stated not in (*dicom_modalities, *UNTOLD_MODALITIES):
        raise WrongModality(
            f"the DICOM file says its modality is {stated}; here {image_input.modality} is read "
            f"({', '.join(dicom_modalities)}): send it to the task that reads {stated}"
        )
    quality = quality or measure_quality(image)
    if quality.bright_level < MIN_BRIGHT_LEVEL:
        raise PoorQuality(
            f"the picture is too dark: its brightest parts reach level {quality.bright_level:.1f} of 255, "
            f"at least {MIN_BRIGHT_LEVEL:g} is needed; send one with a normal exposure"
        )
    if quality.contrast < MIN_CONTRAST:
        raise PoorQuality(
            f"the picture is blank: its contrast (standard deviation of the levels, 0-255) is {quality.contrast:.2f}, "
            f"at least {MIN_CONTRAST:g} is needed; send one that shows the subject"
        )
    return InputCheck(None, image_input.modality, accepted=True, score=None, quality=quality)


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
        min_side_px=min(image.original_width_px, image.original_height_px),
    )
