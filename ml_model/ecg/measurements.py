"""What is measured of an electrocardiogram: rate, rhythm, intervals, axis, ST level, and how far each lead can be
trusted. Where a figure cannot be measured there is a reason instead of a number.

Everything is measured on the first ten seconds, at 500 Hz, on the median of the beats that look alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.beats import BEFORE_S, RATE_HZ, Beats, beats_around, find_beats, typical_beat
from ml_model.ecg.electrodes import ExchangedLeads, exchanged_leads
from ml_model.ecg.leads import STANDARD_LEADS, EcgRecording
from ml_model.ecg.waves import Wave, p_wave, qrs_bounds, t_wave

Array = NDArray[np.float64]

_LEVEL_BEFORE_QRS_S = 0.008  # of the PR segment, to which the ST level refers
_ST_AFTER_J_S = 0.06
_LEAST_BEATS = 3
_LEAST_RR = 4  # of which a spread can be told
_LEAST_AXIS_MV_MS = 1.0
_P_ALIKE_FROM = 0.5  # correlation of a beat's P wave with the typical one
# Height over all leads together: 99 % of the sinus rhythms of PTB-XL have more, half of the fibrillations less.
_LEAST_P_MV, _LEAST_PR_S = 0.08, 0.07
_P_IN_BEATS = 0.5  # share of beats with a P wave from which PR is measured
# Signs of atrial fibrillation or flutter: a logistic regression fitted to folds 1 to 8 of PTB-XL (docs/ecg.md).
_JUMP = 0.05  # of the median time between beats, by which one differs from the next
_AF_BIAS, _AF_JUMPS, _AF_P_SHARE, _AF_P_MV, _AF_RATE = -2.445, 5.26, -4.58, -7.59, 0.01458
_MOST_P_MV = 0.4
_FIBRILLATES = 0.5  # signs from which no beat is called premature
_EARLY, _EARLY_UNLIKE = (
    0.80,
    0.85,
)  # of the times between beats around; a beat that looks unlike the others may be later
_BEATS_AROUND = 3  # on either side
_LEAST_QUALITY = 0.2  # median over the leads; below it no interval is told

OF_TYPICAL_BEAT = ("p_wave", "pr", "qrs", "qt", "qtc_bazett", "qtc_fridericia", "axis")
TOO_FEW_BEATS = f"fewer than {_LEAST_BEATS} beats were found"
NO_QRS = "where the QRS complex begins and ends could not be told"
NO_BEAT = "no typical beat could be told"
NOISY = "the beats differ too much from each other, as in noise"
NO_T = "no T wave stands out"
NO_P = "no P wave comes before most beats"
TOO_FEW_RR = f"fewer than {_LEAST_RR} beats follow each other"
TOO_IRREGULAR = "the rhythm is too irregular to call a beat premature"
NOT_SEEN = "the lead is not seen"
SMALL_QRS = "the QRS complex of leads I and aVF is too small"


@dataclass(frozen=True)
class Measurement:
    """One figure, rounded as it is told; value None where it could not be measured, with the reason."""

    code: str
    value: float | None
    lead: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class TypicalBeat:
    """beat: (time, 12) in mV, 0 at the PR segment; around: (beats, time, 12), those it was made of."""

    beat: Array
    around: Array
    qrs: tuple[float, float]
    p: Wave | None
    t: Wave | None
    p_share: float | None  # of the beats, with a P wave like the typical one

    @property
    def quality(self) -> Array:
        """(12,), 0-1: share of the lead's variance that the typical beat explains; NaN where a lead is not seen."""
        part = slice(int((BEFORE_S - 0.2) * RATE_HZ), int((BEFORE_S + 0.4) * RATE_HZ))
        rest = self.around[:, part] - self.beat[part]
        noise = np.nanmedian(np.nan_to_num(rest, nan=0.0) ** 2, axis=0).mean(axis=0) / 0.455  # a variance, of a median
        whole = self.beat[part].var(axis=0)
        return np.where(whole > 0, np.clip(1 - noise / np.maximum(whole + noise, 1e-12), 0, 1), np.nan)


