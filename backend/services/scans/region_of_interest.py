"""The part of a picture that an activation map points at, outlined by the picture's own levels. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.services.rendering.heatmaps import Heatmap

Mask = NDArray[np.bool_]
# Chosen on the 52 validation pictures of BUSI with a lesion, by the mean Dice (benchmarks/scans/regions.py).
_LONG_SIDE_PX = 256  # of the copy on which it is outlined
_WITHIN_FROM = 0.45  # share of the map's peak from which on a pixel may belong to it
_SMOOTHING_PX, _OPENING_PX = 2.0, 5
_CLAHE_LIMIT, _CLAHE_TILES = 2.0, (8, 8)
_OUTLINE_EXACT_PX = 1.0


@dataclass(frozen=True)
class Region:
    """mask: (height, width) of the picture that was given. contours: outer outlines as (points, 2) x and y in its
    pixels."""

    mask: Mask
    contours: tuple[NDArray[np.int32], ...]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x, y, width, height."""
        rows, columns = np.flatnonzero(self.mask.any(axis=1)), np.flatnonzero(self.mask.any(axis=0))
        return int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


def region_of(rgb: NDArray[np.uint8], heatmap: Heatmap) -> Region | None:
    """Where the map is strong, the darker or the brighter part of the picture: whichever the map lies on more, as one
    connected area without holes. None for a map without any activation.

    rgb: the whole upright picture (height, width, 3), at any scale.
    """
    height, width = rgb.shape[:2]
    scale = min(1.0, _LONG_SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.cvtColor(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    strength = map_over(heatmap, size)
    within = strength >= _WITHIN_FROM
    if not within.any():
        return None
    found = _tidy(_levels_apart(np.asarray(small, np.uint8), strength, within), strength)
    soft = cv2.resize(found.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    mask = np.asarray(soft) >= 0.5
    if not mask.any():
        return None
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    exact = (cv2.approxPolyDP(one, _OUTLINE_EXACT_PX, True).reshape(-1, 2) for one in outlines)
    return Region(mask, tuple(np.asarray(one, np.int32) for one in exact))


def enhanced(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same with its contrast evened out part by part (CLAHE) in lightness; colours stay."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(_CLAHE_LIMIT, _CLAHE_TILES).apply(lab[..., 0])
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def outlined(rgb: NDArray[np.uint8], region: Region) -> NDArray[np.uint8]:
    """The picture with the region's outline drawn on it."""
    width_px = max(1, round(max(rgb.shape[:2]) / 300))
    return np.asarray(cv2.drawContours(rgb.copy(), list(region.contours), -1, (255, 210, 0), width_px), np.uint8)


def map_over(heatmap: Heatmap, size: tuple[int, int]) -> NDArray[np.float32]:
    """The map as shares of its peak, at each pixel of the whole picture reduced to `size` (width, height)."""
    cells, frame, (width, height) = heatmap.activation_map, heatmap.frame, size
    if (peak := float(cells.max(initial=0))) <= 0:
        return np.zeros((height, width), np.float32)
    cells = np.ascontiguousarray(cells[:, ::-1] if frame.mirrored else cells) / np.float32(peak)
    rows, columns = cells.shape
    x_px = (np.arange(width) + 0.5) * heatmap.original_width_px / width
    y_px = (np.arange(height) + 0.5) * heatmap.original_height_px / height
    xs = ((x_px - frame.left_px) / frame.width_px * columns - 0.5).astype(np.float32)
    ys = ((y_px - frame.top_px) / frame.height_px * rows - 0.5).astype(np.float32)
    inside = ((xs > -1) & (xs < columns))[None] & ((ys > -1) & (ys < rows))[:, None]
    grid_x, grid_y = np.meshgrid(xs, ys)
    drawn = cv2.remap(cells, grid_x, grid_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.clip(np.where(inside, drawn, 0), 0, 1).astype(np.float32)


def _levels_apart(grey: NDArray[np.uint8], strength: NDArray[np.float32], within: Mask) -> Mask:
    """Of the pixels within, those darker or those brighter than Otsu's threshold."""
    smooth = np.asarray(cv2.GaussianBlur(grey, (0, 0), _SMOOTHING_PX))
    levels = smooth[within]
    if levels.min() == levels.max():
        return within
    threshold, _ = cv2.threshold(levels.reshape(1, -1), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    dark, bright = within & (smooth <= threshold), within & (smooth > threshold)
    return dark if strength[dark].mean() >= strength[bright].mean() else bright


def _tidy(found: Mask, strength: NDArray[np.float32]) -> Mask:
    """The connected part with most of the map, without thin structures and holes."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_OPENING_PX, _OPENING_PX))
    opened = np.asarray(cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, disc), np.uint8)
    opened = opened if opened.any() else found.astype(np.uint8)
    count, labels = cv2.connectedComponents(opened, connectivity=4)
    weights = np.bincount(np.asarray(labels).ravel(), strength.ravel(), count)
    chosen = (np.asarray(labels) == 1 + int(weights[1:].argmax())).astype(np.uint8)
    outlines, _ = cv2.findContours(chosen, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(chosen, outlines, -1, 1, cv2.FILLED)) > 0
