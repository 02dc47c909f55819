"""What lies around an ECG page, or was done to all of its picture: a frame of one colour, light ink on dark paper."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

_MOST_OF_A_SIDE = 0.4
_UNLIKE_PAPER = 40  # levels of a channel, from which a line of pixels is no paper
_ALIKE = 32  # levels within which a line is of one colour, compression included
_ALIKE_SHARE = 0.9  # of its pixels: where a thin frame is compressed, ink beside it shines through
_DARK_PAPER = 90  # median of the brightest channel, below which ink is brighter than paper


def dark_on_light(rgb: Pixels) -> Pixels:
    """The picture, or its negative where paper is dark, as on screens."""
    return 255 - rgb if np.median(rgb[::8, ::8].max(axis=2)) < _DARK_PAPER else rgb


def without_frame(rgb: Pixels) -> Pixels:
    """The picture without lines of pixels at its sides that have one colour, and not that of the paper."""
    paper = np.median(rgb[::8, ::8].reshape(-1, 3), axis=0)
    height, width = rgb.shape[:2]
    top, bottom = _frame_lines(rgb, paper), _frame_lines(rgb[::-1], paper)
    rows = rgb[top : height - bottom]
    across = rows.swapaxes(0, 1)
    left, right = _frame_lines(across, paper), _frame_lines(across[::-1], paper)
    return np.ascontiguousarray(rows[:, left : width - right]) if top or bottom or left or right else rgb


def _frame_lines(lines: Pixels, paper: NDArray[np.float64]) -> int:
    """How many of the first lines (n, length, 3) are frame, with one more, into which its colour runs."""
    most = int(_MOST_OF_A_SIDE * len(lines))
    for count, line in enumerate(lines[:most].astype(np.int16)):
        colour = np.median(line, axis=0)
        alike = (np.abs(line - colour).max(axis=1) <= _ALIKE).mean() >= _ALIKE_SHARE
        if not alike or np.abs(colour - paper).max() < _UNLIKE_PAPER:
            return count + 1 if count else 0
    return most
