"""Is this recording something to diagnose from? Amplitudes, length, flat and clipped leads.

Thresholds lie well outside anything in 1,995 real records of PTB-XL; each is stated with what was measured there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_model.errors import PoorQuality
from ml_model.inputs.ecg_leads import STANDARD_LEADS, EcgRecording

# Percentiles between which an amplitude is measured, so that single spikes do not count.
_LOW, _HIGH = 1, 99
# Amplitude (median of the leads) above which a file that names no unit must be in uV: real ones have 0.37 to 3.5 mV.
UNIT_THRESHOLD = 20.0
MAX_AMPLITUDE_MV = 30.0
MIN_AMPLITUDE_MV = 0.02  # of the largest lead; real ones have at least 0.85
MIN_DURATION_S = 2.5
# Standard deviation; below it there is only the noise of the converter. No lead of the real records is so flat.
FLAT_DEVIATION_MV = 0.005
MAX_FLAT_LEADS = 2
_MIN_SEEN_S = 1.0  # a lead seen for less time shows no beat for certain and counts as flat
MAX_CLIPPED_SHARE = 0.2  # real ones have at most 0.005


@dataclass(frozen=True)
class RecordingCheck:
    """What a recording that was accepted is like."""

    duration_s: float
    sampling_rate_hz: float
    unit: str
    unit_told_by: str
    derived_leads: tuple[str, ...]
    flat_leads: tuple[str, ...]


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
    """Raises PoorQuality, with value and threshold, for one that is too short, flat in many leads, or clipped."""
    signal_mv, rate_hz = recording.signal_mv, recording.sampling_rate_hz
    duration_s = len(signal_mv) / rate_hz
    if duration_s < MIN_DURATION_S:
        raise PoorQuality(
            f"the recording lasts {duration_s:.3g} s, at least {MIN_DURATION_S:g} s are needed; send a longer one"
        )
    flat = [_is_flat(trace, rate_hz) for trace in signal_mv.T]
    flat_leads = tuple(lead for lead, is_flat in zip(STANDARD_LEADS, flat, strict=True) if is_flat)
    if len(flat_leads) > MAX_FLAT_LEADS:
        raise PoorQuality(
            f"{len(flat_leads)} leads are flat ({', '.join(flat_leads)}; standard deviation below "
            f"{FLAT_DEVIATION_MV:g} mV), at most {MAX_FLAT_LEADS} may be; check the electrodes"
        )
    clipped = clipped_share(signal_mv[:, ~np.array(flat)])
    if clipped > MAX_CLIPPED_SHARE:
        raise PoorQuality(
            f"the recording is clipped: {clipped:.0%} of its samples lie at their lead's highest or lowest value, "
            f"at most {MAX_CLIPPED_SHARE:.0%} may; record it with a lower gain"
        )
    return RecordingCheck(
        duration_s, rate_hz, recording.unit, recording.unit_told_by, recording.derived, flat_leads=flat_leads
    )


def _is_flat(trace: NDArray[np.float32], rate_hz: float) -> bool:
    seen = trace[np.isfinite(trace)]
    return len(seen) < _MIN_SEEN_S * rate_hz or float(seen.std(dtype=np.float64)) < FLAT_DEVIATION_MV


def clipped_share(signal_mv: NDArray[np.float32]) -> float:
    """Share (0-1) of the recorded samples of (time, leads) that equal their lead's highest or lowest value."""
    seen = int(np.isfinite(signal_mv).sum())
    at_extreme = (signal_mv == np.nanmax(signal_mv, axis=0)) | (signal_mv == np.nanmin(signal_mv, axis=0))
    return float(at_extreme.sum() / max(seen, 1))
