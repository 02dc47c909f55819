"""The paper of a photographed ECG page: light evened, page flattened to a fixed scale, its grid taken off."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.digitizer.grid import PX_PER_MM, Floats, find_sheet, places

WORK_PX = 1600  # longest side that is looked at: 297 mm of paper are then still 5 px/mm
_CELL_PX = 5 * PX_PER_MM  # one large square
_BLOCK = 5  # squares per side whose median is the empty paper
_UNRULED_MM = 262.0  # width of what is drawn, taken where nothing tells the scale: 10 s and a calibration pulse
_UNRULED_DEGREES = 12.0


@dataclass(frozen=True)
class Paper:
    """A page flattened to PX_PER_MM, lines of the grid parallel to its sides."""

    ink: Floats  # (height, width), 0 paper .. 1 ink; grid and shadows removed
    px_per_mm: float  # in the picture as received
    rotation_degrees: float  # of the page in the picture, clockwise as seen
    ruled: bool  # whether a grid told the scale; else it is a guess, some percent off


def flatten(ink: Floats, grid: Floats, scale: float) -> Paper | None:
    """The page of a picture by its `even_light`, or None where there is none. scale: px of the picture per px of it."""
    cap = max(0.4 * float(np.percentile(grid[::3, ::3], 99.5)), 0.02)  # ink would drown the grid's waves
    grid = np.minimum(grid, cap).astype(np.float32)
    sheet = find_sheet(grid)
    if sheet is None:
        return _unruled(ink, scale)
    where = places(sheet, (ink.shape[0], ink.shape[1]))
    if where is None:
        return None
    flat = cv2.remap(ink, *where, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    squares = cv2.remap(grid, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    page = _ruled(squares.astype(np.float32)) * _thin(flat)
    per_px = sheet.slopes(np.array([ink.shape[1] / 2]), np.array([ink.shape[0] / 2]))[0]
    angle = np.degrees(np.arctan2(per_px[1, 0], per_px[0, 0]))
    clean = _without_grid(np.clip(flat, 0, 1) * page) * page
    return Paper(clean, scale / float(np.hypot(*per_px[:, 0])), float(angle), ruled=True)


def _unruled(ink: Floats, scale: float) -> Paper | None:
    """A page without a grid: turned until its rows are level, and taken to be as wide as pages usually are."""
    ink = ink * _thin(ink)
    dark = (ink > 0.4 * float(np.percentile(ink[::2, ::2], 99.5))).astype(np.float32)
    if not 0.002 < dark.mean() < 0.2:
        return None
    angle = 0.0
    for reach, step, share in ((_UNRULED_DEGREES, 1.0, 0.25), (1.0, 0.25, 0.5), (0.25, 0.05, 0.5)):
        small = cv2.resize(dark, None, fx=share, fy=share, interpolation=cv2.INTER_AREA).astype(np.float32)
        turns = angle + np.arange(-reach, reach + step / 2, step)
        sharpness = [float(np.square(_turned(small, turn, 1.0).sum(1)).sum()) for turn in turns]
        angle = float(turns[int(np.argmax(sharpness))])
    columns = np.flatnonzero(_turned(dark, angle, 1.0).max(0) > 0.5)
    if len(columns) < 200:
        return None
    zoom = _UNRULED_MM * PX_PER_MM / float(columns[-1] - columns[0])
    flat = _turned(ink, angle, zoom)
    first = int(columns[0] * zoom)
    flat = flat[:, max(0, first - _CELL_PX) : int(columns[-1] * zoom) + _CELL_PX]
    return Paper(np.ascontiguousarray(flat), scale * PX_PER_MM / zoom, angle, ruled=False)


def _turned(picture: Floats, degrees: float, zoom: float) -> Floats:
    """Turned by -degrees about its middle, then enlarged."""
    height, width = picture.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0) * zoom
    size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    return np.asarray(cv2.warpAffine(picture, turn, size, flags=cv2.INTER_LINEAR), np.float32)


def _thin(dark: cv2.typing.MatLike) -> Floats:
    """0 on thick dark patches (the table beyond the page, a finger, a photo on it), 1 elsewhere."""
    side = 3 * PX_PER_MM
    thick = cv2.morphologyEx((dark > 0.3).astype(np.uint8), cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    return np.asarray(1 - cv2.dilate(thick, np.ones((side // 2, side // 2), np.uint8)), np.float32)


def _ruled(grid: Floats) -> Floats:
    """1 where the flattened page is ruled, 0 beyond its edges: the convex hull of where the grid's waves are strong."""
    waves = []
    for axis in (0, 1):
        strength = np.zeros(grid.shape, np.float32)
        for period_mm in (1, 5):
            phase = np.arange(grid.shape[axis]) * (2 * np.pi / (period_mm * PX_PER_MM))
            for wave in (np.cos(phase), np.sin(phase)):
                turned = grid * np.expand_dims(wave.astype(np.float32), 1 - axis)
                strength += np.square(cv2.boxFilter(turned, -1, (_CELL_PX * 2 + 1, _CELL_PX * 2 + 1)))
        waves.append(np.sqrt(strength[::PX_PER_MM, ::PX_PER_MM]))
    strong = np.minimum(*(wave / max(float(np.percentile(wave, 70)), 1e-6) for wave in waves)) > 0.5
    points = np.argwhere(strong)[:, ::-1].astype(np.int32)
    mask = np.zeros(strong.shape, np.uint8)
    if len(points):
        cv2.fillConvexPoly(mask, cv2.convexHull(points * 1), (1,))
    size = grid.shape[1], grid.shape[0]
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST), np.float32)


def _without_grid(dark: Floats) -> Floats:
    """Subtract what repeats from square to square: the median of 5 x 5 large squares is the paper without ink."""
    block = _CELL_PX * _BLOCK
    height, width = dark.shape
    pad = (-height % block, -width % block)
    full = np.pad(dark, ((0, pad[0]), (0, pad[1])), mode="reflect")
    rows, columns = full.shape[0] // block, full.shape[1] // block
    cells = full.reshape(rows, _BLOCK, _CELL_PX, columns, _BLOCK, _CELL_PX)
    flat = np.ascontiguousarray(cells.transpose(0, 2, 3, 5, 1, 4)).reshape(rows, _CELL_PX, columns, _CELL_PX, -1)
    paper = np.partition(flat, 12, axis=-1)[..., 12]
    cells = cells - paper[:, None, :, :, None, :]
    return np.asarray(np.clip(cells.reshape(full.shape)[:height, :width], 0, 1), np.float32)


def even_light(rgb: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Darkness of the brightest and of the darkest channel, 0 paper .. 1, each (height, width), at most WORK_PX long.

    A coloured grid is faint in its brightest channel, black ink is dark in all: the first shows ink, the second grid.
    """
    scale = WORK_PX / max(rgb.shape[:2])
    if scale < 1:
        size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    red, green, blue = cv2.split(rgb)
    brightest = cv2.max(cv2.max(red, green), blue)
    darkest = cv2.min(cv2.min(red, green), blue)
    return _darkness(brightest), _darkness(darkest)


def _darkness(channel: NDArray[np.uint8] | cv2.typing.MatLike) -> Floats:
    height, width = channel.shape
    small = cv2.resize(channel, (max(1, width // 8), max(1, height // 8)), interpolation=cv2.INTER_AREA)
    light = cv2.GaussianBlur(cv2.dilate(small, np.ones((7, 7), np.uint8)), (0, 0), 4)
    paper = cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    dark = 1 - channel.astype(np.float32) / np.maximum(paper, 1)
    return np.clip(dark, 0, 1).astype(np.float32)
