"""A picture of a 12-lead ECG page (screenshot, scan, photo) back to the signal that was drawn on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.digitizer.grid import PX_PER_MM
from ml_model.ecg.digitizer.layout import Pulse, arrangements, find_pulse
from ml_model.ecg.digitizer.lead_signals import RATE_HZ, Reading, read_arrangement
from ml_model.ecg.digitizer.rectify import Paper, flatten
from ml_model.ecg.digitizer.traces import Traces, find_rows, follow, ink_mask, without_writing
from ml_model.ecg.recording import STANDARD_LEADS, EcgRecording

DEFAULT_GAIN_MM_PER_MV = 10.0
# True pages have a fit above 0.93, a median quality above 0.6 and a contradiction below 0.3; other pictures that come
# as far as this miss at least one by far.
_LEAST_FIT = 0.88
_LEAST_QUALITY = 0.3
_MOST_CONTRADICTION = 0.4


@dataclass(frozen=True)
class PageReading:
    """What a page shows. `quality` is per lead, 0 to 1: how far its trace can be trusted."""

    recording: EcgRecording  # signal_mv (1000, 12) at 100 Hz, NaN where a lead is not drawn
    quality: dict[str, float]
    layout: str  # rows x columns of leads, and the number of rhythm strips: "3x4+1"
    px_per_mm: float  # in the picture as received
    speed_mm_per_s: float
    gain_mm_per_mv: float
    rotation_degrees: float


def read_page(rgb: NDArray[np.uint8]) -> PageReading | None:
    """The signal on a picture (height, width, 3), or None where no page of a known layout is recovered."""
    if rgb.ndim != 3 or rgb.shape[2] != 3 or min(rgb.shape[:2]) < 64:
        return None
    paper = flatten(rgb)
    return None if paper is None else _read_paper(paper)


def _read_paper(paper: Paper) -> PageReading | None:
    mask = ink_mask(paper.ink)
    baselines = find_rows(mask)
    if baselines is None:
        return None
    traces = follow(paper.ink, without_writing(mask, baselines), baselines)
    pulse = find_pulse(traces)
    reading = _best_reading(traces, pulse, paper.ruled)
    if reading is None:
        return None
    return PageReading(
        EcgRecording(reading.signal_mv.astype(np.float32), RATE_HZ, format="page"),
        dict(zip(STANDARD_LEADS, reading.quality.tolist(), strict=True)),
        reading.arrangement.name,
        paper.px_per_mm * reading.arrangement.px_per_mm / PX_PER_MM,
        reading.arrangement.speed_mm_per_s,
        pulse.gain_mm_per_mv if pulse else DEFAULT_GAIN_MM_PER_MV,
        paper.rotation_degrees,
    )


def _best_reading(traces: Traces, pulse: Pulse | None, ruled: bool) -> Reading | None:
    gain = pulse.gain_mm_per_mv if pulse else DEFAULT_GAIN_MM_PER_MV
    readings = [
        read_arrangement(traces, arrangement, gain)
        for arrangement in arrangements(traces, pulse, ruled)
        if arrangement.fit > _LEAST_FIT
    ]
    best = min(readings, key=lambda reading: reading.contradiction, default=None)
    if best is None or best.contradiction > _MOST_CONTRADICTION or np.median(best.quality) < _LEAST_QUALITY:
        return None
    return best
