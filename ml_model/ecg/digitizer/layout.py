"""What is where on an ECG page: calibration pulse, and rows and columns of leads with their scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.digitizer.grid import PX_PER_MM
from ml_model.ecg.digitizer.traces import Traces

Doubles = NDArray[np.float64]

GAINS_MM_PER_MV = (5.0, 10.0, 20.0)
_GAP_MM = 16.0  # at most between two columns of leads
_DRAWN = 0.6  # share of rows with ink above which a place counts as inside a column of leads
MOST_STRIPS = 3


@dataclass(frozen=True)
class Arrangement:
    """Rows x columns of leads, then rhythm strips; windows are stretches of the page's x axis in px."""

    rows: int
    columns: int
    strips: int
    window_px: float
    lefts_px: tuple[float, ...]  # of the columns
    px_per_mm: float
    speed_mm_per_s: float
    speed_told: bool  # by the pulse or the width of the page; else it is the usual one
    fit: float  # 0..1, share of the windows that holds traces

    @property
    def name(self) -> str:
        return f"{self.rows}x{self.columns}" + (f"+{self.strips}" if self.strips else "")

    @property
    def window_s(self) -> float:
        return self.window_px / (self.speed_mm_per_s * self.px_per_mm)


@dataclass(frozen=True)
class Pulse:
    """The calibration pulse at the left of the rows: 1 mV for 0.2 s."""

    gain_mm_per_mv: float
    speed_mm_per_s: float
    end_px: int