def typical(beats: Beats) -> TypicalBeat | None:
    """The typical beat with its waves; None where no QRS complex could be told."""
    qrs = qrs_bounds(typical_beat(beats_around(beats)))
    if qrs is None:
        return None
    around = beats_around(beats, int(qrs[0] - _LEVEL_BEFORE_QRS_S * RATE_HZ))
    beat = typical_beat(around)
    rr_s = float(np.median(beats.rr_s)) if len(beats.rr_s) else 1.0
    t = t_wave(beat, qrs, rr_s)
    p = p_wave(beat, qrs, t.offset - rr_s * RATE_HZ if t else 0.0)
    return TypicalBeat(beat, around, qrs, p, t, _p_share(around, p, qrs[0]) if p else None)


def _p_share(around: Array, p: Wave, qrs_onset: float) -> float:
    """Share of the beats whose P wave has the shape of the typical one; 0 where that is too small or too late."""
    if p.size_mv < _LEAST_P_MV or qrs_onset - p.onset < _LEAST_PR_S * RATE_HZ:
        return 0.0
    margin = RATE_HZ // 50
    part = np.nan_to_num(around[:, max(0, int(p.onset) - margin) : int(p.offset) + margin]) @ p.leads
    part = part - part.mean(axis=1, keepdims=True)
    shape = np.median(part, axis=0)
    power = np.linalg.norm(part, axis=1) * np.linalg.norm(shape)
    return float((part @ shape >= _P_ALIKE_FROM * np.maximum(power, 1e-12)).mean())


@dataclass(frozen=True)
class MeasuredSignal:
    """Every figure, measurable or not, those of leads in standard order; and which electrodes were exchanged."""

    measurements: tuple[Measurement, ...]
    exchanged: ExchangedLeads | None


def measure(recording: EcgRecording) -> MeasuredSignal:
    """All that is measured of a recording; NaN is what was not seen."""
    beats = find_beats(recording)
    found = typical(beats) if len(beats.at) >= _LEAST_BEATS else None
    return MeasuredSignal(tuple(_all(beats, found)), exchanged_leads(found.beat) if found else None)


def _all(beats: Beats, found: TypicalBeat | None) -> Iterator[Measurement]:
    rr_s = beats.rr_s
    enough = len(beats.at) >= _LEAST_BEATS and len(rr_s) > 0
    if enough:
        yield Measurement("heart_rate", round(float(60 / rr_s.mean()), 1))
    else:
        yield _missing("heart_rate", TOO_FEW_BEATS)
    spread = rr_spread(rr_s)
    if spread is None:
        yield from (_missing(code, TOO_FEW_RR) for code in ("rr_spread", "irregularity"))
    else:
        p_share = 1.0 if found is None or found.p_share is None else found.p_share
        yield Measurement("rr_spread", round(spread, 3))
        yield Measurement("irregularity", round(spread * (2 - p_share), 3))
    quality = found.quality if found else np.full(len(STANDARD_LEADS), np.nan)
    noisy = bool(np.isfinite(quality).any() and np.nanmedian(quality) < _LEAST_QUALITY)
    yield from _rhythm(beats, None if noisy else found)
    if found is None or not enough or noisy:
        reason = NOISY if noisy else NO_QRS if enough else TOO_FEW_BEATS
        yield from (_missing(code, reason) for code in OF_TYPICAL_BEAT)
        yield from (_missing("st_level", reason, lead) for lead in STANDARD_LEADS)
    else:
        yield from _intervals(found, float(rr_s.mean()))
        yield _axis(found)
        yield from _st_levels(found)
    for lead, share in zip(STANDARD_LEADS, quality, strict=True):
        known = np.isfinite(share)
        told = Measurement("lead_quality", round(float(share), 2), lead) if known else None
        yield told or _missing("lead_quality", NOT_SEEN if found else NO_QRS, lead)


def _missing(code: str, reason: str, lead: str | None = None) -> Measurement:
    return Measurement(code, None, lead, reason)


def rr_spread(rr_s: Array) -> float | None:
    """Interquartile range of the times between beats over their median; None of too few."""
    if len(rr_s) < _LEAST_RR:
        return None
    low, middle, high = np.percentile(rr_s, (25, 50, 75))
    return float((high - low) / middle)


