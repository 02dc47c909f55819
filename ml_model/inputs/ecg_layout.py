"""What is where on an ECG page: which lead each part of each row is, its scale and its time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_model.inputs.ecg_grid import PX_PER_MM
from ml_model.inputs.ecg_traces import Traces

Doubles = NDArray[np.float64]

RATE_HZ = 100.0
SECONDS = 10.0
GAINS_MM_PER_MV = (5.0, 10.0, 20.0)
_GAP_MM = 16.0  # at most between two columns of leads
_DRAWN = 0.6  # share of rows with ink above which a place counts as inside a column of leads
_I, _II, _III, _AVR, _AVL, _AVF, _V1, _V5 = 0, 1, 2, 3, 4, 5, 6, 10
_STRIPS = ((), (_II,), (_V1, _II), (_V1, _II, _V5))
# Sums that are zero wherever their leads are drawn at the same time: Einthoven's and Goldberger's equations.
_ZERO_SUMS: tuple[dict[int, float], ...] = (
    {_I: 1, _II: -1, _III: 1},
    {_AVR: 1, _AVL: 1, _AVF: 1},
    {_AVR: 1, _I: 0.5, _II: 0.5},
    {_AVL: 1, _I: -0.5, _III: 0.5},
)


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


@dataclass(frozen=True)
class Reading:
    """The signal under one arrangement."""

    arrangement: Arrangement
    signal_mv: Doubles  # (1000, 12), NaN where not drawn
    drawn: Doubles  # (12,) share of each lead's curve that lies on ink
    residuals: dict[int, float]  # lead -> unexplained share of Einthoven's equations that it is part of
    contradiction: float  # 0..1, how far the page is from what this arrangement implies


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

    On an unruled page the scale is taken from the width of the traces: 10 s at 25 mm/s.
    """
    count = len(traces.baselines_px)
    for rows, columns in ((3, 4), (4, 3), (6, 2), (12, 1)):
        strips = count - rows
        if not 0 <= strips < len(_STRIPS) or (strips and columns < 3):
            continue
        shown = traces.drawn[:rows].mean(0) - _DRAWN
        if pulse is not None:
            shown[: pulse.end_px] = -_DRAWN
        speed, total_mm = _speed_and_width(shown, pulse) if ruled else (25.0, 250.0)
        widths = _unruled_widths(shown, columns) if not ruled else _ruled_widths(total_mm, columns)
        placed = _place(shown, columns, widths)
        if placed is not None:
            lefts, window, fit = placed
            scale = window * columns / total_mm
            yield Arrangement(rows, columns, strips, window, lefts, scale, speed, fit)


def _speed_and_width(shown: Doubles, pulse: Pulse | None) -> tuple[float, float]:
    """Paper speed, and width of all columns of leads together in mm."""
    inside = np.flatnonzero(shown > 0)
    extent_mm = (inside[-1] - inside[0]) / PX_PER_MM if len(inside) else 0.0
    if extent_mm > 450 and (pulse is None or pulse.speed_mm_per_s == 50):
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
    return [(float(gap), (total - times * gap) / columns) for gap in gaps for times in {columns - 1, columns}]


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
    lefts = _at_edges(shown, start + np.arange(columns) * (window + gap), window)
    return tuple(lefts.tolist()), window, float(np.clip(top / (columns * window) + _DRAWN, 0, 1))


def _at_edges(shown: Doubles, lefts: Doubles, window: float) -> Doubles:
    """The columns moved together onto the places near them where traces begin and end; the pen's width cancels."""
    inside = shown > 0
    begins, ends = (np.flatnonzero(inside[1:] & ~inside[:-1]) + 1, np.flatnonzero(inside[:-1] & ~inside[1:]) + 1)
    numbers, seen = [], []
    for number, left in enumerate(lefts):
        pair = []
        for edges, place in ((begins, left), (ends, left + window)):
            near = edges[np.abs(edges - place) < 1.5 * PX_PER_MM]
            if len(near):
                pair.append(left + near[np.argmin(np.abs(near - place))] - 0.5 - place)
        if len(pair) == 2:
            numbers.append(number)
            seen.append(sum(pair) / 2)
    if not seen:
        return lefts
    if len(seen) == 1:
        return lefts + (seen[0] - lefts[numbers[0]])
    slope, first = np.polyfit(numbers, seen, 1)
    return np.asarray(first + slope * np.arange(len(lefts)))


