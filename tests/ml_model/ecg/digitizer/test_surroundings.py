"""Pages in frames, turned, in light on dark, or at a speed that they do not say."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from beats import made_beats
from numpy.typing import NDArray

from ml_model.ecg.digitizer.page import SPEED_GUESSED, SPEED_UNKNOWN, PageReading, read_page
from ml_model.ecg.digitizer.surroundings import without_frame
from ml_model.ecg.measurements import measure
from ml_model.ecg.page_renderer import render
from ml_model.ecg.page_style import PageStyle

PAGE = render(made_beats(rate_hz=100.0), PageStyle(px_per_mm=4.0))


def read(pixels: NDArray[np.uint8]) -> PageReading:
    reading = read_page(pixels)
    assert reading is not None
    return reading


AS_DRAWN = read(PAGE)


def framed(width_px: int, colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    sides = (width_px,) * 4
    inside = cv2.copyMakeBorder(PAGE, *sides, cv2.BORDER_CONSTANT, value=colour)
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", inside)[1], cv2.IMREAD_COLOR), np.uint8)


def agreement(one: PageReading, other: PageReading) -> float:
    """Correlation of the signals where both are seen."""
    a, b = one.recording.signal_mv, other.recording.signal_mv
    both = np.isfinite(a) & np.isfinite(b)
    assert both.sum() > 0.9 * np.isfinite(a).sum()
    return float(np.corrcoef(a[both], b[both])[0, 1])


@pytest.mark.parametrize(
    ("width_px", "colour"), [(1, (0, 0, 0)), (7, (0, 0, 0)), (30, (0, 0, 0)), (3, (200, 30, 30)), (12, (128, 128, 128))]
)
def test_a_frame_around_a_page_changes_nothing(width_px: int, colour: tuple[int, int, int]) -> None:
    picture = framed(width_px, colour)
    height, width = PAGE.shape[:2]
    left = without_frame(picture).shape
    assert height - 8 <= left[0] <= height
    assert width - 8 <= left[1] <= width
    if width_px in (1, 7):
        reading = read(picture)
        assert (reading.layout, reading.speed_mm_per_s, reading.gain_mm_per_mv) == ("3x4+1", 25, 10)
        assert agreement(AS_DRAWN, reading) > 0.95


def test_paper_is_no_frame() -> None:
    white = np.full((300, 400, 3), 255, np.uint8)
    white[100:200, 100:300] = 0
    assert without_frame(white) is white
    assert without_frame(PAGE) is PAGE


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_page_that_lies_or_stands_on_its_head_is_turned_and_that_is_said(degrees: int) -> None:
    reading = read(np.ascontiguousarray(np.rot90(PAGE, degrees // 90)))
    assert (reading.turned_degrees, reading.layout, reading.speed_mm_per_s) == (degrees, "3x4+1", 25)
    assert agreement(AS_DRAWN, reading) > 0.95
    place = "stood on its head" if degrees == 180 else "lay on its side"
    assert reading.notes == (f"the page {place}; it was turned by {degrees} degrees before it was read",)
    assert (AS_DRAWN.turned_degrees, AS_DRAWN.notes) == (0, ())


def test_a_page_in_light_on_dark_is_read_as_one_in_dark_on_light() -> None:
    assert agreement(AS_DRAWN, read(255 - PAGE)) > 0.95


def rate(reading: PageReading) -> float | None:
    return next(one.value for one in measure(reading.recording).measurements if one.code == "heart_rate")


@pytest.mark.parametrize("beats_per_minute", [66, 90])
def test_a_speed_that_the_page_does_not_say_is_told_by_its_beats(beats_per_minute: float) -> None:
    recording = made_beats(beats_per_minute=beats_per_minute, qt_ms=360, rate_hz=100.0)
    fast = read(render(recording, PageStyle(px_per_mm=4.0, speed_mm_per_s=50.0, calibration_pulse=False)))
    assert (fast.speed_mm_per_s, fast.notes) == (50, (SPEED_GUESSED,))
    assert rate(fast) == pytest.approx(beats_per_minute, abs=2)
    usual = read(render(recording, PageStyle(px_per_mm=4.0, calibration_pulse=False)))
    assert (usual.speed_mm_per_s, usual.notes) == (25, ())
    assert rate(usual) == pytest.approx(beats_per_minute, abs=2)


def test_a_speed_that_nothing_tells_is_said_to_be_unknown() -> None:
    slow = made_beats(beats_per_minute=42, qrs_ms=120, qt_ms=470, rate_hz=100.0)
    reading = read(render(slow, PageStyle(px_per_mm=4.0, calibration_pulse=False)))
    assert (reading.speed_mm_per_s, reading.notes) == (25, (SPEED_UNKNOWN,))
    assert read(render(slow, PageStyle(px_per_mm=4.0))).notes == ()  # the pulse tells it
