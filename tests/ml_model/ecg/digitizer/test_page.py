"""Pages of synthetic beats drawn, damaged and read back: scales, layouts, refusals."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ml_model.ecg.digitizer.page import PageReading, read_page
from ml_model.ecg.page_renderer import DEFAULT_STYLE, Page, draw_page
from ml_model.ecg.page_style import PageStyle
from ml_model.ecg.recording import STANDARD_LEADS, EcgRecording

HZ = 100.0
# Height in mV, place in s after the R wave and width in s of P, Q, R, S and T in leads I, II and V1 to V6.
SHAPES = ((-0.18, 0.025), (-0.03, 0.012), (0.0, 0.014), (0.03, 0.014), (0.26, 0.05))
HEIGHTS = {
    "I": (0.08, -0.06, 0.65, -0.12, 0.18),
    "II": (0.14, -0.08, 1.05, -0.20, 0.27),
    "V1": (0.06, 0.0, 0.25, -0.85, -0.08),
    "V2": (0.07, 0.0, 0.40, -1.20, 0.35),
    "V3": (0.08, 0.0, 0.70, -0.80, 0.40),
    "V4": (0.09, -0.08, 1.15, -0.45, 0.38),
    "V5": (0.09, -0.10, 1.10, -0.22, 0.30),
    "V6": (0.09, -0.10, 0.85, -0.12, 0.22),
}


def beats() -> EcgRecording:
    """Ten seconds at about 73 beats a minute, the limb leads as Einthoven and Goldberger have them."""
    t = np.arange(1000) / HZ
    times = 0.41 + np.cumsum([0, *(0.82 + 0.03 * np.sin(np.arange(11)))])

    def lead(heights: tuple[float, ...]) -> NDArray[np.float64]:
        waves = [
            height * np.exp(-(((t - beat - place) / width) ** 2) / 2)
            for beat in times
            for height, (place, width) in zip(heights, SHAPES, strict=True)
        ]
        return np.asarray(np.sum(waves, axis=0))

    leads = {name: lead(heights) for name, heights in HEIGHTS.items()}
    one, two = leads["I"], leads["II"]
    leads |= {"III": two - one, "aVR": -(one + two) / 2, "aVL": one - two / 2, "aVF": two - one / 2}
    return EcgRecording(np.stack([leads[name] for name in STANDARD_LEADS], 1).astype(np.float32), HZ)


RECORDING = beats()


def draw(**look: object) -> Page:
    return draw_page(RECORDING, replace(DEFAULT_STYLE, **look))  # type: ignore[arg-type]


def agreement(page: Page, reading: PageReading) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlation with the drawn signal and ratio of amplitudes, per lead, in the windows drawn."""
    correlations, ratios = [], []
    for box in page.boxes[:12]:
        lead = STANDARD_LEADS.index(box.lead)
        window = slice(round(box.start_s * HZ) + 3, round((box.start_s + box.seconds) * HZ) - 3)
        true, read = RECORDING.signal_mv[window, lead], reading.recording.signal_mv[window, lead]
        assert np.isfinite(read).all(), box.lead
        correlations.append(np.corrcoef(true, read)[0, 1])
        ratios.append(np.ptp(read) / np.ptp(true))
    return np.array(correlations), np.array(ratios)


def read(pixels: NDArray[np.uint8]) -> PageReading:
    reading = read_page(pixels)
    assert reading is not None
    return reading


@pytest.mark.parametrize(
    ("layout", "look"),
    [
        ("3x4+1", {}),
        ("3x4", {"rhythm_leads": ()}),
        ("3x4+3", {"rhythm_leads": ("V1", "II", "V5")}),
        ("6x2", {"layout": "6x2", "rhythm_leads": ()}),
        ("12x1", {"layout": "12x1", "rhythm_leads": (), "row_mm": 17.0}),
        ("4x3", {"layout": "4x3", "rhythm_leads": ()}),
        ("3x4+1", {"column_gap_mm": 4.0, "separators": True, "grid": "grey", "px_per_mm": 4.3}),
        ("3x4+1", {"grid": "green", "grid_minor": "none", "px_per_mm": 8.0, "line_width_px": 3.0}),
    ],
)
def test_a_drawn_page_is_read_back(layout: str, look: dict[str, object]) -> None:
    page = draw(**look)
    reading = read(page.pixels)
    assert reading.layout == layout
    assert reading.px_per_mm == pytest.approx(page.look.px_per_mm, rel=0.01)
    assert abs(reading.rotation_degrees) < 0.2
    correlations, ratios = agreement(page, reading)
    assert np.median(correlations) > 0.98
    assert correlations.min() > 0.93
    assert np.median(ratios) == pytest.approx(1, abs=0.05)
    assert min(reading.quality.values()) > 0.5


def test_signal_is_a_recording_of_ten_seconds() -> None:
    recording = read(draw().pixels).recording
    assert recording.signal_mv.shape == (1000, 12)
    assert recording.signal_mv.dtype == np.float32
    assert recording.sampling_rate_hz == HZ
    assert recording.format == "page"
    seen = dict(zip(STANDARD_LEADS, np.isfinite(recording.signal_mv).sum(0), strict=True))
    assert seen["V1"] == 250  # 2.5 s of a 3x4 page
    assert seen["II"] == 1000  # its own 2.5 s and the rhythm strip


