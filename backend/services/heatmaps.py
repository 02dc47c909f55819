"""Which part of a picture moved the answer: the region, the overlay, and the answers' last maps in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

KEPT_ANSWERS = 256
OVERLAY_LONG_SIDE_PX = 448
STRONGEST_TINT = 0.6
PEAK_SHARE = 0.5


@dataclass(frozen=True)
class Heatmap:
    """What an overlay is drawn from. The picture is the model's input, not the upload."""

    pixels: NDArray[np.uint8]  # (height_px, width_px, 3) RGB
    activation_map: NDArray[np.float32]  # (rows, columns), >= 0
    original_width_px: int
    original_height_px: int


def peak_region(heatmap: Heatmap) -> tuple[int, int, int, int] | None:
    """Box (x, y, width, height) in original pixels around the map's peak.

    The connected cells around the strongest one that reach half its value. None for a map
    without any activation: nothing spoke for the class.
    """
    cells = heatmap.activation_map
    rows, columns = cells.shape
    peak = float(cells.max(initial=0))
    if peak <= 0:
        return None
    strong = (cells >= PEAK_SHARE * peak).astype(np.uint8)
    _, labels = cv2.connectedComponents(strong, connectivity=4)
    labels = np.asarray(labels).reshape(rows, columns)
    row, column = np.unravel_index(int(cells.argmax()), cells.shape)
    inside = labels == labels[row, column]
    ys, xs = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    x0 = round(int(xs[0]) * heatmap.original_width_px / columns)
    x1 = round((int(xs[-1]) + 1) * heatmap.original_width_px / columns)
    y0 = round(int(ys[0]) * heatmap.original_height_px / rows)
    y1 = round((int(ys[-1]) + 1) * heatmap.original_height_px / rows)
    return x0, y0, max(1, x1 - x0), max(1, y1 - y0)


def overlay_png(heatmap: Heatmap) -> bytes:
    """The picture, in the upload's proportions, tinted by the map; PNG bytes."""
    scale = OVERLAY_LONG_SIDE_PX / max(heatmap.original_width_px, heatmap.original_height_px)
    size = (max(1, round(heatmap.original_width_px * scale)), max(1, round(heatmap.original_height_px * scale)))
    picture = cv2.cvtColor(cv2.resize(heatmap.pixels, size, interpolation=cv2.INTER_LINEAR), cv2.COLOR_RGB2BGR)
    cells = cv2.resize(heatmap.activation_map, size, interpolation=cv2.INTER_CUBIC)
    strength = np.clip(cells / max(float(cells.max()), 1e-12), 0, 1)
    colours = cv2.applyColorMap(np.rint(strength * np.iinfo(np.uint8).max).astype(np.uint8), cv2.COLORMAP_TURBO)
    tint = (STRONGEST_TINT * strength)[..., None]
    blended = np.rint(picture * (1 - tint) + colours * tint).astype(np.uint8)
    written, encoded = cv2.imencode(".png", blended)
    if not written:
        raise RuntimeError("the PNG encoder refused the overlay")
    return encoded.tobytes()


class HeatmapStore:
    """The maps of the last answers, in memory only: a picture of a patient is not written to disk."""

    def __init__(self, size: int = KEPT_ANSWERS) -> None:
        self._size = size
        self._kept: OrderedDict[str, Heatmap] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, answer_id: str, heatmap: Heatmap) -> None:
        """Keep a map; the oldest one goes when there are too many."""
        with self._lock:
            self._kept[answer_id] = heatmap
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def get(self, answer_id: str) -> Heatmap | None:
        """The map of an answer, or None when it is unknown or has been dropped."""
        with self._lock:
            return self._kept.get(answer_id)
