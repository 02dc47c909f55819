"""Was the picture photographed from a screen? Two marks tell: a grid, and colour where such pictures have none.

The pixels of a screen, and the waves in which they beat with those of a camera, are periodic as nothing in a body is:
lone peaks of the spectrum. And a camera gives a grey picture the tint of the screen and of the room.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import rfft2

from ml_model.tasks.registry import ImageInput

# From which height of a peak over its surroundings, as a natural logarithm, a grid is told. Of training pictures, as
# they are, as JPEG of quality 75 and enlarged, 1 in 200 has more; of ultrasound pictures, which have scales with ticks,
# 1 in 20, so where colour tells too more is needed.
GRID_FROM, GRID_OF_GREY_FROM = 1.4, 1.8
# From which mean difference of red and blue a grey picture is in colour, in levels. All training pictures have 0.
COLOUR_FROM_LEVELS = 2.0
_PATCH_PX = 256  # in the middle of the picture, of its own pixels
_LEAST_PATCH_PX = 96
_NEIGHBOURS = (15, 15)  # terms of the spectrum around one that it is compared with
_SLOWEST = 0.05  # waves a pixel; slower ones are content
_AXIS_TERMS = 2.5  # along the axes lie the edges of the patch and the blocks of a JPEG file


def screen_photo_note(grid: float, colour: float, image_input: ImageInput) -> str | None:
    """A sentence on a picture that was photographed from a screen; None where nothing says so.

    grid: of `grid_height`. colour: mean difference between red and blue, in levels.
    """
    marks = []
    if grid >= (GRID_OF_GREY_FROM if image_input.grey else GRID_FROM):
        marks.append("it shows the grid of a screen")
    if image_input.grey and colour >= COLOUR_FROM_LEVELS:
        marks.append("it is in colour, while such pictures are grey")
    if not marks:
        return None
    return (
        f"this looks like a photograph of a screen: {' and '.join(marks)}; no answer to such a photograph can be leant "
        "on: send the file itself"
    )


def grid_height(rgb: Image.Image) -> float:
    """How far the highest peak of the spectrum stands out, as a natural logarithm; 0 for pictures too small to tell.

    rgb: with its own pixels, as far as they were decoded.
    """
    size = min(_PATCH_PX, rgb.width, rgb.height) // 2 * 2
    if size < _LEAST_PATCH_PX:
        return 0.0
    left, top = (rgb.width - size) // 2, (rgb.height - size) // 2
    patch = np.asarray(rgb.crop((left, top, left + size, top + size)).convert("L"), np.float32)
    window, kept = _window(size), _kept(size)
    height = cv2.log(np.abs(rfft2((patch - patch.mean()) * window)) + 1)
    height = np.concatenate([height[size // 2 :], height[: size // 2]])
    peaks = cv2.GaussianBlur(height, (0, 0), 0.8) - cv2.blur(height, _NEIGHBOURS)
    return float(cv2.minMaxLoc(peaks, kept)[1])


@cache
def _window(size: int) -> NDArray[np.float32]:
    return np.outer(np.hanning(size), np.hanning(size)).astype(np.float32)


@cache
def _kept(size: int) -> NDArray[np.uint8]:
    """Which terms, rows from -size/2 and columns from 0, may be of a grid."""
    down, across = np.abs(np.arange(size) - size // 2)[:, None], np.arange(size // 2 + 1)[None]
    waves = np.hypot(down, across) / size
    kept = (waves > _SLOWEST) & (waves < 0.5) & (down >= _AXIS_TERMS) & (across >= _AXIS_TERMS)
    return kept.astype(np.uint8)
