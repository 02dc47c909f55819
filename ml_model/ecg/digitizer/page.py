"""A picture of a 12-lead ECG page (screenshot, scan, photo) back to the signal that was drawn on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.digitizer.grid import PX_PER_MM
from ml_model.ecg.digitizer.layout import arrangements, find_pulse
from ml_model.ecg.digitizer.lead_signals import RATE_HZ, Reading, read_arrangement
from ml_model.ecg.digitizer.paper_speed import CERTAIN_FROM, stretched
from ml_model.ecg.digitizer.rectify import Paper, even_light, flatten
from ml_model.ecg.digitizer.surroundings import dark_on_light, without_frame
from ml_model.ecg.digitizer.traces import Traces, find_rows, follow, ink_mask, without_writing
from ml_model.ecg.recording import STANDARD_LEADS, EcgRecording

DEFAULT_GAIN_MM_PER_MV = 10.0
# True pages have a fit above 0.93, a median quality above 0.6 and a contradiction below 0.3; other pictures that come
# as far as this miss at least one by far.
_LEAST_FIT = 0.88
_LEAST_QUALITY = 0.3
_MOST_CONTRADICTION = 0.4
_TURNED = {180: "stood on its head", 90: "lay on its side", 270: "lay on its side"}
SPEED_GUESSED = (
    "the page does not say its paper speed; 50 mm/s was taken, as at 25 mm/s beats would be too slow and waves too long"
)
SPEED_UNKNOWN = (
    "the page does not say its paper speed, and its beats do not tell 25 from 50 mm/s; 25 mm/s was taken: at 50 the "
    "rate is twice, and every interval half of what is told here"
)
_UPSIDE_DOWN_FROM = 0.5  # of the contradiction of the page as it is, below which it makes sense the other way up


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
    turned_degrees: int = 0  # clockwise, a multiple of 90: how the picture was turned to be read
    notes: tuple[str, ...] = ()  # what was taken for granted or put right


def read_page(rgb: NDArray[np.uint8]) -> PageReading | None:
    """The signal on a picture (height, width, 3), or None where no page of a known layout is recovered. A page that
    lies on its side or stands on its head is turned."""
    if rgb.ndim != 3 or rgb.shape[2] != 3 or min(rgb.shape[:2]) < 64:
        return None
    picture = without_frame(dark_on_light(rgb))
    ink, grid = even_light(picture)
    scale = max(picture.shape[:2]) / max(ink.shape)
    paper = None
    for quarters in (0, 1):
        if paper and paper.ruled:
            paper = replace(paper, ink=np.ascontiguousarray(np.rot90(paper.ink, -1)))
        else:
            turned_ink, turned_grid = (np.ascontiguousarray(np.rot90(side, -quarters)) for side in (ink, grid))
            paper = flatten(turned_ink, turned_grid, scale)
        reading = _read_paper(paper) if paper else None
        if reading:
            turned = (reading.turned_degrees + 90 * quarters) % 360
            told = f"the page {_TURNED[turned]}; it was turned by {turned} degrees before it was read" if turned else ""
            return replace(reading, turned_degrees=turned, notes=(*filter(None, (told,)), *reading.notes))
    return None


def _read_paper(paper: Paper) -> PageReading | None:
    mask = ink_mask(paper.ink)
    baselines = find_rows(mask)
    if baselines is None:
        return None
    traces = follow(paper.ink, without_writing(mask, baselines), baselines)
    upright, turned = _best_reading(traces, paper.ruled), _best_reading(traces.upside_down(), paper.ruled)
    upside_down = bool(turned and (not upright or turned.contradiction < _UPSIDE_DOWN_FROM * upright.contradiction))
    reading, note = turned if upside_down else upright, None
    if reading is None:
        return None
    if not reading.arrangement.speed_told:
        reading, note = _at_its_speed(traces.upside_down() if upside_down else traces, reading)
    return PageReading(
        _recording(reading),
        dict(zip(STANDARD_LEADS, reading.quality.tolist(), strict=True)),
        reading.arrangement.name,
        paper.px_per_mm * reading.arrangement.px_per_mm / PX_PER_MM,
        reading.arrangement.speed_mm_per_s,
        reading.gain_mm_per_mv,
        paper.rotation_degrees,
        180 if upside_down else 0,
        (note,) if note else (),
    )


def _recording(reading: Reading) -> EcgRecording:
    return EcgRecording(reading.signal_mv.astype(np.float32), RATE_HZ, format="page")


def _at_its_speed(traces: Traces, reading: Reading) -> tuple[Reading, str | None]:
    """The reading at twice the speed, where beats are told too slow else; and what is to be said of that."""
    score = stretched(_recording(reading))
    if score is None or abs(score) < CERTAIN_FROM:
        return reading, SPEED_UNKNOWN
    if score < 0:
        return reading, None
    fast = replace(reading.arrangement, speed_mm_per_s=2 * reading.arrangement.speed_mm_per_s)
    return read_arrangement(traces, fast, reading.gain_mm_per_mv), SPEED_GUESSED


def _best_reading(traces: Traces, ruled: bool) -> Reading | None:
    pulse = find_pulse(traces)
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
