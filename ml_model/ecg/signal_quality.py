"""Is this recording something to diagnose from? Amplitudes, length; leads that are flat, stand still or are clipped.

Thresholds lie well outside anything in the real records of PTB-XL; each is stated with what was measured there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.leads import STANDARD_LEADS, EcgRecording
from ml_model.errors import PoorQuality

# Percentiles between which an amplitude is measured, so that single spikes do not count.
_LOW, _HIGH = 1, 99
# Amplitude (median of the leads) above which a file that names no unit must be in uV: real ones have 0.37 to 3.5 mV.
UNIT_THRESHOLD = 20.0
MAX_AMPLITUDE_MV = 30.0
MIN_AMPLITUDE_MV = 0.02  # of the largest lead; real ones have at least 0.85
MIN_DURATION_S = 2.5
# Standard deviation; below it there is only the noise of the converter. The flattest of the real leads has 0.026.
FLAT_DEVIATION_MV = 0.005
MIN_SEEN_S = 1.0  # a lead seen for less time shows no beat for certain
# Longest time without any change, as of an electrode that fell off. Real leads keep one value for at most 0.34 s, and
# for at most 1.3 s where they are rounded to anything up to 0.05 mV.
MAX_STILL_S = 2.0
# Share of a lead's samples at its highest or lowest value. Real ones have at most 0.028, and at most 0.085 where they
# are rounded to 0.02 mV. None of 1,995 real recordings is refused or warned of.
MAX_CLIPPED_SHARE = 0.1
MAX_FAULTY_LEADS = 2  # with more, a recording is refused; with fewer it is warned of


@dataclass(frozen=True)
class LeadFault:
    """What is wrong with one lead: `value` beyond `limit`, in mV (flat), s (short, still) or as a share (clipped)."""

    lead: str
    fault: Literal["short", "flat", "still", "clipped"]
    value: float
    limit: float

    def __str__(self) -> str:
        return {
            "short": f"{self.lead} was recorded for {self.value:.3g} s, at least {self.limit:g} s are needed",
            "flat": f"{self.lead} is flat: its standard deviation is {self.value:.2g} mV, at least {self.limit:g} mV "
            "is needed",
            "still": f"{self.lead} keeps one value for {self.value:.3g} s, at most {self.limit:g} s are plausible",
            "clipped": f"{self.lead} is clipped: {self.value:.0%} of its samples lie at its highest or lowest value, "
            f"at most {self.limit:.0%} may",
        }[self.fault]


@dataclass(frozen=True)
class RecordingCheck:
    """What a recording is like. `flat_leads` are also those that were hardly recorded."""

    duration_s: float
    sampling_rate_hz: float
    unit: str
    unit_told_by: str
    derived_leads: tuple[str, ...]
    faults: tuple[LeadFault, ...]  # at most one of a lead, in the order of the leads

    @property
    def flat_leads(self) -> tuple[str, ...]:
        """Leads that show nothing, by name."""
        return tuple(f.lead for f in self.faults if f.fault in ("flat", "short"))

    @property
    def refusal(self) -> str | None:
        """Why no answer should be given, with value and threshold; None where one can be."""
        if self.duration_s < MIN_DURATION_S:
            return (
                f"the recording lasts {self.duration_s:.3g} s, at least {MIN_DURATION_S:g} s are needed; "
                "send a longer one"
            )
        if len(self.faults) > MAX_FAULTY_LEADS:
            return (
                f"{len(self.faults)} leads cannot be used, at most {MAX_FAULTY_LEADS} may be so: "
                f"{'; '.join(map(str, self.faults))}; check the electrodes, or record with a lower gain"
            )
        return None


def amplitude(trace: NDArray[np.floating]) -> float:
    """Robust peak-to-peak value of one lead (time,) in its own unit; 0 where nothing was recorded."""
    seen = trace[np.isfinite(trace)]
    if not seen.size:
        return 0.0
    low, high = np.percentile(seen, (_LOW, _HIGH))
    return float(high - low)


def require_plausible(recording: EcgRecording) -> None:
    """Raises PoorQuality when the amplitudes are not those of an ECG, as in a file with the wrong unit."""
    amplitudes_mv = [amplitude(trace) for trace in recording.signal_mv.T]
    typical_mv, largest_mv = float(np.median(amplitudes_mv)), max(amplitudes_mv)
    told = f"read as {recording.unit}, which the {recording.unit_told_by} told"
    if typical_mv > MAX_AMPLITUDE_MV:
        raise PoorQuality(
            f"the leads' typical peak-to-peak amplitude is {typical_mv:.4g} mV ({told}), at most {MAX_AMPLITUDE_MV:g} "
            "is plausible; check the unit in the file"
        )
    if largest_mv < MIN_AMPLITUDE_MV:
        raise PoorQuality(
            f"the recording is flat: its largest peak-to-peak amplitude is {largest_mv:.4g} mV ({told}), "
            f"at least {MIN_AMPLITUDE_MV:g} is needed; check electrodes and the unit in the file"
        )


def check_recording(recording: EcgRecording) -> RecordingCheck:
    """Raises PoorQuality, with value and threshold, for one that is too short, or where many leads cannot be used."""
    check = examine_recording(recording)
    if check.refusal:
        raise PoorQuality(check.refusal)
    return check


def examine_recording(recording: EcgRecording) -> RecordingCheck:
    """What the recording is like, whether it can be used or not."""
    rate_hz = recording.sampling_rate_hz
    found = [_fault(*each, rate_hz) for each in zip(STANDARD_LEADS, recording.signal_mv.T, strict=True)]
    return RecordingCheck(
        duration_s=len(recording.signal_mv) / rate_hz,
        sampling_rate_hz=rate_hz,
        unit=recording.unit,
        unit_told_by=recording.unit_told_by,
        derived_leads=recording.derived,
        faults=tuple(fault for fault in found if fault),
    )


def _fault(lead: str, trace: NDArray[np.float32], rate_hz: float) -> LeadFault | None:
    """The first thing wrong with a lead (time,) in mV; NaN where it was not recorded."""
    seen = trace[np.isfinite(trace)]
    seen_s = len(seen) / rate_hz
    if seen_s < MIN_SEEN_S:
        return LeadFault(lead, "short", seen_s, MIN_SEEN_S)
    deviation_mv = float(seen.std(dtype=np.float64))
    if deviation_mv < FLAT_DEVIATION_MV:
        return LeadFault(lead, "flat", deviation_mv, FLAT_DEVIATION_MV)
    still_s = longest_still(seen) / rate_hz
    if still_s > MAX_STILL_S:
        return LeadFault(lead, "still", still_s, MAX_STILL_S)
    clipped = clipped_share(seen)
    return LeadFault(lead, "clipped", clipped, MAX_CLIPPED_SHARE) if clipped > MAX_CLIPPED_SHARE else None


def longest_still(seen: NDArray[np.float32]) -> int:
    """Most samples in a row that are the same, of (time,) with at least one."""
    changes = np.flatnonzero(np.diff(seen))
    return int(np.diff(np.concatenate([[-1], changes, [len(seen) - 1]])).max())


def clipped_share(seen: NDArray[np.float32]) -> float:
    """Share (0-1) of the samples of a lead, (time,), that equal its highest or lowest value."""
    return float(((seen == seen.max()) | (seen == seen.min())).mean())
