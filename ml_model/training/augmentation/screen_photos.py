"""A picture shown on a screen and photographed with a phone, in four ways that make their marks by different means.

A way that a detector was fitted on says nothing of how it does on others: `FITTED_ON` are the one, `MEASURED_ON` the
others. Pictures are uint8 RGB (H, W, 3) before and after; H and W change.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ml_model.training.augmentation.images import recompressed

Pixels = NDArray[np.uint8]
Levels = NDArray[np.float32]


def _shown(pixels: Pixels, side_px: int) -> Levels:
    """The picture with its longer side at so many pixels, 0-1."""
    scale = side_px / max(pixels.shape[:2])
    size = (max(8, round(pixels.shape[1] * scale)), max(8, round(pixels.shape[0] * scale)))
    return (cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR) / np.float32(255)).astype(np.float32)


def _finished(levels: Levels, rng: Generator, noise: float, quality: tuple[int, int]) -> Pixels:
    """With sensor noise (share of 1), as a JPEG file."""
    noisy = levels + rng.normal(0, noise, levels.shape).astype(np.float32)
    return recompressed(np.rint(noisy.clip(0, 1) * 255).astype(np.uint8), "JPEG", int(rng.integers(*quality)))


def _seen_from(levels: Levels, rng: Generator, size: tuple[int, int], tilt: float, fill: float, wall: float) -> Levels:
    """A plane seen from somewhat aside: its corners moved by shares of the sides, filling `fill` of (width, height)."""
    height, width = levels.shape[:2]
    scale = fill * min(size[0] / width, size[1] / height)
    square = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]) * (width * scale, height * scale)
    moved = square + rng.uniform(-tilt, tilt, (4, 2)) * (width * scale, height * scale)
    angle = np.deg2rad(rng.normal(0, 3))
    turned = moved @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = np.array(size) / 2 + rng.uniform(-0.03, 0.03, 2) * size
    source = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    matrix = cv2.getPerspectiveTransform(source, (turned + middle).astype(np.float32))
    border = (wall * rng.uniform(0.8, 1), wall, wall * rng.uniform(0.8, 1))
    return cv2.warpPerspective(levels, matrix, size, flags=cv2.INTER_LINEAR, borderValue=border).astype(np.float32)


def _with_bezel(levels: Levels, width_px: int, level: float) -> Levels:
    sides = ((width_px, width_px), (width_px, width_px), (0, 0))
    return np.pad(levels, sides, constant_values=level)


def subpixel_grid(pixels: Pixels, rng: Generator) -> Pixels:
    """Red, green and blue stripes of the panel, sampled by a sensor of another pitch: the moire comes by itself; a
    bezel, a lamp mirrored in the glass."""
    small = _shown(pixels, int(rng.integers(160, 260)))
    panel = np.zeros((small.shape[0] * 3, small.shape[1] * 3, 3), np.float32)
    for channel in range(3):
        for row in range(2):  # the third row is the dark gap between the pixels
            panel[row::3, channel::3, channel] = small[..., channel]
    panel *= rng.uniform(2.2, 3.2)
    edge = int(rng.integers(10, 50))
    panel = _with_bezel(panel, edge, 0.06)
    side = int(rng.integers(420, 760))
    view = _seen_from(panel, rng, (side, round(side * rng.uniform(0.7, 1.0))), 0.05, rng.uniform(0.85, 1.15), 0.3)
    view = cv2.GaussianBlur(view, (0, 0), rng.uniform(0.5, 1.1)).astype(np.float32)
    return _finished(_with_lamp(view, rng), rng, 0.015, (60, 92))


def _with_lamp(view: Levels, rng: Generator) -> Levels:
    """A soft bright spot, and a tint."""
    height, width = view.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    centre, radius = rng.uniform(0, 1, 2) * (height, width), rng.uniform(0.1, 0.35) * width
    spot = np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * radius**2))
    tint = np.array([rng.uniform(0.85, 1.05), 1.0, rng.uniform(0.9, 1.15)], np.float32)
    lit: Levels = view * tint + spot[..., None].astype(np.float32) * np.float32(rng.uniform(0.05, 0.4))
    return lit


def beating_waves(pixels: Pixels, rng: Generator) -> Pixels:
    """Waves of two directions laid over the picture, of another phase in each colour; the picture fills the photo."""
    view = _shown(pixels, int(rng.integers(300, 800)))
    height, width = view.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    for _ in range(2):
        angle, period = rng.uniform(0, np.pi), rng.uniform(3, 25)
        bend = rng.uniform(-2e-3, 2e-3)
        phase = 2 * np.pi / period * (x * np.cos(angle) + y * np.sin(angle) + bend * (x - width / 2) ** 2)
        shift = rng.uniform(0, 2, 3)
        view = view * (1 + rng.uniform(0.04, 0.12) * np.cos(phase[..., None] + shift)).astype(np.float32)
    fall = 1 - rng.uniform(0.1, 0.4) * (((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) * 2)
    view = view * fall[..., None].astype(np.float32) * rng.uniform(0.85, 1.1, 3).astype(np.float32)
    view = 0.03 + 0.97 * cv2.GaussianBlur(view, (0, 0), rng.uniform(0.4, 1.2))
    return _finished(np.asarray(view, np.float32), rng, 0.02, (50, 90))


def dark_room(pixels: Pixels, rng: Generator) -> Pixels:
    """A monitor in a dark room: perspective, a wide bezel before a wall, lines of the panel, a window mirrored."""
    view = _shown(pixels, int(rng.integers(350, 600)))
    lines = 1 - rng.uniform(0.1, 0.3) * (np.arange(view.shape[0]) % int(rng.integers(2, 4)) == 0)
    view = (view ** rng.uniform(0.8, 1.25) * lines[:, None, None]).astype(np.float32)
    edge = round(rng.uniform(0.03, 0.1) * max(view.shape))
    view = _with_bezel(view, edge, 0.02)
    size = (int(rng.integers(500, 900)), int(rng.integers(400, 700)))
    view = _seen_from(view, rng, size, 0.07, rng.uniform(0.75, 1.05), rng.uniform(0.08, 0.5))
    left, top = (int(v) for v in rng.uniform(0.1, 0.6, 2) * size)
    pane = np.zeros(view.shape[:2], np.float32)
    cv2.rectangle(pane, (left, top), (left + size[0] // 4, top + size[1] // 4), (1.0,), cv2.FILLED)
    pane = cv2.GaussianBlur(pane, (0, 0), rng.uniform(4, 15)).astype(np.float32)
    view = view + pane[..., None] * np.array([0.9, 0.95, 1.0], np.float32) * np.float32(rng.uniform(0.06, 0.25))
    return _finished(view * rng.uniform(0.9, 1.1, 3).astype(np.float32), rng, 0.025, (50, 90))


def coarse_panel(pixels: Pixels, rng: Generator) -> Pixels:
    """Close up: square cells with dark gaps, seen at an angle through a lens that bends the edges, reduced again."""
    cell, small = int(rng.integers(4, 7)), _shown(pixels, int(rng.integers(120, 200)))
    panel = np.repeat(np.repeat(small, cell, axis=0), cell, axis=1)
    panel[::cell] *= 0.35
    panel[:, ::cell] *= 0.35
    height, width = panel.shape[:2]
    panel = _seen_from(panel, rng, (width, height), 0.03, rng.uniform(1.0, 1.2), 0.1)
    lens, k = np.array([[width, 0, width / 2], [0, width, height / 2], [0, 0, 1.0]]), rng.uniform(-0.25, 0.1)
    bent = cv2.undistort(panel, lens, np.array([k, 0, 0, 0])).astype(np.float32)
    scale = rng.uniform(0.35, 0.75)
    view = cv2.resize(bent, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR).astype(np.float32)
    gain = np.array([rng.uniform(1.1, 1.5), rng.uniform(1.2, 1.5), rng.uniform(1.2, 1.6)], np.float32)
    return _finished(view * gain + np.float32(rng.uniform(0, 0.06)), rng, 0.015, (60, 92))


FITTED_ON: dict[str, Callable[[Pixels, Generator], Pixels]] = {
    "subpixel_grid": subpixel_grid,
    "beating_waves": beating_waves,
}
MEASURED_ON: dict[str, Callable[[Pixels, Generator], Pixels]] = {"dark_room": dark_room, "coarse_panel": coarse_panel}
