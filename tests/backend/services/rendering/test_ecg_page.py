"""The overlay of a recording: a page of ECG paper with every lead whole and the map behind the traces."""

from __future__ import annotations

import io

import numpy as np
import pytest
from beats import made_beats
from PIL import Image

from backend.services.rendering.ecg_page import PX_PER_MM, explained_page
from backend.services.rendering.heatmaps import heatmap_of, overlay_png
from ml_model.diagnosis.case import SignalView
from ml_model.ecg.leads import STANDARD_LEADS, EcgRecording

RECORDING = made_beats(rate_hz=100.0)


def shaded_at(second: float) -> np.ndarray:
    """A map (1, 125) of ten seconds with one strong cell."""
    cells = np.zeros((1, 125), np.float32)
    cells[0, int(second * 12.5)] = 2.0
    return cells


def test_the_overlay_is_a_wide_page_with_the_shade_where_the_map_is_strong() -> None:
    maps = np.stack([shaded_at(8.0), shaded_at(2.0)])
    view = SignalView(RECORDING.signal_mv, 100.0, np.full(2, 0.5, np.float32), maps)
    with Image.open(io.BytesIO(overlay_png(heatmap_of(view, 1, "mi")))) as overlay:
        assert overlay.format == "PNG"
        page = np.asarray(overlay).astype(int)
    assert page.shape[1] >= 1600
    shade = np.median(page[..., 0] - page[..., 2], axis=0)  # of each column: orange has more red than blue
    second = (shade.argmax() - (page.shape[1] - 254 * PX_PER_MM)) / (25 * PX_PER_MM)
    assert second == pytest.approx(2.0, abs=0.1)
    plain = explained_page(RECORDING, np.zeros((1, 125), np.float32)).astype(int)
    assert np.median(plain[..., 0] - plain[..., 2]) < 20


@pytest.mark.parametrize("gain", [0.2, 1.0, 3.0])
def test_no_lead_is_clipped_or_in_the_way_of_another(gain: float) -> None:
    signal = RECORDING.signal_mv * np.float32(gain)
    page = explained_page(EcgRecording(signal, 100.0), np.zeros((1, 125), np.float32))
    traces = page[: -round(6 * PX_PER_MM), round(20 * PX_PER_MM) :]  # without the scales and the leads' names
    rows = np.flatnonzero((traces.max(axis=2) < 80).any(axis=1))
    assert rows[0] > PX_PER_MM
    bands = np.split(rows, np.flatnonzero(np.diff(rows) > PX_PER_MM) + 1)
    assert len(bands) == len(STANDARD_LEADS)
    high_mm = np.array([(band[-1] - band[0]) / PX_PER_MM for band in bands])
    assert high_mm == pytest.approx(10 * np.ptp(signal, axis=0), abs=1.5)


def test_leads_that_are_not_seen_leave_their_row_empty() -> None:
    signal = RECORDING.signal_mv.copy()
    signal[:, 3] = np.nan
    assert explained_page(EcgRecording(signal, 100.0), shaded_at(1.0)).shape[1] >= 1600
