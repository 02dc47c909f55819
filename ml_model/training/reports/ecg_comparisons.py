"""Lines of docs/ecg.md: how those of stated recordings are counted; and those that take long, of intervals against
another library's and of pages drawn of the recordings."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from ml_model.diagnosis.measured import MeasuredEcg
from ml_model.ecg.beats import RATE_HZ, find_beats
from ml_model.ecg.digitizer.page import PageReading, read_page
from ml_model.ecg.electrodes import with_limbs_exchanged
from ml_model.ecg.leads import STANDARD_LEADS, EcgRecording
from ml_model.ecg.measurements import measure
from ml_model.ecg.page_inference import page_quality
from ml_model.ecg.page_renderer import draw_page
from ml_model.ecg.page_style import PageStyle, styles_for_record
from ml_model.training.evaluation.intervals import resampled
from ml_model.training.reports.kept_figures import Figure, counted

Pixels = NDArray[np.uint8]

_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")  # the others are computed of I and II
_TOLERANCE = {"heart_rate": 3, "pr": 20, "qrs": 20, "qt": 30}  # 1/min, ms
_MARKS = {  # where an interval begins and ends, and how long it may be
    "pr": ("ECG_P_Onsets", "ECG_R_Onsets", 400),
    "qrs": ("ECG_R_Onsets", "ECG_R_Offsets", 200),
    "qt": ("ECG_R_Onsets", "ECG_T_Offsets", 800),
}
_LEAST_PAGE_QUALITY = 0.5  # from which a page is answered from its signal
_FRAME_COLOURS = ((0, 0, 0), (128, 128, 128), (200, 30, 30), (30, 60, 160))
_TURNS = {"on its head": 2, "on its side": 1}


@dataclass(frozen=True)
class Stated:
    """One recording: what was stated of it, and what is measured."""

    statements: frozenset[str]
    group: str
    recording: EcgRecording
    measured: MeasuredEcg

    def value(self, code: str) -> float:
        """NaN where it could not be measured."""
        found = next(one.measurement.value for one in self.measured.judged if one.spec.code == code)
        return np.nan if found is None else found

    def flagged(self, code: str) -> bool:
        return any(finding.code == code for finding in self.measured.findings)

    @property
    def lowers_claim(self) -> bool:
        return any(finding.lowers_claim for finding in self.measured.findings)


def share(what: str, rows: Sequence[Stated], hit: Callable[[Stated], bool]) -> Figure:
    """How many rows are hits."""
    return counted(what, [hit(row) for row in rows], [row.group for row in rows])


def median(what: str, rows: Sequence[Stated], code: str) -> Figure:
    """The median of a measurement where it could be made."""
    measured = [row for row in rows if np.isfinite(row.value(code))]
    if not measured:
        return Figure(what, 0, None, None, None, 0)
    values = np.array([row.value(code) for row in measured])
    found = resampled(np.array([row.group for row in measured]), lambda at: float(np.median(values[at])))
    return Figure(what, len(measured), found.value, found.low, found.high, 0)


def of_neurokit2(name: str, rows: Sequence[Stated]) -> Iterator[Figure]:
    """How often neurokit2 (its R peaks of lead II, its delineation by prominence, median of eight leads) says the same,
    where both say something; without atrial fibrillation and flutter. Raises ImportError where it is not installed."""
    library = importlib.import_module("neurokit2")
    regular = [row for row in rows if not any("fibrillation" in one or one in ("AFIB", "AFLT") or "flutter" in one
                                              for one in row.statements)]  # fmt: skip
    theirs = [_by_neurokit2(library, row.recording) for row in regular]
    for code, tolerance in _TOLERANCE.items():
        pairs = [(row.value(code) - other[code], row.group) for row, other in zip(regular, theirs, strict=True)]
        known = [(gap, group) for gap, group in pairs if np.isfinite(gap)]
        unit = "1/min" if code == "heart_rate" else "ms"
        hits = [bool(abs(gap) <= tolerance) for gap, _ in known]
        yield counted(f"{name}, neurokit2: {code} within {tolerance} {unit}", hits, [group for _, group in known])


def _by_neurokit2(library: Any, recording: EcgRecording) -> dict[str, float]:
    """Rate in 1/min, intervals in ms; NaN where it fails."""
    at, found = find_beats(recording).at, dict[str, list[float]]()
    up = round(RATE_HZ / recording.sampling_rate_hz)
    for lead in _LEADS:
        trace = resample_poly(recording.signal_mv[:, STANDARD_LEADS.index(lead)].astype(np.float64), up, 1)
        try:
            clean = library.ecg_clean(trace, sampling_rate=RATE_HZ)
            if lead == "II":
                peaks = library.ecg_peaks(clean, sampling_rate=RATE_HZ)[1]["ECG_R_Peaks"]
                found["heart_rate"] = [60 * RATE_HZ / float(np.mean(np.diff(peaks)))]
            marks = library.ecg_delineate(clean, at, sampling_rate=RATE_HZ, method="prominence")[1]
        except (ValueError, IndexError, ZeroDivisionError, KeyError):  # of flat leads and few beats
            continue
        for code, (begin, end, most_ms) in _MARKS.items():
            found.setdefault(code, []).append(_interval(marks[begin], marks[end], most_ms))
    return {code: _median(found.get(code, [])) for code in _TOLERANCE}


def _interval(begins: Sequence[float], ends: Sequence[float], most_ms: float) -> float:
    """Median of the times from each mark to the next one of the other kind, ms."""
    first, last = (np.array(marks, np.float64) for marks in (begins, ends))
    last = last[np.isfinite(last)]
    gaps = [float((last[last > one] - one).min(initial=np.inf)) * 1000 / RATE_HZ for one in first if np.isfinite(one)]
    return _median([gap for gap in gaps if gap < most_ms])


def _median(values: Sequence[float]) -> float:
    finite = np.array([value for value in values if np.isfinite(value)])
    return float(np.median(finite)) if len(finite) else np.nan


def of_pages(name: str, rows: Sequence[Stated]) -> Iterator[Figure]:
    """Pages of the recordings in many looks, as drawn, in frames, turned, and with the arms exchanged."""
    styles = [styles_for_record(i, 1, seed=2)[0] for i in range(len(rows))]
    pages = [draw_page(row.recording, style).pixels for row, style in zip(rows, styles, strict=True)]
    groups = [row.group for row in rows]
    drawn = [_read(page) for page in pages]

    def line(what: str, hits: Sequence[bool], of: Sequence[str] = groups) -> Figure:
        return counted(f"pages of {name}: {what}", hits, of)

    yield line("read as signal", [one is not None for one in drawn])
    for width_px in (1, 7, 30):
        framed = [_read(_framed(page, width_px, i)) for i, page in enumerate(pages)]
        yield line(f"read as signal in a frame of {width_px} px", [one is not None for one in framed])
    for place, quarters in _TURNS.items():
        turned = [_read(np.rot90(page, quarters)) for page in pages]
        right = [bool(one and one.turned_degrees == 90 * quarters) for one in turned]
        yield line(f"{place}, read as signal and turned the right way", right)
    seen = [(one, style, group) for one, style, group in zip(drawn, styles, groups, strict=True) if one]
    yield line("upright, turned all the same", [one.turned_degrees != 0 for one, _, _ in seen], [g for *_, g in seen])
    yield from _speeds(line, seen)
    yield line(
        "as recorded, called exchanged", [_exchanged(one.recording) for one, _, _ in seen], [g for *_, g in seen]
    )
    arms = [_exchanged(with_limbs_exchanged(one.recording, "arms")) for one, _, _ in seen]
    yield line("arms exchanged, found", arms, [g for *_, g in seen])


def _speeds(
    line: Callable[[str, Sequence[bool], Sequence[str]], Figure], seen: Sequence[tuple[PageReading, PageStyle, str]]
) -> Iterator[Figure]:
    for speed in (25.0, 50.0):
        of = [(one, style, group) for one, style, group in seen if style.speed_mm_per_s == speed]
        wrong = [_px_per_s(one) / _px_per_s(style) for one, style, _ in of]
        yield line(f"of {speed:g} mm/s, read at half or twice the speed", [abs(one - 1) > 0.3 for one in wrong],
                   [g for *_, g in of])  # fmt: skip


def _px_per_s(page: PageReading | PageStyle) -> float:
    """What counts: of a page without a grid the millimetres are a guess."""
    return page.px_per_mm * page.speed_mm_per_s


def _read(page: Pixels) -> PageReading | None:
    """The reading where it is good enough to be answered."""
    reading = read_page(np.ascontiguousarray(page))
    return reading if reading and page_quality(reading) >= _LEAST_PAGE_QUALITY else None


def _framed(page: Pixels, width_px: int, number: int) -> Pixels:
    colour = _FRAME_COLOURS[number % len(_FRAME_COLOURS)]
    framed = cv2.copyMakeBorder(page, *((width_px,) * 4), cv2.BORDER_CONSTANT, value=colour)
    coded = cv2.imencode(".jpg", framed)[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def _exchanged(recording: EcgRecording) -> bool:
    return measure(recording).exchanged is not None