def _rhythm(beats: Beats, found: TypicalBeat | None) -> Iterator[Measurement]:
    """Signs of atrial fibrillation, and the beats that come early; found: None in noise too."""
    codes, few = ("atrial_fibrillation", "premature_beats", "premature_wide_beats"), len(beats.rr_s) < _LEAST_RR
    if few or found is None:
        yield from (_missing(code, TOO_FEW_RR if few else NO_BEAT) for code in codes)
        return
    signs = _signs_of_fibrillation(beats.rr_s, found)
    yield Measurement(codes[0], round(signs, 3))
    if signs > _FIBRILLATES:
        yield from (_missing(code, TOO_IRREGULAR) for code in codes[1:])
        return
    early = premature(beats)
    yield Measurement(codes[1], float(early.sum()))
    yield Measurement(codes[2], float((early & ~beats.alike[1:]).sum()))


def _signs_of_fibrillation(rr_s: Array, found: TypicalBeat) -> float:
    """0-1, of how many times between beats jump, how many beats have a P wave and how high it is, and the rate."""
    jumps = float((np.abs(np.diff(rr_s)) > _JUMP * np.median(rr_s)).mean())
    p_mv = min(found.p.size_mv, _MOST_P_MV) if found.p else 0.0
    score = _AF_BIAS + _AF_JUMPS * jumps + _AF_P_SHARE * (found.p_share or 0.0) + _AF_P_MV * p_mv
    return float(1 / (1 + np.exp(-score - _AF_RATE * 60 / rr_s.mean())))


def premature(beats: Beats) -> NDArray[np.bool_]:
    """(beats - 1,): which beats, from the second on, come earlier than the times between those around let expect."""
    rr_s = np.where(beats.followed, np.diff(beats.at) / RATE_HZ, np.nan)
    early = np.zeros(len(rr_s), bool)
    for index in np.flatnonzero(beats.followed):
        first = max(0, int(index) - _BEATS_AROUND)
        around = np.concatenate([rr_s[first:index], rr_s[index + 1 : index + _BEATS_AROUND + 1]])
        if np.isfinite(around).any():
            early[index] = rr_s[index] < (_EARLY if beats.alike[index + 1] else _EARLY_UNLIKE) * np.nanmedian(around)
    return early


def _intervals(found: TypicalBeat, rr_s: float) -> Iterator[Measurement]:
    (onset, offset), ms = found.qrs, 1000 / RATE_HZ
    yield _missing("p_wave", NO_P) if found.p_share is None else Measurement("p_wave", round(found.p_share, 2))
    if found.p and found.p_share is not None and found.p_share >= _P_IN_BEATS:
        yield Measurement("pr", round((onset - found.p.onset) * ms))
    else:
        yield _missing("pr", NO_P)
    yield Measurement("qrs", round((offset - onset) * ms))
    if found.t is None:
        yield from (_missing(code, NO_T) for code in ("qt", "qtc_bazett", "qtc_fridericia"))
        return
    qt = (found.t.offset - onset) * ms
    yield Measurement("qt", round(qt))
    yield Measurement("qtc_bazett", round(qt / rr_s ** (1 / 2)))
    yield Measurement("qtc_fridericia", round(qt / rr_s ** (1 / 3)))


def _axis(found: TypicalBeat) -> Measurement:
    """Of the net area of the QRS complex in leads I and aVF."""
    begin, end = (round(side) for side in found.qrs)
    area = found.beat[begin : end + 1, [STANDARD_LEADS.index("I"), STANDARD_LEADS.index("aVF")]].sum(axis=0)
    x, y = area * 1000 / RATE_HZ * (1, 2 / 3**0.5)
    if not np.hypot(x, y) >= _LEAST_AXIS_MV_MS:
        return _missing("axis", SMALL_QRS)
    return Measurement("axis", round(float(np.degrees(np.arctan2(y, x)))))


def _st_levels(found: TypicalBeat) -> Iterator[Measurement]:
    at = min(round(found.qrs[1] + _ST_AFTER_J_S * RATE_HZ), len(found.beat) - 1)
    for lead, level in zip(STANDARD_LEADS, found.beat[at], strict=True):
        known = np.isfinite(level)
        yield Measurement("st_level", round(float(level), 2), lead) if known else _missing("st_level", NOT_SEEN, lead)
