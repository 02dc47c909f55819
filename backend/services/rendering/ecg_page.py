"""A recording as a page that one can read, with what moved the answer as a shade behind the traces."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.leads import EcgRecording
from ml_model.ecg.page_renderer import Page, draw_page
from ml_model.ecg.page_style import PageStyle

PX_PER_MM = 7.0  # the page is 1,870 px wide
_GAIN = 10.0  # mm/mV
_LEAST_MM, _MOST_MM = 6.0, 60.0  # of room above and below the baseline of a lead
_FREE_MM = 1.5  # between the extremes of two leads
_FOOT_MM = 7.0  # of margin, with room for the scales
_STEPS = 8  # of the shade
_SHADE = np.array((255, 150, 60), np.float32)  # of the strongest cell, RGB
_SCALES = "25 mm/s   10 mm/mV   shade: what moved the answer"


def explained_page(recording: EcgRecording, activation_map: NDArray[np.float32]) -> NDArray[np.uint8]:
    """RGB (height, width, 3): all leads below each other on ECG paper, 25 mm/s and 10 mm/mV, none clipped or in
    another's way. activation_map: (rows, columns) over the time of the recording, >= 0."""
    page = draw_page(recording, _style(recording))
    _shade(page, activation_map.max(axis=0))
    at = round(6 * PX_PER_MM), page.pixels.shape[0] - round(2 * PX_PER_MM)
    cv2.putText(page.pixels, _SCALES, at, cv2.FONT_HERSHEY_SIMPLEX, 0.6, page.look.ink, 1, cv2.LINE_AA)
    return page.pixels


def _style(recording: EcgRecording) -> PageStyle:
    """Rows as far apart as two neighbours need, and room above the first and below the last."""
    signal = recording.signal_mv
    seen = np.isfinite(signal).any(axis=0)
    beyond = np.where(seen, signal, 0.0)
    beyond = beyond - np.nanmedian(beyond, axis=0)
    up, down = (np.clip(_GAIN * side, _LEAST_MM, _MOST_MM) for side in (np.nanmax(beyond, 0), -np.nanmin(beyond, 0)))
    apart = np.cumsum(down[:-1] + up[1:] + _FREE_MM)
    centres = up[0] + np.concatenate([[0.0], apart])
    return PageStyle(
        layout="12x1",
        rhythm_leads=(),
        row_mm=2 * float(down[-1]),
        row_centres_mm=tuple(centres.tolist()),
        px_per_mm=PX_PER_MM,
        margins_mm=(4.0, _FOOT_MM),
        label_position="left",
        calibration_pulse=False,
        header=False,
    )


def _shade(page: Page, strength: NDArray[np.float32]) -> None:
    """Colour the paper by the map (columns,) over the time that the traces take, in steps, which a PNG packs tightly.
    Multiplied, ink stays ink."""
    left = min(box.left_px for box in page.boxes)
    right = max(box.left_px + box.width_px for box in page.boxes)
    columns = page.pixels[:, round(left) : round(right)]
    share = strength / max(float(strength.max(initial=0)), float(np.finfo(np.float32).tiny))
    over_time = cv2.resize(share[None], (columns.shape[1], 1), interpolation=cv2.INTER_LINEAR)[0]
    steps = np.rint(over_time * _STEPS)
    edges = [0, *(np.flatnonzero(np.diff(steps)) + 1).tolist(), len(steps)]
    for begin, end in pairwise(edges):
        light = (1 - steps[begin] / _STEPS * (1 - _SHADE / 255)).astype(np.float32)
        columns[:, begin:end] = (columns[:, begin:end] * light + np.float32(0.5)).astype(np.uint8)
