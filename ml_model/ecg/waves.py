"""Where the waves of a typical beat begin and end.

QRS: by the slope summed over the leads. P and T: in the mixture of leads in which each stands out most. Positions are
samples at RATE_HZ of what `typical_beat` gives; where a level is crossed they lie between two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from ml_model.ecg.beats import BEFORE_S, RATE_HZ

Array = NDArray[np.float64]

_QRS_REACH_S = 0.13  # of either side of a QRS complex from its middle
_QRS_SHARE = 0.05  # of the steepest slope, below which the complex is over
_QUIET_S = 0.012  # for which the slope has to stay below
_P_WINDOW_S = 0.36  # before the QRS complex
_P_HALF_S, _T_HALF_S = 0.06, 0.12  # half widths at which a wave is told from its surroundings
# Of the steepest slope of a side, below which the wave is over. With these the median PR, QT and QRS of PTB-XL's normal
# recordings are those of healthy adults as cardiographs measure them (Rijnbeek 2014), in men and in women.
_P_SHARE, _T_SHARE = 0.38, 0.17
_T_TAIL_S = 0.16  # at most, behind the steepest descent
_T_AFTER_QRS_S = 0.06
_T_PEAK_WITHIN, _T_END_WITHIN = 0.46, 0.60  # of the begin of the QRS complex, in seconds at 60 beats a minute


@dataclass(frozen=True)
class Wave:
    """One wave: samples, and the mixture of the leads (12,) that shows it upright; size_mv: its height in that."""

    onset: float
    peak: int
    offset: float
    leads: Array
    size_mv: float


def qrs_bounds(beat: Array) -> tuple[float, float] | None:
    """Where the QRS complex begins and ends; None where nothing stands out."""
    slopes = np.gradient(np.nan_to_num(beat), 1 / RATE_HZ, axis=0)
    slope = uniform_filter1d(np.sqrt((slopes**2).sum(axis=1)), max(1, RATE_HZ // 100))
    centre, reach = int(BEFORE_S * RATE_HZ), int(_QRS_REACH_S * RATE_HZ)
    peak = centre - reach // 2 + int(slope[centre - reach // 2 : centre + reach // 2].argmax())
    before = slope[centre - int(0.24 * RATE_HZ) : centre - int(0.04 * RATE_HZ)]
    floor = float(np.percentile(before, 20))
    level = floor + _QRS_SHARE * (slope[peak] - floor)
    begin = _quiet_from(slope[centre - 2 * reach : peak + 1][::-1], level)
    end = _quiet_from(slope[peak : peak + 2 * reach], level)
    if begin is None or end is None or begin + end <= 0:
        return None
    return peak - begin, peak + end


def _quiet_from(slope: Array, level: float) -> float | None:
    """From where on the slope stays below a level for a while."""
    quiet = max(1, int(_QUIET_S * RATE_HZ))
    still = np.flatnonzero(np.convolve(slope < level, np.ones(quiet), "valid") == quiet)
    if not len(still) or still[0] == 0:
        return None
    first = int(still[0])
    above, below = slope[first - 1], slope[first]
    return first - float((level - below) / max(above - below, 1e-12))


def _standing_out(beat: Array, half_s: float) -> Array:
    """(time, 12): how far each sample lies beyond the middle of its neighbours at half_s on both sides; NaN where one
    of them lies outside."""
    half = int(half_s * RATE_HZ)
    out = np.full_like(beat, np.nan)
    out[half:-half] = beat[half:-half] - (beat[: -2 * half] + beat[2 * half :]) / 2
    return out


def t_wave(beat: Array, qrs: tuple[float, float], rr_s: float) -> Wave | None:
    """The T wave; it ends where its descent has become flat."""
    first = int(qrs[1] + _T_AFTER_QRS_S * RATE_HZ)
    pace = RATE_HZ * np.sqrt(min(max(rr_s, 0.3), 1.5))
    last_peak, last = (int(min(qrs[0] + share * pace, len(beat) - 1)) for share in (_T_PEAK_WITHIN, _T_END_WITHIN))
    if last_peak - first < int(0.06 * RATE_HZ):
        return None
    known = np.nan_to_num(beat)
    flat = known.copy()
    flat[:first] = known[first]  # what the QRS complex does says nothing of T
    padded = np.pad(flat, ((0, int(_T_HALF_S * RATE_HZ)), (0, 0)), mode="edge")
    out = _standing_out(padded, _T_HALF_S)[: len(known)]
    size = np.nan_to_num(np.linalg.norm(out, axis=1))
    peak = first + int(size[first:last_peak].argmax())
    if size[peak] <= 0:
        return None
    leads = out[peak] / size[peak]
    lead = uniform_filter1d(known @ leads, int(0.02 * RATE_HZ))
    fall = -np.gradient(lead)[peak:last]
    if not len(fall) or fall.max() <= 0:
        return None
    steepest = peak + int(fall.argmax())
    end = peak + _until(-np.gradient(lead)[peak : steepest + int(_T_TAIL_S * RATE_HZ)], _T_SHARE)
    return Wave(float(first), peak, float(end), leads, float(size[peak]))


def p_wave(beat: Array, qrs: tuple[float, float], from_sample: float) -> Wave | None:
    """The wave before the QRS complex, from a sample on (the end of the beat before)."""
    known = np.nan_to_num(beat)
    half = int(_P_HALF_S * RATE_HZ)
    begin = int(max(qrs[0] - _P_WINDOW_S * RATE_HZ, from_sample, 0))
    end = int(qrs[0])
    if end - begin < half:
        return None
    flat = known.copy()
    flat[:begin] = known[begin]  # nor does the T wave before it
    flat[end:] = known[max(0, end - 2) : end + 1].mean(axis=0)  # what the QRS complex does says nothing of P
    out = _standing_out(flat, _P_HALF_S)
    size = np.nan_to_num(np.linalg.norm(out, axis=1))
    region = size[begin : end - int(0.02 * RATE_HZ)]
    if not len(region) or region.max() <= 0:
        return None
    peak = begin + int(region.argmax())
    leads = out[peak] / size[peak]
    lead = uniform_filter1d(flat @ leads, int(0.02 * RATE_HZ))
    slope = np.gradient(lead)
    left = slope[max(begin - 10, peak - 2 * half) : peak + 1][::-1]
    right = -slope[peak : min(end, peak + 2 * half)]
    if not len(left) or not len(right):
        return None
    return Wave(peak - _until(left, _P_SHARE), peak, peak + _until(right, _P_SHARE), leads, float(size[peak]))


def _until(slope: Array, share: float) -> float:
    """Where, behind its steepest place, a slope falls below a share of it."""
    steepest = int(slope.argmax())
    low = np.flatnonzero(slope[steepest:] < share * slope[steepest])
    return float(steepest + (low[0] if len(low) else len(slope) - steepest))