@pytest.mark.parametrize(
    ("gain", "speed", "look"),
    [
        (5.0, 25.0, {}),
        (20.0, 25.0, {"row_mm": 50.0}),
        (10.0, 50.0, {"speed_mm_per_s": 50.0, "trace_width_mm": 500.0, "px_per_mm": 4.0}),
    ],
)
def test_the_calibration_pulse_tells_gain_and_speed(gain: float, speed: float, look: dict[str, object]) -> None:
    page = draw(gain_mm_per_mv=gain, **look)
    reading = read(page.pixels)
    assert (reading.gain_mm_per_mv, reading.speed_mm_per_s) == (gain, speed)
    correlations, ratios = agreement(page, reading)
    assert np.median(correlations) > 0.95
    assert np.median(ratios) == pytest.approx(1, abs=0.07)


def turned(pixels: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """The page turned clockwise on a dark table."""
    framed = cv2.copyMakeBorder(pixels, 90, 90, 60, 60, cv2.BORDER_CONSTANT, value=(96, 84, 74))
    height, width = framed.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    return np.asarray(cv2.warpAffine(framed, turn, (width, height), borderValue=(96, 84, 74)), np.uint8)


@pytest.mark.parametrize("degrees", [-7.0, 7.0])
def test_a_turned_page_is_straightened(degrees: float) -> None:
    page = draw()
    reading = read(turned(page.pixels, degrees))
    assert reading.rotation_degrees == pytest.approx(degrees, abs=0.3)
    correlations, ratios = agreement(page, reading)
    assert np.median(correlations) > 0.95
    assert np.median(ratios) == pytest.approx(1, abs=0.07)


def test_a_page_seen_at_an_angle_is_flattened() -> None:
    page = draw()
    height, width = page.pixels.shape[:2]
    square = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    seen = np.array([(110, 20), (width - 70, 40), (width - 10, height - 30), (20, height - 60)], np.float32)
    matrix = cv2.getPerspectiveTransform(square, seen)
    reading = read(np.asarray(cv2.warpPerspective(page.pixels, matrix, (width, height)), np.uint8))
    assert reading.layout == "3x4+1"
    assert np.median(agreement(page, reading)[0]) > 0.93


def test_a_page_without_a_grid_takes_its_scale_from_its_width() -> None:
    page = draw(grid="none")
    reading = read(page.pixels)
    assert reading.layout == "3x4+1"
    assert reading.px_per_mm == pytest.approx(5, rel=0.02)
    assert np.median(agreement(page, reading)[1]) == pytest.approx(1, abs=0.08)


def test_quality_falls_where_a_lead_is_hidden() -> None:
    page = draw()
    box = page.boxes[STANDARD_LEADS.index("V5")]
    pixels = page.pixels.copy()
    left, top = round(box.left_px) + 60, round(box.top_px)
    pixels[top : round(top + box.height_px), left : left + 200] = page.look.paper
    assert read(pixels).quality["V5"] < read(page.pixels).quality["V5"] - 0.3


def test_the_same_picture_gives_the_same_signal() -> None:
    pixels = draw().pixels
    first, second = read(pixels), read(pixels)
    np.testing.assert_array_equal(first.recording.signal_mv, second.recording.signal_mv)
    assert first.quality == second.quality


def _blobs() -> NDArray[np.uint8]:
    """Soft grey shapes, as in an X-ray."""
    y, x = np.mgrid[:800, :900]
    lungs = sum(np.exp(-(((x - cx) / 150) ** 2 + ((y - 400) / 260) ** 2)) for cx in (280, 620))
    ribs = 0.1 * np.sin(y / 18 + ((x - 450) / 200) ** 2)
    grey = np.clip(255 * (0.8 - 0.6 * lungs + ribs), 0, 255)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def _text() -> NDArray[np.uint8]:
    page = np.full((1100, 850, 3), 255, np.uint8)
    for line in range(40):
        text = "The quick brown fox jumps over the lazy dog."[: 30 + line % 14]
        cv2.putText(page, text, (60, 60 + 25 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 0, 0), 1)
    return page


def _empty_grid() -> NDArray[np.uint8]:
    return draw_page(EcgRecording(np.full((1000, 12), np.nan, np.float32), HZ), PageStyle(header=False)).pixels


def _unrelated() -> NDArray[np.uint8]:
    """A page as recorders draw it, of twelve curves that no heart makes: I + III is not II."""
    t = np.arange(1000) / HZ
    curves = [np.sin(t * (5 + 0.7 * k)) * 0.5 + np.sin(t * (11 - 0.4 * k) + k) * 0.3 for k in range(12)]
    return draw_page(EcgRecording(np.stack(curves, 1).astype(np.float32), HZ)).pixels


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((600, 900, 3), np.uint8),
        np.full((600, 900, 3), 255, np.uint8),
        np.random.default_rng(0).integers(0, 256, (600, 900, 3), np.uint8),
        _blobs(),
        _text(),
        _empty_grid(),
        _unrelated(),
        np.zeros((1, 1, 3), np.uint8),
        np.full((2, 3000, 3), 255, np.uint8),
        np.zeros((70, 257, 3), np.uint8),
    ],
    ids=["black", "white", "noise", "blobs", "text", "grid", "unrelated", "dot", "line", "small"],
)
def test_what_is_no_page_is_not_read(pixels: NDArray[np.uint8]) -> None:
    assert read_page(pixels) is None