def find_pulse(traces: Traces) -> Pulse | None:
    """The pulse that all rows show at their left, or None."""
    shown = np.median(traces.drawn, axis=0) > 0.5
    if not shown.any():
        return None
    first = int(np.argmax(shown))
    span = slice(first, first + 40 * PX_PER_MM)
    height = np.where(shown[span], np.median(traces.height_px[:, span], axis=0) / PX_PER_MM, 0.0)
    foot = float(np.median(height[: PX_PER_MM // 2 + 1]))
    high = np.flatnonzero(height - foot > 3.5)
    if not len(high):
        return None
    runs = np.split(high, np.flatnonzero(np.diff(high) > 1) + 1)
    run = runs[0]
    width_mm = len(run) / PX_PER_MM
    level = float(np.median(height[run])) - foot
    gain = min(GAINS_MM_PER_MV, key=lambda g: abs(level / g - 1))
    speed = 25.0 if 4 <= width_mm <= 6.6 else 50.0 if 8.5 <= width_mm <= 12 else 0.0
    flat = np.abs(height[run] - foot - level) < 0.8
    if not speed or abs(level / gain - 1) > 0.15 or flat.mean() < 0.7 or run[0] > 15 * PX_PER_MM:
        return None
    return Pulse(gain, speed, first + int(run[-1]) + 1)


def arrangements(traces: Traces, pulse: Pulse | None, ruled: bool) -> Iterator[Arrangement]:
    """Every known arrangement of as many rows as were found, placed where the traces fit it best.

    On an unruled page the scale is taken from the width of the traces: 250 mm.
    """
    count = len(traces.baselines_px)
    for rows, columns in ((3, 4), (4, 3), (6, 2), (12, 1)):
        strips = count - rows
        if not 0 <= strips <= MOST_STRIPS or (strips and columns < 3):
            continue
        shown = traces.drawn[:rows].mean(0) - _DRAWN
        if pulse is not None:
            shown[: pulse.end_px] = -_DRAWN
        speed, total_mm = _speed_and_width(shown, pulse, ruled)
        widths = _unruled_widths(shown, columns) if not ruled else _ruled_widths(total_mm, columns)
        placed = _place(shown, columns, widths)
        if placed is not None:
            lefts, window, fit = placed
            scale = window * columns / total_mm
            told = pulse is not None or total_mm > 250
            yield Arrangement(rows, columns, strips, window, lefts, scale, speed, told, fit)


def _speed_and_width(shown: Doubles, pulse: Pulse | None, ruled: bool) -> tuple[float, float]:
    """Paper speed, and width of all columns of leads together in mm: 250 of an unruled page, whose scale that is."""
    inside = np.flatnonzero(shown > 0)
    extent_mm = (inside[-1] - inside[0]) / PX_PER_MM if len(inside) else 0.0
    if ruled and extent_mm > 450 and (pulse is None or pulse.speed_mm_per_s == 50):
        return 50.0, 500.0
    return pulse.speed_mm_per_s if pulse else 25.0, 250.0


def _ruled_widths(total_mm: float, columns: int) -> list[tuple[float, float]]:
    """Gaps between columns and widths of columns, in px, where the scale is known."""
    gaps = np.arange(0, _GAP_MM * PX_PER_MM if columns > 1 else 0.5, 0.5)
    return [(float(gap), total_mm * PX_PER_MM / columns) for gap in gaps]


def _unruled_widths(shown: Doubles, columns: int) -> list[tuple[float, float]]:
    """The same where the columns and their gaps must fill what is drawn, with a gap's writing at the left or not."""
    inside = np.flatnonzero(shown > 0)
    runs = np.split(inside, np.flatnonzero(np.diff(inside) > 2) + 1)
    while len(runs) > 1 and len(runs[0]) < 8 * PX_PER_MM:  # the foot of the calibration pulse
        runs = runs[1:]
    if not len(runs[0]):
        return []
    total = float(runs[-1][-1] - runs[0][0])
    gaps = np.arange(0, _GAP_MM * PX_PER_MM if columns > 1 else 1)
    widths = [(float(gap), (total - times * gap) / columns) for gap in gaps for times in {columns - 1, columns}]
    return [(gap, width) for gap, width in widths if width >= PX_PER_MM]


def _place(
    shown: Doubles, columns: int, widths: list[tuple[float, float]]
) -> tuple[tuple[float, ...], float, float] | None:
    """Left edges and width of the columns in px, and the share of them that holds traces, where that is most."""
    total = np.concatenate([[0.0], np.cumsum(shown)])
    best: tuple[float, float, float, float] | None = None
    for gap, window in widths:
        offsets = np.round(np.arange(columns) * (window + gap)).astype(int)
        starts = np.arange(max(0, len(shown) - offsets[-1] - int(window) + 3 * PX_PER_MM))
        if not len(starts):
            continue
        first = np.minimum(starts[:, None] + offsets, len(shown))
        last = np.minimum(first + int(round(window)), len(shown))
        score = (total[last] - total[first]).sum(1) - 0.05 * gap
        top = float(score.max())
        if best is None or top > best[0]:
            # The pen's round ends make traces a little longer than their window: take the middle of what fits.
            best = top, gap, window, float(np.flatnonzero(score > top - 0.6).mean())
    if best is None:
        return None
    top, gap, window, start = best
    lefts = _at_edges(shown, np.asarray(start + np.arange(columns) * (window + gap), np.float64), window)
    return tuple(lefts.tolist()), window, float(np.clip(top / (columns * window) + _DRAWN, 0, 1))


def _at_edges(shown: Doubles, lefts: Doubles, window: float) -> Doubles:
    """Columns with gaps between them, moved onto where traces begin and end: the pen's width and blur cancel."""
    if len(lefts) < 2 or lefts[1] - lefts[0] - window < 3:
        return lefts
    inside = shown > 0
    blank = np.convolve(~inside, np.ones(3), "valid") == 3  # of px i, i + 1 and i + 2
    begins = np.flatnonzero(inside[3:] & blank[:-1]) + 3
    ends = np.flatnonzero(inside[:-3] & blank[1:])
    numbers, moves = [], []
    for number, left in enumerate(lefts):
        pairs = ((begins, left), (ends, left + window))
        near = [edges[np.abs(edges - place) < PX_PER_MM] - place for edges, place in pairs]
        if all(len(offsets) for offsets in near):
            numbers.append(number)
            moves.append(float(np.mean([offsets[np.argmin(np.abs(offsets))] for offsets in near])))
    if len(moves) < 2:
        return lefts
    slope, move = np.polyfit(numbers, moves, 1)
    return np.asarray(lefts + move + slope * np.arange(len(lefts)))
