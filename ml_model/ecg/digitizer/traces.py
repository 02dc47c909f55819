"""The traces on a flattened ECG page: rows found, each followed by the cheapest path through its ink."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.digitizer.grid import PX_PER_MM

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

ROW_COUNTS = (3, 4, 5, 6, 7, 12)
_NEAR_MM = 3.0  # of a baseline: a trace is there in nearly every column, writing and tall waves are not
_SPACING_MM = (9.0, 65.0)
_PIECES = 0.12  # share of the ink on baselines that writing makes up at most
_BLANK_COST, _CLIMB_COST, _CLIMB_BLANK_COST, _AWAY_COST = 1.0, 0.01, 0.8, 0.0006  # per px
_ELSEWHERE_COST = 0.3  # per px spent as far away as a neighbouring row: waves are there briefly, other leads stay


@dataclass(frozen=True)
class Traces:
    """One curve per row of the page, in px of the flattened page."""

    height_px: Doubles  # (rows, width) above the row's baseline, upwards positive
    drawn: Floats  # (rows, width) 0..1: how much ink lies under the curve
    shared: NDArray[np.bool_]  # (rows, width): the curve runs through ink of another row too
    baselines_px: Doubles  # (rows,)
    thickness_px: float

    def upside_down(self) -> Traces:
        """The same of a page that was turned by 180 degrees."""
        first, last = self.baselines_px[[0, -1]]
        turned = (slice(None, None, -1),) * 2
        return Traces(
            -self.height_px[turned],
            self.drawn[turned],
            self.shared[turned],
            first + last - self.baselines_px[::-1],
            self.thickness_px,
        )


def ink_mask(ink: Floats) -> Floats:
    """Ink darkness to 0..1 with soft edges, whatever the pen's colour and the picture's blur."""
    strong = float(np.percentile(ink[::2, ::2], 99.0))
    return np.asarray(np.clip((ink - 0.25 * strong) / max(0.5 * strong, 0.02), 0, 1), np.float32)


def find_rows(mask: Floats) -> Doubles | None:
    """Baselines (rows,) in px of the most plausible equally spaced rows, or None."""
    inked = (mask > 0.5).astype(np.uint8)
    columns = np.flatnonzero(inked.mean(0) > 0)
    if len(columns) < 100:
        return None
    inked = inked[:, int(np.percentile(columns, 3)) : int(np.percentile(columns, 97)) + 1]
    reach = int(2 * _NEAR_MM * PX_PER_MM) + 1
    coverage = cv2.dilate(inked, np.ones((reach, 1), np.uint8)).mean(1)
    density = cv2.GaussianBlur(inked.mean(1)[:, None], (1, 2 * PX_PER_MM * 2 + 1), 0.7 * PX_PER_MM)[:, 0]
    density = density / max(float(np.sort(density)[-5 * PX_PER_MM]), 1e-6)
    near = cv2.dilate(density[:, None], np.ones((2 * PX_PER_MM + 1, 1), np.uint8))[:, 0]
    score = coverage * (0.4 + 0.6 * np.minimum(near, 1)) - 0.5
    best, found = 0.0, None
    for spacing in np.arange(_SPACING_MM[0] * PX_PER_MM, _SPACING_MM[1] * PX_PER_MM):
        total = np.zeros(len(score))
        for k in range(max(ROW_COUNTS)):
            shift = int(round(k * spacing))
            if shift >= len(score):
                break
            total[: len(score) - shift] += score[shift:]
            total[len(score) - shift :] = -np.inf
            if k + 1 not in ROW_COUNTS:
                continue
            first = int(np.argmax(total))
            if total[first] > best:
                best, found = float(total[first]), first + np.round(np.arange(k + 1) * spacing)
    if found is None:
        return None
    return _settle(np.asarray(found, np.float64), np.asarray(density, np.float64))


def without_writing(mask: Floats, baselines: Doubles) -> Floats:
    """The mask without small separate marks: letters and column separators, which a path might run through.

    Those on a baseline stay where traces are themselves in pieces, as faint ones are.
    """
    _, labels, stats, middles = cv2.connectedComponentsWithStats((mask > 0.3).astype(np.uint8), connectivity=8)
    small = (stats[:, cv2.CC_STAT_WIDTH] < 7 * PX_PER_MM) & (stats[:, cv2.CC_STAT_HEIGHT] < 8 * PX_PER_MM)
    near = np.abs(middles[:, 1:] - baselines).min(1) < 4.5 * PX_PER_MM
    near[0] = False  # the paper
    area = stats[:, cv2.CC_STAT_AREA]
    whole = area[near & small].sum() < _PIECES * area[near].sum()
    return np.where((small & ~(near & ~whole))[labels], np.float32(0), mask)


def _settle(rows: Doubles, density: Doubles) -> Doubles:
    """Move each row to the densest line near it."""
    reach = int(2 * PX_PER_MM)
    settled = []
    for row in rows.astype(np.int64):
        low = max(0, row - reach)
        settled.append(low + int(np.argmax(density[low : row + reach + 1])))
    return np.array(settled, float)


def follow(ink: Floats, mask: Floats, baselines: Doubles) -> Traces:
    """Trace every row; rows run over each other where waves are tall, so all see more than their own strip."""
    spacing = float(np.median(np.diff(baselines)))
    reach = int(np.clip(1.35 * spacing, 12 * PX_PER_MM, 40 * PX_PER_MM))
    padded = np.pad(mask, ((reach, reach), (0, 0)))
    bands = np.stack([padded[int(b) : int(b) + 2 * reach + 1] for b in baselines])  # (rows, states, width)
    off = np.abs(np.arange(2 * reach + 1) - reach).astype(np.float32)
    away = (_AWAY_COST * off + _ELSEWHERE_COST * (off > 0.75 * spacing)).astype(np.float32)
    path = _cheapest_paths(np.ascontiguousarray(bands.transpose(2, 0, 1)), away)  # (width, rows)
    y = path.T + baselines[:, None].astype(int) - reach
    inside = np.clip(y, 0, mask.shape[0] - 1)
    drawn = mask[inside, np.arange(mask.shape[1])]
    centre, shared, thickness = _centre_lines(ink, mask, inside)
    height = baselines[:, None] - centre
    return Traces(height, drawn.astype(np.float32), shared, baselines, thickness)


def _cheapest_paths(ink: Floats, away: Floats) -> NDArray[np.int64]:
    """State (width, rows) of the cheapest left-to-right path through ink (width, rows, states), `away` paid per state.

    Within a column a path may climb, cheaply through ink; the climb's cost is a difference of the column's
    cumulative sum, so the best predecessor is a running minimum instead of a search over all pairs.
    """
    width, rows, states = ink.shape
    climb = np.cumsum(_CLIMB_COST + _CLIMB_BLANK_COST * (1 - ink), axis=2, dtype=np.float32)
    stay = _BLANK_COST * (1 - ink) + away
    costs = np.empty((width, rows, states), np.float32)
    cost = stay[0] + 30 * away  # a path begins near its baseline
    costs[0] = cost
    for x in range(1, width):
        level = climb[x]
        down = np.minimum.accumulate(cost - level, axis=1) + level
        up = np.minimum.accumulate((cost + level)[:, ::-1], axis=1)[:, ::-1] - level
        cost = np.minimum(down, up) + stay[x]
        cost -= cost.min(axis=1, keepdims=True)
        costs[x] = cost
    path = np.empty((width, rows), np.int64)
    row = np.arange(rows)
    path[-1] = costs[-1].argmin(1)
    for x in range(width - 1, 0, -1):
        level = climb[x]
        path[x - 1] = (costs[x - 1] + np.abs(level - level[row, path[x]][:, None])).argmin(1)
    return path


def _centre_lines(ink: Floats, mask: Floats, path: NDArray[np.int64]) -> tuple[Doubles, NDArray[np.bool_], float]:
    """The curve (rows, width) in px from the top, through the middle of each column's run of ink.

    Also where rows touch, and the pen's width in px.
    """
    top, bottom, shared = _runs(mask, path)
    thickness = float(np.median(bottom - top))
    pen = (thickness - 1) / 2
    high, low = top + pen, bottom - 1 - pen
    centre = (top + bottom - 1) / 2
    steep = bottom - top > 1.6 * thickness + 1
    crest = steep & (high <= _neighbours(high, np.minimum))
    trough = steep & (low >= _neighbours(low, np.maximum))
    base = np.median(centre, axis=1, keepdims=True)
    up = np.abs(high - base) >= np.abs(low - base)
    centre = np.where(crest & (up | ~trough), high, np.where(trough, low, centre))
    fine = _centroids(np.maximum(ink - 0.08 * float(ink.max()), 0), top, bottom)
    return np.where(steep, centre, fine), shared, thickness


def _neighbours(values: Doubles, pick: np.ufunc) -> Doubles:
    padded = np.pad(values, ((0, 0), (2, 2)), mode="edge")
    parts = [padded[:, k : k + values.shape[1]] for k in (0, 1, 3, 4)]
    return np.asarray(pick.reduce(parts))


def _runs(mask: Floats, path: NDArray[np.int64]) -> tuple[Doubles, Doubles, NDArray[np.bool_]]:
    """First and one past the last px (rows, width) of the ink around the path, and whether two paths share it.

    A shared run is where rows touch: there each keeps to its own side of the middle.
    """
    height, width = mask.shape
    dark = mask > 0.5
    index = np.arange(height, dtype=np.int16)[:, None]
    first = _down(np.maximum, np.where(dark, np.int16(0), index + np.int16(1)))
    last = _down(np.minimum, np.where(dark, np.int16(height), index)[::-1])[::-1]
    column = np.arange(width)
    top = np.minimum(first[path, column], path).astype(float)
    bottom = np.maximum(last[path, column], path + 1).astype(float)
    order = np.sort(path, axis=0)
    rank = np.argsort(np.argsort(path, axis=0, kind="stable"), axis=0, kind="stable")
    between = (order[1:] + order[:-1]) / 2
    above = np.vstack([np.full((1, width), -1.0), between])[rank, column]
    below = np.vstack([between, np.full((1, width), float(height))])[rank, column]
    touched = np.vstack([np.full((1, width), -1.0), order[:-1]])[rank, column] >= top
    reached = np.vstack([order[1:], np.full((1, width), float(height))])[rank, column] < bottom
    top = np.where(touched, np.maximum(top, np.ceil(above)), top)
    bottom = np.where(reached, np.minimum(bottom, np.floor(below) + 1), bottom)
    return top, bottom, touched | reached


def _down(pick: np.ufunc, values: NDArray[Any]) -> NDArray[Any]:
    """`pick.accumulate` along the columns, in place. Row by row, since that takes ten times as long."""
    for above, row in itertools.pairwise(values):
        pick(above, row, out=row)
    return values


def _centroids(ink: Floats, top: Doubles, bottom: Doubles) -> Doubles:
    """Ink-weighted middle of each run, one px beyond its ends included: the soft edges tell parts of a px."""
    height, width = ink.shape
    rows = np.arange(height, dtype=np.float32)[:, None]
    mass, moment = _sums_from_the_top(ink), _sums_from_the_top(ink * rows)
    start = np.clip(top.astype(int) - 1, 0, height)
    stop = np.clip(bottom.astype(int) + 1, 0, height)
    column = np.arange(width)
    total = mass[stop, column] - mass[start, column]
    middle = (moment[stop, column] - moment[start, column]) / np.maximum(total, 1e-6)
    return np.where(total > 0.1, middle, (top + bottom - 1) / 2)


def _sums_from_the_top(values: Floats) -> Doubles:
    """(height + 1, width): of the rows above each."""
    sums = np.empty((len(values) + 1, values.shape[1]))
    sums[0], sums[1:] = 0, values
    return _down(np.add, sums)