def read_arrangement(traces: Traces, arrangement: Arrangement, gain_mm_per_mv: float) -> Reading:
    """The twelve leads, were the page arranged so."""
    signal = np.full((int(SECONDS * RATE_HZ), 12), np.nan)
    drawn = np.zeros(12)
    for lead in range(12):
        row, column = lead % arrangement.rows, lead // arrangement.rows
        curve, ink = _sample(traces, arrangement, row, arrangement.lefts_px[column], arrangement.window_s)
        start = int(round(column * arrangement.window_s * RATE_HZ))
        curve = curve[: len(signal) - start]
        signal[start : start + len(curve), lead] = curve / gain_mm_per_mv
        drawn[lead] = ink
    mismatches = _add_strips(traces, arrangement, gain_mm_per_mv, signal)
    residuals = zero_sum_residuals(signal)
    terms = [*residuals.values(), *mismatches]
    per_lead = {
        lead: min(residuals[k] for k in residuals if lead in _ZERO_SUMS[k])
        for lead in range(6)
        if any(lead in _ZERO_SUMS[k] for k in residuals)
    }
    return Reading(arrangement, signal, drawn, per_lead, float(np.mean(terms)) if terms else 1.0)


def _sample(
    traces: Traces, arrangement: Arrangement, row: int, left_px: float, seconds: float
) -> tuple[Doubles, float]:
    """Millimetres above the median at RATE_HZ from `left_px` on, and the share that lies on ink."""
    px_per_sample = arrangement.speed_mm_per_s * arrangement.px_per_mm / RATE_HZ
    x = left_px + np.arange(int(round(seconds * RATE_HZ))) * px_per_sample
    columns = np.arange(traces.height_px.shape[1])
    curve = np.interp(x, columns, traces.height_px[row]) / arrangement.px_per_mm
    return curve - np.median(curve), float(np.interp(x, columns, traces.drawn[row]).mean())


def zero_sum_residuals(signal_mv: Doubles) -> dict[int, float]:
    """For each of _ZERO_SUMS whose leads are drawn together: variance of the sum over that of its terms, 0..1."""
    residuals = {}
    for index, terms in enumerate(_ZERO_SUMS):
        parts = signal_mv[:, list(terms)] * np.array(list(terms.values()))
        parts = parts[np.isfinite(parts).all(1)]
        if len(parts) >= RATE_HZ / 2:
            residuals[index] = float(min(1.0, parts.sum(1).var() / max(parts.var(0).sum(), 1e-9)))
    return residuals


def _add_strips(traces: Traces, arrangement: Arrangement, gain_mm_per_mv: float, signal: Doubles) -> list[float]:
    """Fill leads of `signal` from the rhythm strips that match them; returns 1 - correlation of each strip."""
    mismatches = []
    for index in range(arrangement.strips):
        seconds = arrangement.window_s * arrangement.columns
        row = arrangement.rows + index
        strip, _ = _sample(traces, arrangement, row, arrangement.lefts_px[0], min(seconds, SECONDS))
        strip = strip / gain_mm_per_mv
        lead, match = _best_match(strip, signal, _STRIPS[arrangement.strips])
        mismatches.append(1 - max(match, 0.0))
        if match > 0.85:
            alone = np.isnan(signal[: len(strip), lead])
            signal[: len(strip), lead][alone] = strip[alone]
    return mismatches


def _best_match(strip: Doubles, signal: Doubles, usual: tuple[int, ...]) -> tuple[int, float]:
    """The lead that a strip repeats, and their correlation where both are drawn."""
    best, found = -2.0, usual[0]
    for lead in range(12):
        other = signal[: len(strip), lead]
        both = np.isfinite(other)
        # V2 and V1, or II and aVF, may look alike: what is usually printed wins a near tie.
        handicap = 0.0 if lead in usual else 0.02 if lead in (_II, _V1, _V5) else 0.06
        match = _correlation(strip[both], other[both]) if both.sum() > RATE_HZ / 2 else -1.0
        if match - handicap > best:
            best, found = match - handicap, lead
    return found, best


def _correlation(a: Doubles, b: Doubles) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1e-9))
