"""Draw a 12-lead recording as a page of ECG paper, in the many looks that recorders print and apps show.

A look is a value (`PageStyle`), so a page can be drawn again; `draw_page` also says where each lead lies, as
ground truth for a digitiser. Millimetres are of paper, pixels of the page; pixel i covers i - 0.5 to i + 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ml_model.ecg.page_style import (
    DEFAULT_STYLE,
    GRIDS,
    LAYOUTS,
    RECORD_S,
    Colour,
    PageStyle,
)
from ml_model.ecg.recording import STANDARD_LEADS, EcgRecording

__all__ = ["DEFAULT_STYLE", "LeadBox", "Page", "PageStyle", "draw_page", "render"]

Pixels = NDArray[np.uint8]
Array = NDArray[np.floating]
Curve = tuple[Array, Array, float, float]  # y(x) from x, rising, and the x that it is drawn from and to; NaN is a gap
PULSE_MV, PULSE_S = 1.0, 0.2
PULSE_FOOT_MM = 1.5  # of baseline before and after the pulse
HEADER_MM, FOOTER_MM, SEPARATOR_MM = 16.0, 7.0, 6.0
CAP_HEIGHT_PX = 20.0  # of cv2's font at scale 1
SUBCOLUMNS = 4  # a trace is drawn from this many spans per pixel column


class LeadBox(NamedTuple):
    """Where one lead is drawn: time t of the recording lies at x = left_px + (t - start_s) * px_per_s."""

    lead: str
    left_px: float
    top_px: float
    width_px: float
    height_px: float
    baseline_y_px: float  # of 0 mV
    start_s: float
    seconds: float


@dataclass(frozen=True)
class Page:
    """Pixels uint8 RGB (H, W, 3) and where the leads lie: columns of leads first, then the rhythm strips."""

    pixels: Pixels
    look: PageStyle
    boxes: tuple[LeadBox, ...]

    @property
    def px_per_s(self) -> float:
        return self.look.speed_mm_per_s * self.look.px_per_mm

    @property
    def px_per_mv(self) -> float:
        return self.look.gain_mm_per_mv * self.look.px_per_mm


class _Geometry:
    """Millimetres of a look's page."""

    def __init__(self, look: PageStyle) -> None:
        self.rows, self.columns = LAYOUTS[look.layout]
        self.strips = self.rows + len(look.rhythm_leads)
        self.column_s = min(RECORD_S, look.trace_width_mm / look.speed_mm_per_s) / self.columns
        self.column_mm = self.column_s * look.speed_mm_per_s
        self.pulse_mm = PULSE_S * look.speed_mm_per_s + 2 * PULSE_FOOT_MM + 1 if look.calibration_pulse else 0.0
        label_mm = 3.2 * look.label_height_mm if look.labels and look.label_position == "left" else 0.0
        self.gap_mm = max(look.column_gap_mm, label_mm)
        self.left_mm = look.margins_mm[0] + self.pulse_mm + label_mm
        self.traces_mm = self.columns * (self.column_mm + self.gap_mm) - self.gap_mm
        self.top_mm = look.margins_mm[1] + (HEADER_MM if look.header else 0.0)
        self.centres_mm = look.row_centres_mm or tuple((i + 0.5) * look.row_mm for i in range(self.strips))
        self.bottom_mm = self.top_mm + self.centres_mm[-1] + 0.5 * look.row_mm
        self.width_mm = self.left_mm + self.traces_mm + look.margins_mm[0]
        self.height_mm = self.bottom_mm + look.margins_mm[1] + (FOOTER_MM if look.header else 0.0)


def render(recording: EcgRecording, look: PageStyle = DEFAULT_STYLE) -> Pixels:
    """Page of a recording as uint8 RGB (H, W, 3)."""
    return draw_page(recording, look).pixels


def draw_page(recording: EcgRecording, look: PageStyle = DEFAULT_STYLE) -> Page:
    """Page of a recording. Gaps (NaN) are left blank; a lead without a second to show has no box."""
    rng = np.random.default_rng(look.seed)
    geometry = _Geometry(look)
    pixels = _paper(look, geometry, rng)
    page = Page(pixels, look, tuple(_boxes(recording, look, geometry, rng)))
    time_px = np.arange(len(recording.signal_mv)) / recording.sampling_rate_hz * page.px_per_s
    curves: list[Curve] = []
    for box in page.boxes:
        x = box.left_px - box.start_s * page.px_per_s + time_px
        y = box.baseline_y_px - recording.signal_mv[:, STANDARD_LEADS.index(box.lead)] * page.px_per_mv
        curves.append((x, y, box.left_px, box.left_px + box.width_px))
    if look.calibration_pulse:
        curves += _pulses(look, geometry)
    if curves:
        _stroke(pixels, curves, look.line_width_px, look.ink)
    _marks(page, geometry)
    if look.header:
        _header(page, geometry, rng)
    return page


