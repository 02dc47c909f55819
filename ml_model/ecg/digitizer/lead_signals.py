"""The leads of an ECG page under an arrangement of its rows, and how far they may be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.digitizer.layout import Arrangement
from ml_model.ecg.digitizer.traces import Traces

Doubles = NDArray[np.float64]

RATE_HZ = 100.0
SECONDS = 10.0
_MATCH = 0.85  # correlation from which a rhythm strip is taken for a lead's whole length
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
class Reading:
    """The signal under one arrangement."""

    arrangement: Arrangement
    gain_mm_per_mv: float
    signal_mv: Doubles  # (1000, 12), NaN where not drawn
    quality: Doubles  # (12,) 0..1
    contradiction: float  # 0..1, how far the page is from what this arrangement implies


@dataclass(frozen=True)
class _ZeroSum:
    """What remains of a sum that should be zero."""

    leads: tuple[int, ...]
    ratio: float  # variance of the sum over that of its terms, 0..1
    error_mv2: float  # variance of one lead's error that explains it


def read_arrangement(traces: Traces, arrangement: Arrangement, gain_mm_per_mv: float) -> Reading:
    """The twelve leads, were the page arranged so."""
    signal = np.full((int(SECONDS * RATE_HZ), 12), np.nan)
    visible = np.zeros(12)
    for lead in range(12):
        row, column = lead % arrangement.rows, lead // arrangement.rows
        curve, visible[lead] = _sample(traces, arrangement, row, arrangement.lefts_px[column], arrangement.window_s)
        start = int(round(column * arrangement.window_s * RATE_HZ))
        curve = curve[: len(signal) - start]
        signal[start : start + len(curve), lead] = curve / gain_mm_per_mv
    sums = _zero_sums(signal)
    quality = visible * _likeness(signal, sums)
    mismatches = _add_strips(traces, arrangement, gain_mm_per_mv, signal)
    terms = [*(known.ratio for known in sums), *mismatches]
    return Reading(arrangement, gain_mm_per_mv, signal, quality, float(np.mean(terms)) if terms else 1.0)


def _sample(
    traces: Traces, arrangement: Arrangement, row: int, left_px: float, seconds: float
) -> tuple[Doubles, float]:
    """Millimetres above the median at RATE_HZ from `left_px` on, and 0..1 for how well it is seen."""
    px_per_sample = arrangement.speed_mm_per_s * arrangement.px_per_mm / RATE_HZ
    x = left_px + np.arange(int(round(seconds * RATE_HZ))) * px_per_sample
    columns = np.arange(traces.height_px.shape[1])
    curve = np.interp(x, columns, traces.height_px[row]) / arrangement.px_per_mm
    drawn = float(np.interp(x, columns, traces.drawn[row]).mean())
    shared = float(np.interp(x, columns, traces.shared[row]).mean())
    # Rows touch where waves are tall, so few shared columns spoil much.
    return curve - np.median(curve), drawn**2 * float(np.exp(-6 * shared))


def _zero_sums(signal_mv: Doubles) -> list[_ZeroSum]:
    """The sums of _ZERO_SUMS whose leads are drawn together."""
    sums = []
    for terms in _ZERO_SUMS:
        factors = np.array(list(terms.values()))
        parts = signal_mv[:, list(terms)] * factors
        parts = parts[np.isfinite(parts).all(1)]
        if len(parts) >= RATE_HZ / 2:
            rest = float(parts.sum(1).var())
            ratio = min(1.0, rest / max(float(parts.var(0).sum()), 1e-9))
            sums.append(_ZeroSum(tuple(terms), ratio, rest / float(np.square(factors).sum())))
    return sums


def _likeness(signal_mv: Doubles, sums: list[_ZeroSum]) -> Doubles:
    """Correlation (12,) to expect with the true leads, were all errors as large as the zero sums show."""
    usual = float(np.median([known.error_mv2 for known in sums])) if sums else 0.0
    likeness = []
    for lead in range(12):
        trace = signal_mv[:, lead]
        trace = trace[np.isfinite(trace)]
        own = [known.error_mv2 for known in sums if lead in known.leads]
        power = float(trace.var()) if len(trace) else 0.0
        likeness.append(np.sqrt(max(0.0, 1 - min(own, default=usual) / max(power, 1e-6))))
    return np.array(likeness)


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
        if match > _MATCH:
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
