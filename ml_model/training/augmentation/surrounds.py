"""Pictures as they come out of other programs: with a frame, or in the window of a viewer. To measure with.

Pictures are uint8 RGB (H, W, 3) before and after. No model is trained on these.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "blue": (28, 60, 128),
}
FRAME_SHARES = (0.01, 0.05, 0.1, 0.2, 0.4)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WORDS = ("Patient", "Series 3", "W: 400 L: 40", "Zoom 100%", "2026-03-14", "Im: 12/48", "File", "Edit", "View", "Help")


def framed(pixels: Pixels, width_px: tuple[int, int], colour: Colour) -> Pixels:
    """width_px: of the frame, above and below, and on both sides."""
    (down, across), value = width_px, tuple(map(float, colour))
    return cv2.copyMakeBorder(pixels, down, down, across, across, cv2.BORDER_CONSTANT, value=value)  # type: ignore[return-value]


def framed_by_share(pixels: Pixels, share: float, colour: Colour) -> Pixels:
    """A frame as wide as a share of each side of the picture, at least one pixel."""
    height, width = pixels.shape[:2]
    return framed(pixels, (max(1, round(share * height)), max(1, round(share * width))), colour)


def letterboxed(pixels: Pixels, ratio: float, colour: Colour) -> Pixels:
    """Bars above and below, or on both sides, until the width is `ratio` times the height."""
    height, width = pixels.shape[:2]
    wanted_width, wanted_height = max(width, round(height * ratio)), max(height, round(width / ratio))
    return framed(pixels, ((wanted_height - height) // 2, (wanted_width - width) // 2), colour)


def _text(canvas: Pixels, place: tuple[int, int], rng: Generator, level: int, size: float) -> None:
    word = _WORDS[rng.integers(len(_WORDS))]
    cv2.putText(canvas, word, place, _FONT, size, (level,) * 3, 1, cv2.LINE_AA)


def _bar(canvas: Pixels, rows: tuple[int, int], colour: Colour, rng: Generator, words: int, level: int) -> None:
    """A strip across the window with words and little boxes."""
    canvas[rows[0] : rows[1]] = colour
    middle, width = (rows[0] + rows[1]) // 2, canvas.shape[1]
    for number in range(words):
        x = 8 + number * width // (words + 1)
        if rng.random() < 0.5:
            _text(canvas, (x, middle + 4), rng, level, 0.4)
        else:
            cv2.rectangle(canvas, (x, middle - 6), (x + 12, middle + 6), (level,) * 3, 1)


def _placed(canvas: Pixels, pixels: Pixels, rng: Generator, area: tuple[int, int, int, int]) -> None:
    """The picture somewhere near the middle of an area (left, top, right, bottom)."""
    (left, top, right, bottom), (height, width) = area, pixels.shape[:2]
    free_x, free_y = right - left - width, bottom - top - height
    x, y = left + round(free_x * rng.uniform(0.35, 0.65)), top + round(free_y * rng.uniform(0.35, 0.65))
    canvas[y : y + height, x : x + width] = pixels


def _desktop(pixels: Pixels, rng: Generator) -> Pixels:
    """A program of the desktop: title, menu, tools, a grey canvas with the picture, a line of status."""
    height, width = pixels.shape[:2]
    wide, high = round(width * rng.uniform(1.1, 2.0)), round(height * rng.uniform(1.1, 1.5))
    title, tools, status = 24, int(rng.integers(30, 60)), 22
    canvas = np.full((high + title + tools + status, wide, 3), int(rng.integers(60, 210)), np.uint8)
    _bar(canvas, (0, title), COLOURS["blue"] if rng.random() < 0.5 else (235, 235, 235), rng, 2, 120)
    _bar(canvas, (title, title + tools), (240, 240, 240), rng, int(rng.integers(5, 12)), 60)
    _bar(canvas, (len(canvas) - status, len(canvas)), (225, 225, 225), rng, 3, 40)
    _placed(canvas, pixels, rng, (0, title + tools, wide, len(canvas) - status))
    return canvas


def _reading_room(pixels: Pixels, rng: Generator) -> Pixels:
    """A dark viewer: a panel at the left, a black canvas with the picture, light words in its corners."""
    height, width = pixels.shape[:2]
    panel, wide, high = int(rng.integers(80, 200)), round(width * rng.uniform(1.2, 1.8)), round(height * 1.15) + 40
    canvas = np.zeros((high, wide + panel, 3), np.uint8)
    canvas[:, :panel] = int(rng.integers(40, 90))
    for y in range(30, high - 10, 40):
        _text(canvas, (8, y), rng, 200, 0.4)
    for x in (panel + 6, panel + wide - 100):
        for y in (16, 30, high - 22, high - 8):
            _text(canvas, (x, y), rng, 230, 0.4)
    _placed(canvas, pixels, rng, (panel, 36, panel + wide, high))
    return canvas


def _web_page(pixels: Pixels, rng: Generator) -> Pixels:
    """A page in a browser: tabs, an address, words above and below the picture."""
    height, width = pixels.shape[:2]
    wide, head, text = round(width * rng.uniform(1.2, 2.2)), 70, 90
    canvas = np.full((height + head + 2 * text, wide, 3), 255, np.uint8)
    _bar(canvas, (0, 34), (222, 225, 230), rng, 4, 70)
    _bar(canvas, (34, head), (248, 248, 248), rng, 2, 90)
    for y in (head + 30, head + 60, len(canvas) - 60, len(canvas) - 30):
        for x in range(20, wide - 80, 90):
            _text(canvas, (x, y), rng, 30, 0.45)
    _placed(canvas, pixels, rng, (0, head + text, wide, len(canvas) - text))
    return canvas


WINDOWS: dict[str, Callable[[Pixels, Generator], Pixels]] = {
    "desktop": _desktop,
    "reading_room": _reading_room,
    "web_page": _web_page,
}