def _boxes(recording: EcgRecording, look: PageStyle, geometry: _Geometry, rng: Generator) -> list[LeadBox]:
    rows, scale = geometry.rows, look.px_per_mm
    shown = geometry.column_s, geometry.column_mm
    places = [(lead, index % rows, index // rows, *shown) for index, lead in enumerate(STANDARD_LEADS)]
    full_s = geometry.column_s * geometry.columns
    places += [(lead, rows + i, 0, full_s, geometry.traces_mm) for i, lead in enumerate(look.rhythm_leads)]
    boxes = []
    for lead, row, column, window_s, width_mm in places:
        start_s = column * window_s if look.sequential else 0.0
        most_s = max(window_s, width_mm / look.speed_mm_per_s)  # a rhythm strip runs on through the gaps
        seconds = min(most_s, len(recording.signal_mv) / recording.sampling_rate_hz - start_s)
        jitter_mm = rng.uniform(-1, 1) * look.baseline_jitter_mm
        if seconds <= 0:
            continue
        trace = recording.signal_mv[:, STANDARD_LEADS.index(lead)]
        finite = trace[np.isfinite(trace)]
        # A recorder's high-pass filter takes the offset away, so the trace lies in its row whatever 0 mV is.
        offset_mm = (float(np.median(finite)) if finite.size else 0.0) * look.gain_mm_per_mv
        middle_mm = geometry.top_mm + geometry.centres_mm[row]
        top_mm, baseline_mm = middle_mm - 0.5 * look.row_mm, middle_mm + jitter_mm + offset_mm
        left_mm = geometry.left_mm + column * (geometry.column_mm + geometry.gap_mm)
        sizes_mm = np.array((left_mm, top_mm, seconds * look.speed_mm_per_s, look.row_mm, baseline_mm))
        left, top, wide, high, baseline = (sizes_mm * scale).tolist()
        boxes.append(LeadBox(lead, left, top, wide, high, baseline, start_s, seconds))
    return boxes


def _pulses(look: PageStyle, geometry: _Geometry) -> list[Curve]:
    """The calibration pulse of each row."""
    left_mm = look.margins_mm[0]
    on_mm, off_mm = left_mm + PULSE_FOOT_MM, left_mm + PULSE_FOOT_MM + PULSE_S * look.speed_mm_per_s
    x = np.array([left_mm, on_mm, on_mm + 1e-3, off_mm, off_mm + 1e-3, off_mm + PULSE_FOOT_MM]) * look.px_per_mm
    up_mm = np.array([0, 0, 1, 1, 0, 0]) * PULSE_MV * look.gain_mm_per_mv
    middles_mm = geometry.top_mm + np.array(geometry.centres_mm)
    return [(x, (middle_mm - up_mm) * look.px_per_mm, float(x[0]), float(x[-1])) for middle_mm in middles_mm]


def _stroke(pixels: Pixels, curves: Sequence[Curve], width_px: float, ink: Colour) -> None:
    """Draw the curves with a round pen.

    cv2.polylines takes 10 to 1000 ms for the same antialiased lines: it fills a polygon for every segment.
    Here each pixel column is the mean of a few spans, from the highest to the lowest point that the pen touches.
    """
    most = int(width_px / 2 * SUBCOLUMNS)  # columns of spans that the pen reaches to either side
    padding = most // SUBCOLUMNS + 2
    columns, tops, bottoms = [], [], []
    for x, y, start, end in curves:
        first, last = int(np.floor(start)) - padding, int(np.ceil(end)) + padding
        edges = first - 0.5 + np.arange((last - first) * SUBCOLUMNS + 1) / SUBCOLUMNS
        levels = np.interp(edges, x, y, left=np.nan, right=np.nan)
        levels[(edges < start) | (edges > end)] = np.nan
        columns.append(np.arange(first, last))
        tops.append(np.minimum(levels[:-1], levels[1:]))
        bottoms.append(np.maximum(levels[:-1], levels[1:]))
    top, bottom = (np.concatenate(spans).astype(np.float32) for spans in (tops, bottoms))
    gap = np.isnan(top)
    top[gap], bottom[gap] = np.inf, -np.inf
    pen_top, pen_bottom = np.full_like(top, np.inf), np.full_like(top, -np.inf)
    inner, count = slice(most, len(top) - most), len(top) - 2 * most
    for step in range(2 * most + 1):
        half = np.float32(np.sqrt((width_px / 2) ** 2 - ((step - most) / SUBCOLUMNS) ** 2))
        np.minimum(pen_top[inner], top[step : step + count] - half, out=pen_top[inner])
        np.maximum(pen_bottom[inner], bottom[step : step + count] + half, out=pen_bottom[inner])
    shape = -1, SUBCOLUMNS
    _fill(pixels, np.concatenate(columns), pen_top.reshape(shape), pen_bottom.reshape(shape), ink)


def _fill(pixels: Pixels, columns: NDArray[np.int64], top: Array, bottom: Array, ink: Colour) -> None:
    """Blend ink into pixel columns (n,), between the spans (n, SUBCOLUMNS)."""
    height, width = pixels.shape[:2]
    highest, lowest = np.rint(top.min(axis=1)), np.rint(bottom.max(axis=1))
    seen = (highest <= lowest) & (lowest >= 0) & (highest < height) & (columns >= 0) & (columns < width)
    columns, top, bottom = columns[seen], top[seen], bottom[seen]
    start = np.clip(highest[seen], 0, height - 1).astype(np.int64)
    count = np.clip(lowest[seen], 0, height - 1).astype(np.int64) - start + 1
    which = np.repeat(np.arange(len(count)), count)
    rows = np.arange(len(which)) + np.repeat(start - np.cumsum(count) + count, count)
    middle = rows.astype(np.float32)[:, None]
    inside, above = bottom.take(which, axis=0), top.take(which, axis=0)  # (pixels, SUBCOLUMNS)
    np.minimum(inside, middle + np.float32(0.5), out=inside)
    inside -= np.maximum(above, middle - np.float32(0.5), out=above)
    share = inside.clip(0, 1, out=inside) @ np.full((SUBCOLUMNS, 1), 1 / SUBCOLUMNS, np.float32)
    flat, at = pixels.reshape(-1, 3), rows * width + columns.take(which)
    blended = flat.take(at, axis=0).astype(np.float32)
    blended *= 1 - share
    blended += share * np.array(ink, np.float32)
    blended += np.float32(0.5)
    flat[at] = blended.astype(np.uint8)
    flat[at[share[:, 0] > 0.99]] = ink  # where curves cross, the edge of one has just gone over the other


def _paper(look: PageStyle, geometry: _Geometry, rng: Generator) -> Pixels:
    """Paper with its grid of 1 mm and 5 mm squares."""
    scale = look.px_per_mm
    page = np.empty((round(geometry.height_mm * scale), round(geometry.width_mm * scale), 3), np.uint8)
    page[:] = np.full(page.shape[1:], look.paper, np.uint8)  # row by row, which is quicker than pixel by pixel
    phase_mm = rng.uniform(0, 5, 2)
    if look.grid == "none":
        return page
    area = page
    if not look.grid_bleed:
        (left_mm, top_mm), sides = look.margins_mm, (geometry.bottom_mm, geometry.width_mm - look.margins_mm[0])
        phase_mm, top_mm = np.zeros(2), geometry.top_mm
        y1, x1 = (round(side * scale) + 1 for side in sides)
        area = page[round(top_mm * scale) : y1, round(left_mm * scale) : x1]
    y, x = (
        _line_shares(np.arange(side) - start * scale, look) for side, start in zip(area.shape, phase_mm, strict=False)
    )
    # Few kinds of rows exist: draw each once, then copy.
    kinds, kind_of_row = np.unique(np.rint(y * 16), axis=1, return_inverse=True)
    np.take(_grid_rows(look, kinds.T / 16, x), kind_of_row, axis=0, out=area, mode="clip")
    return page


def _line_shares(px: Array, look: PageStyle) -> Array:
    """(2, n): how much of each pixel a line every 1 mm, and one every 5 mm, covers, 0 to 1."""
    shares = []
    for every_mm, wide in ((1, 1.0), (5, 1.6)):
        width_px = max(0.8, look.grid_line_mm * look.px_per_mm * wide)
        period = every_mm * look.px_per_mm
        distance = np.abs(px - np.rint(px / period) * period)
        shares.append(np.clip(width_px / 2 + 0.5 - distance, 0, min(1.0, width_px)))
    return np.array(shares)


def _grid_rows(look: PageStyle, kinds: Array, x: Array) -> Pixels:
    """(kinds, W, 3) rows of pixels: `kinds` (k, 2) and `x` (2, W) are shares of the two kinds of lines."""
    rows = np.broadcast_to(np.array(look.paper, float), (len(kinds), x.shape[1], 3))
    join = np.minimum if look.grid_minor == "dots" else np.maximum
    minor = join(kinds[:, :1], x[:1]) if look.grid_minor != "none" else np.zeros((len(kinds), x.shape[1]))
    for share, colour in zip((minor, np.maximum(kinds[:, 1:], x[1:])), GRIDS[look.grid], strict=True):
        # Lines are ink on this paper: they take the same part of its light that they take of white.
        line = np.array(look.paper) * (1 - look.grid_contrast * (1 - np.array(colour) / 255))
        rows = rows + share[..., None] * (line.clip(0, 255) - rows)
    inked: Pixels = np.rint(rows).astype(np.uint8)
    return inked


def _text(page: Page, text: str, x_mm: float, y_mm: float, height_mm: float) -> None:
    """Text whose capitals are height_mm high; (x_mm, y_mm) is its lower left corner."""
    scale = page.look.px_per_mm
    at = round(x_mm * scale), round(y_mm * scale)
    size = height_mm * scale / CAP_HEIGHT_PX
    cv2.putText(page.pixels, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, page.look.ink, 1, cv2.LINE_AA)


def _marks(page: Page, geometry: _Geometry) -> None:
    """Labels and separators."""
    look = page.look
    scale, high_mm = look.px_per_mm, look.label_height_mm
    for box in page.boxes:
        left_mm, middle_mm = box.left_px / scale, (box.top_px + box.height_px / 2) / scale
        first = box.left_px <= geometry.left_mm * scale
        if look.separators and not first:
            x_px = round((left_mm - geometry.gap_mm) * scale)
            y0, y1 = (round((middle_mm + side * SEPARATOR_MM / 2) * scale) for side in (-1, 1))
            cv2.line(page.pixels, (x_px, y0), (x_px, y1), look.ink, max(1, round(look.line_width_px)))
        if look.labels:
            x_mm = left_mm + (1 if look.label_position != "left" else -0.95 * high_mm * len(box.lead))
            drop_mm = {"above": -0.22 * look.row_mm - 0.5, "below": 0.2 * look.row_mm + high_mm, "left": 0.5 * high_mm}
            _text(page, box.lead, x_mm, middle_mm + drop_mm[look.label_position], high_mm)


def _header(page: Page, geometry: _Geometry, rng: Generator) -> None:
    """Invented text above the traces, and the scales below them."""
    look, left_mm = page.look, page.look.margins_mm[0]
    rate, pr, qrs, qt = (int(rng.integers(*span)) for span in ((48, 110), (120, 210), (76, 130), (340, 450)))
    day = f"{rng.integers(1, 29):02}.{rng.integers(1, 13):02}.20{rng.integers(5, 26):02}"
    axes = f"P-R-T axes {rng.integers(0, 80)} {rng.integers(0, 90)} 45"
    columns = (
        (f"ID {rng.integers(10**5, 10**6)}", f"{day}  {rng.integers(0, 24):02}:{rng.integers(0, 60):02}"),
        (f"HR {rate} bpm", f"PR {pr} ms   QRS {qrs} ms"),
        (f"QT/QTc {qt}/{round(qt * (rate / 60) ** 0.5)} ms", axes),
    )
    for index, lines in enumerate(columns):
        for row, line in enumerate(lines):
            x_mm = left_mm + index * (geometry.width_mm - 2 * left_mm) / 3
            _text(page, line, x_mm, look.margins_mm[1] + 4 + 5 * row, 2.4)
    band = ("0.05-150", "0.5-40")[rng.integers(2)]
    scales = f"{look.speed_mm_per_s:g} mm/s   {look.gain_mm_per_mv:g} mm/mV   {band} Hz"
    _text(page, scales, left_mm, geometry.bottom_mm + FOOTER_MM - 2, 2.4)
