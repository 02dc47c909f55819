"""Draw a 12-lead recording as the printed page that users photograph: paper grid, 6 rows of 2 leads."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ml_model.inputs.ecg import STANDARD_LEADS, EcgRecording

PX_PER_MM = 3
SPEED_MM_PER_S = 25.0
GAIN_MM_PER_MV = 10.0
ROW_MM = 22
ROWS, COLUMNS = 6, 2
SECONDS = 5.0  # shown of each lead
SUBPIXEL_BITS = 4  # cv2 draws polylines on a grid of 1/16 px
PAPER, FINE, COARSE, INK = (255, 250, 248), (250, 222, 220), (240, 180, 178), (20, 20, 30)


def render(recording: EcgRecording) -> NDArray[np.uint8]:
    """Page as uint8 RGB (height, width, 3): leads in reading order down the first column, then the second."""
    lead_px = int(SECONDS * SPEED_MM_PER_S * PX_PER_MM)
    page = _paper(ROWS * ROW_MM * PX_PER_MM, COLUMNS * lead_px)
    count = min(len(recording.signal_mv), int(SECONDS * recording.sampling_rate_hz))
    x = np.arange(count) / recording.sampling_rate_hz * SPEED_MM_PER_S * PX_PER_MM
    for index, lead in enumerate(STANDARD_LEADS):
        left, middle = index // ROWS * lead_px, int((index % ROWS + 0.5) * ROW_MM * PX_PER_MM)
        trace = recording.signal_mv[:count, index]
        y = middle - (trace - np.median(trace)) * GAIN_MM_PER_MV * PX_PER_MM
        points = np.column_stack([x + left, y]) * (1 << SUBPIXEL_BITS)
        cv2.polylines(page, [points.round().astype(np.int32)], False, INK, 1, cv2.LINE_AA, SUBPIXEL_BITS)
        cv2.putText(page, lead, (left + 4, middle - 18), cv2.FONT_HERSHEY_SIMPLEX, 0.4, INK, 1, cv2.LINE_AA)
    return page


def _paper(height_px: int, width_px: int) -> NDArray[np.uint8]:
    """Grid of 1 mm and 5 mm squares."""
    page = np.full((height_px, width_px, 3), PAPER, np.uint8)
    page[::PX_PER_MM], page[:, ::PX_PER_MM] = FINE, FINE
    page[:: 5 * PX_PER_MM], page[:, :: 5 * PX_PER_MM] = COARSE, COARSE
    return page
