"""The beats of a recording: where they are, which of them look alike, and the one that stands for those.

Everything is measured at 500 Hz. A lead may be seen for a part of the time only (a page), so that each moment and each
pair of beats is judged by the leads seen there.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, find_peaks, resample_poly, sosfiltfilt

from ml_model.ecg.leads import EcgRecording

Array = NDArray[np.float64]

RATE_HZ = 500
MOST_S = 10.0  # what is measured of a recording: as much as a standard one has, and the model reads
BEFORE_S, AFTER_S = 0.46, 0.66  # of the beat that stands for the others, around its QRS
_LOW_PASS = butter(4, 40.0, fs=RATE_HZ, output="sos")
_QRS_BAND = butter(2, (6.0, 25.0), "bandpass", fs=RATE_HZ, output="sos")
_WITHOUT_WANDER = butter(1, 0.5, "highpass", fs=RATE_HZ, output="sos")
_MAX_RATIO_TERM = 10_000  # of the ratio of two sampling rates
_REFRACTORY_S = 0.25  # 240 beats a minute
_LEAST_HEIGHT = 0.3  # of a beat's, in the detection signal
_WINDOW_S = 0.10  # around a beat, in which beats are compared
_AS_LONG = 0.98  # of the time that the lead seen longest is seen
_IN_STEP_S, _IN_STEP_SHARE = 0.06, 0.7
_ALIKE_FROM = 0.85  # correlation


@dataclass(frozen=True)
class Beats:
    """signal_mv: (time, 12) at RATE_HZ without noise above 40 Hz, gaps filled by straight lines; seen: of these.

    at: samples of the beats, rising. alike: (beats,) which of them have the commonest shape.
    """

    signal_mv: Array
    seen: NDArray[np.bool_]
    at: NDArray[np.int64]
    alike: NDArray[np.bool_]

    @property
    def rr_s(self) -> Array:
        """Times between beats that follow each other in one lead, (at most beats - 1,): columns of a page need not."""
        rr_s: Array = (np.diff(self.at) / RATE_HZ)[self.followed]
        return rr_s

    @property
    def followed(self) -> NDArray[np.bool_]:
        """(at most beats - 1,): whether one lead is seen from the beat to the next one."""
        blind = np.cumsum(~self.seen, axis=0)
        whole: NDArray[np.bool_] = (blind[self.at[1:]] == blind[self.at[:-1]]).any(axis=1)
        return whole


def find_beats(recording: EcgRecording) -> Beats:
    """The beats of the first ten seconds."""
    signal, seen = _prepared(recording)
    if not len(signal):
        return Beats(signal, seen, np.zeros(0, np.int64), np.zeros(0, np.bool_))
    band = sosfiltfilt(_QRS_BAND, signal, axis=0)
    long = seen.sum(axis=0) >= _AS_LONG * seen.sum(axis=0).max()
    at = _aligned(band[:, long], seen[:, long], _beats_in(band[:, long], seen[:, long]))
    seen = _in_step(band, seen, long, at)
    return Beats(signal, seen, at, _alike(band, seen, at))


def _prepared(recording: EcgRecording) -> tuple[Array, NDArray[np.bool_]]:
    """(time, 12) at RATE_HZ without noise, gaps filled by straight lines; and what is seen of it."""
    kept = recording.signal_mv[: int(MOST_S * recording.sampling_rate_hz)].astype(np.float64)
    there, places = np.isfinite(kept), np.arange(len(kept))
    for trace, known in zip(kept.T, there.T, strict=True):
        if not known.all():
            trace[:] = np.interp(places, places[known], trace[known]) if known.any() else 0.0
    ratio = Fraction(RATE_HZ / recording.sampling_rate_hz).limit_denominator(_MAX_RATIO_TERM)
    length = len(kept) * ratio.numerator // ratio.denominator
    if length < RATE_HZ:
        return np.zeros((0, kept.shape[1])), np.zeros((0, kept.shape[1]), np.bool_)
    signal = resample_poly(kept, ratio.numerator, ratio.denominator, axis=0, padtype="line")[:length]
    nearest = np.minimum(np.rint(np.arange(length) / float(ratio)).astype(np.int64), len(kept) - 1)
    return sosfiltfilt(_LOW_PASS, signal, axis=0), there[nearest]


def _beats_in(band: Array, seen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Peaks of the leads' energy in the band of the QRS complex. Each lead counts by its own height, and the more the
    less there is in it between the beats."""
    energy, weight = np.zeros(len(band)), np.zeros(len(band))
    for trace, there in zip(np.abs(band).T, seen.T, strict=True):
        if there.sum() < RATE_HZ:
            continue
        median, high = np.percentile(trace[there], (50, 98))
        if high <= 0:
            continue
        trust = np.clip(high / max(median, 1e-9) / 10, 0.05, 1.0) ** 2
        energy += trust * there * np.minimum(trace / high, 1.5) ** 2
        weight += trust * there
    energy = uniform_filter1d(energy / np.maximum(weight, 1e-9), RATE_HZ // 10)
    peaks, _ = find_peaks(energy, distance=int(_REFRACTORY_S * RATE_HZ))
    if not len(peaks):
        return np.zeros(0, np.int64)
    heights = energy[peaks]
    typical = float(np.median(heights[heights >= 0.5 * np.percentile(heights, 90)]))
    found: NDArray[np.int64] = peaks[heights >= _LEAST_HEIGHT * typical].astype(np.int64)
    return found


def _in_step(band: Array, seen: NDArray[np.bool_], long: NDArray[np.bool_], at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """`seen` without those leads whose beats are not at the same times as the beats of the leads that are seen longest:
    the columns of a page may all begin with the recording, and its rhythm strip goes on below them."""
    seen = seen.copy()
    starts = seen.argmax(axis=0)
    for start in np.unique(starts[~long]):
        column = (starts == start) & ~long
        own = _beats_in(band[:, column], seen[:, column])
        apart = np.abs(own[:, None] - at[None, :]).min(axis=1, initial=len(band))
        if not len(own) or (apart <= _IN_STEP_S * RATE_HZ).mean() < _IN_STEP_SHARE:
            seen[:, column] = False
    return seen


def _windows(trace: Array, at: NDArray[np.int64], before: int, after: int) -> Array:
    """(beats, before + after, leads) around each beat; NaN beyond the ends and where `trace` is."""
    padded = np.pad(trace, ((before, after), (0, 0)), constant_values=np.nan)
    around: Array = padded[at[:, None] + np.arange(before + after)]
    return around


def _aligned(band: Array, seen: NDArray[np.bool_], at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each beat moved by up to 40 ms to where it lies best on the mean of all, in two rounds."""
    half, most = int(_WINDOW_S * RATE_HZ), int(0.04 * RATE_HZ)
    masked = np.where(seen, band, 0.0)
    for _ in range(2):
        if len(at) < 3:
            return at
        around = np.nan_to_num(_windows(masked, at, half, half))
        template = np.median(around, axis=0) if seen.all() else _mean_of_seen(around)
        wide = np.nan_to_num(_windows(masked, at, half + most, half + most))
        fits = np.stack([np.einsum("btl,tl->b", wide[:, i : i + 2 * half], template) for i in range(2 * most + 1)])
        at = np.unique(np.clip(at + fits.argmax(axis=0) - most, 0, len(band) - 1))
    return at


def _mean_of_seen(around: Array) -> Array:
    mean: Array = around.sum(axis=0) / np.maximum((around != 0).sum(axis=0), 1)
    return mean


def _alike(band: Array, seen: NDArray[np.bool_], at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which beats resemble the one that most others resemble, in the leads that both were seen in."""
    if not len(at):
        return np.zeros(0, np.bool_)
    half = int(_WINDOW_S * RATE_HZ)
    around = _windows(np.where(seen, band, np.nan), at, half, half).reshape(len(at), -1)[:, ::2]
    known = np.isfinite(around)
    values = np.where(known, around, 0.0)
    both = values**2 @ known.T  # power of the first of a pair, where the second was seen as well
    power = np.sqrt(both * both.T)
    likeness = np.where(power > 0, values @ values.T / np.maximum(power, 1e-12), 1.0)
    similar = likeness >= _ALIKE_FROM
    commonest: NDArray[np.bool_] = similar[similar.sum(axis=1).argmax()]
    return commonest


def beats_around(beats: Beats, level_at: int | None = None) -> Array:
    """(beats, time, 12) in mV: those that look alike, from BEFORE_S before to AFTER_S after the QRS; NaN where a lead
    is not seen. level_at: sample, before the QRS, that is brought to 0 mV in every beat; a line between two beats'
    levels takes the wander away. Without it wander is filtered out."""
    if level_at is None:
        flat = sosfiltfilt(_WITHOUT_WANDER, beats.signal_mv, axis=0)
    else:
        flat = beats.signal_mv - _levels(beats, level_at)
    before, after = int(BEFORE_S * RATE_HZ), int(AFTER_S * RATE_HZ)
    return _windows(np.where(beats.seen, flat, np.nan), beats.at[beats.alike], before, after)


def typical_beat(around: Array) -> Array:
    """(time, 12): the median over the beats where they are seen, NaN where none is. np.nanmedian takes ten times as
    long."""
    ordered = np.sort(around, axis=0)
    count = np.isfinite(around).sum(axis=0)[None]
    low, high = ((np.maximum(count - 1 + i, 0)) // 2 for i in (0, 1))
    median: Array = (np.take_along_axis(ordered, low, 0)[0] + np.take_along_axis(ordered, high, 0)[0]) / 2
    return median


def _levels(beats: Beats, level_at: int) -> Array:
    """(time, 12): a line through the signal's level at one place of every beat."""
    places = beats.at - int(BEFORE_S * RATE_HZ) + level_at
    smooth = uniform_filter1d(beats.signal_mv, max(1, RATE_HZ // 50), axis=0)
    places = places[(places >= 0) & (places < len(smooth))]
    if not len(places):
        return np.zeros_like(smooth)
    time = np.arange(len(smooth))
    return np.stack([np.interp(time, places, trace[places]) for trace in smooth.T], axis=1)
