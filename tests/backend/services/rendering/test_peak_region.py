"""Where the model's map peaks, in pixels of the picture, and the overlay that shows it."""

from __future__ import annotations

import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from backend.services.rendering.heatmaps import Heatmap, overlay_png, peak_region
from ml_model.inputs.images.geometry import Frame


def cells(peak: tuple[int, int], rows: int = 7, columns: int = 7) -> np.ndarray:
    grid = np.zeros((rows, columns), np.float32)
    grid[peak] = 2.0
    return grid


def test_peak_region_is_in_original_pixels() -> None:
    grid = cells((2, 3))
    grid[2, 4] = 1.5
    grid[6, 6] = 1.9  # as strong, but not connected
    grid[1, 3] = 0.9  # below half of the peak
    heatmap = Heatmap(np.zeros((224, 224, 3), np.uint8), grid, Frame(0, 0, 700, 350), 700, 350)
    assert peak_region(heatmap) == (300, 100, 200, 50)
    assert peak_region(Heatmap(heatmap.shown, np.zeros((7, 7), np.float32), Frame(0, 0, 700, 350), 700, 350)) is None


@settings(max_examples=25, deadline=None)
@given(
    grid=hnp.arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.floats(0, 1, width=32)),
    width=st.integers(1, 5000),
    height=st.integers(1, 5000),
)
def test_peak_region_stays_inside_and_the_overlay_draws(grid: np.ndarray, width: int, height: int) -> None:
    heatmap = Heatmap(np.full((32, 32, 3), 90, np.uint8), grid, Frame(0, 0, width, height), width, height)
    region = peak_region(heatmap)
    assert (region is None) == (grid.max() <= 0)
    if region is not None:
        x, y, w, h = region
        assert 0 <= x < x + w <= width
        assert 0 <= y < y + h <= height
    with Image.open(io.BytesIO(overlay_png(heatmap))) as overlay:
        assert max(overlay.size) == 448


def test_overlay_tints_the_peak_and_leaves_the_rest() -> None:
    heatmap = Heatmap(np.full((224, 224, 3), 90, np.uint8), cells((3, 3)), Frame(0, 0, 224, 224), 224, 224)
    with Image.open(io.BytesIO(overlay_png(heatmap))) as overlay:
        pixels = np.asarray(overlay).astype(int)
    assert pixels[0, 0].tolist() == [90, 90, 90]
    assert np.abs(pixels[224, 224] - 90).max() > 40
