"""Which part of a picture moved the answer: region, overlay, numbers."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from backend.schemas.images import ActivationMapAnswer, ExplanationAnswer
from backend.services.rendering import messages as messages
from backend.services.rendering.ecg_page import explained_page
from ml_model.diagnosis.case import CaseResult, SignalView, View
from ml_model.ecg.leads import EcgRecording
from ml_model.inputs.images.geometry import Frame

OVERLAY_LONG_SIDE_PX = 448
STRONGEST_TINT = 0.6
PEAK_SHARE = 0.5
MAP_DECIMALS = 5
PX_PER_S = 75  # to which the place of a peak in a recording is told


@dataclass(frozen=True)
class Heatmap:
    """What an overlay is drawn from. The picture or the recording is the model's input, not the upload."""

    shown: NDArray[np.uint8] | EcgRecording  # RGB (height_px, width_px, 3), or a recording, drawn when it is asked for
    activation_map: NDArray[np.float32]  # (rows, columns), >= 0
    frame: Frame  # what `pixels` shows of the upload, in the upload's pixels
    original_width_px: int
    original_height_px: int
    explained: str = ""  # code of the class

    @property
    def duration_s(self) -> float | None:
        """What the width stands for, of a recording."""
        if not isinstance(self.shown, EcgRecording):
            return None
        return len(self.shown.signal_mv) / self.shown.sampling_rate_hz


def peak_region(heatmap: Heatmap) -> tuple[int, int, int, int] | None:
    """Box (x, y, width, height) in original pixels around the map's peak, the first of `strong_regions`; None for a map
    without any activation: nothing spoke for the class."""
    return next((box for box, _ in strong_regions(heatmap)), None)


def strong_regions(heatmap: Heatmap) -> list[tuple[tuple[int, int, int, int], float]]:
    """Boxes (x, y, width, height) in original pixels around the connected cells of a map that reach half its peak, each
    with its strongest cell as a share of the peak, the strongest first; none for a map without any activation."""
    cells = heatmap.activation_map
    peak = float(cells.max(initial=0))
    if peak <= 0:
        return []
    strong = (cells >= PEAK_SHARE * peak).astype(np.uint8)
    count, found = cv2.connectedComponents(strong, connectivity=4)
    labels = np.asarray(found).reshape(cells.shape)
    parts = [labels == label for label in range(1, count)]
    parts.sort(key=lambda inside: -float(cells[inside].max()))
    return [(_box(heatmap, inside), float(cells[inside].max()) / peak) for inside in parts]


def _box(heatmap: Heatmap, inside: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Of some cells of the map, in original pixels."""
    rows, columns = inside.shape
    ys, xs = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    frame = heatmap.frame
    shares = np.array([xs[0], xs[-1] + 1]) / columns
    if frame.mirrored:
        shares = 1 - shares[::-1]
    x, width = _clipped(frame.left_px + shares * frame.width_px, heatmap.original_width_px)
    shares = np.array([ys[0], ys[-1] + 1]) / rows
    y, height = _clipped(frame.top_px + shares * frame.height_px, heatmap.original_height_px)
    return x, y, width, height


def _clipped(edges: NDArray[np.float64], size_px: int) -> tuple[int, int]:
    """Start and length of the interval between two rising edges within 0..size_px, at least one pixel.

    One that lies outside shows a reflection: what it reflects is told.
    """
    if edges[1] <= 0 or edges[0] >= size_px:
        centre = float(edges.mean())
        within_period = centre % (2 * size_px)
        edges = edges - centre + min(within_period, 2 * size_px - within_period)
    start, end = np.clip(np.rint(edges), 0, size_px).astype(int).tolist()
    start = min(start, size_px - 1)
    return start, max(1, end - start)


def overlay_png(heatmap: Heatmap) -> bytes:
    """What the model saw, in the upload's proportions and sides, tinted by the map, or the recording as a page; PNG
    bytes."""
    if isinstance(heatmap.shown, EcgRecording):
        page = cv2.cvtColor(explained_page(heatmap.shown, heatmap.activation_map), cv2.COLOR_RGB2BGR)
        return _png(page, (cv2.IMWRITE_PNG_COMPRESSION, 4, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP))
    frame = heatmap.frame
    scale = OVERLAY_LONG_SIDE_PX / max(frame.width_px, frame.height_px)
    size = (max(1, round(frame.width_px * scale)), max(1, round(frame.height_px * scale)))
    picture = cv2.cvtColor(cv2.resize(heatmap.shown, size, interpolation=cv2.INTER_LINEAR), cv2.COLOR_RGB2BGR)
    cells = cv2.resize(heatmap.activation_map, size, interpolation=cv2.INTER_CUBIC)
    strength = np.clip(cells / max(float(cells.max()), 1e-12), 0, 1)
    colours = cv2.applyColorMap(np.rint(strength * np.iinfo(np.uint8).max).astype(np.uint8), cv2.COLORMAP_TURBO)
    tint = (STRONGEST_TINT * strength)[..., None]
    blended = np.rint(picture * (1 - tint) + colours * tint).astype(np.uint8)
    return _png(blended[:, ::-1] if frame.mirrored else blended)


def _png(bgr: MatLike, settings: Sequence[int] = ()) -> bytes:
    written, encoded = cv2.imencode(".png", bgr, settings)
    if not written:
        raise RuntimeError("the PNG encoder refused the overlay")
    return encoded.tobytes()


def explaining_view(result: CaseResult, class_id: int) -> View | None:
    """The view that speaks most for a class; None where there are no maps."""
    mapped = [view for view in result.views if view.maps.size]
    return max(mapped, key=lambda view: float(view.probabilities[class_id])) if mapped else None


def heatmap_of(view: View, class_id: int, code: str) -> Heatmap:
    """What the overlay of one class is drawn from: its place among the maps, and its code."""
    # Copied: a view would keep the maps of all classes and the engine's buffer alive.
    cells = view.maps[class_id].astype(np.float32, copy=True)
    if isinstance(view, SignalView):
        recording, width_px = EcgRecording(view.signal_mv, view.sampling_rate_hz), round(view.duration_s * PX_PER_S)
        return Heatmap(recording, cells, Frame(0, 0, width_px, 1), width_px, 1, code)
    return Heatmap(view.pixels, cells, view.frame, *view.original_size_px, code)


def explanation(heatmap: Heatmap, *, inline: bool = False, address: str | None = None) -> ExplanationAnswer:
    """Method, place of the peak and note, with the overlay in the answer or at an address."""
    region = peak_region(heatmap)
    shared: dict[str, Any] = {"method": messages.MAP_METHOD, "explained": heatmap.explained, "note": messages.MAP_NOTE}
    if heatmap.duration_s is None:
        shared["peak_region"] = region
    else:
        shared |= {
            "peak_region": None,
            "peak_seconds": _seconds_of(region, heatmap.duration_s / heatmap.original_width_px),
        }
    if inline:
        return ExplanationAnswer(heatmap_png_base64=base64.b64encode(overlay_png(heatmap)).decode("ascii"), **shared)
    return ExplanationAnswer(heatmap_url=f"{address}.png", map_url=f"{address}.json", **shared)


def unexplained(code: str, reason: str) -> ExplanationAnswer:
    """An answer without a heatmap says why."""
    note = messages.NO_MAP_NOTE.format(reason=reason)
    return ExplanationAnswer(method="none", explained=code, heatmap_url=None, peak_region=None, note=note)


def _seconds_of(region: tuple[int, int, int, int] | None, s_per_px: float) -> tuple[float, float] | None:
    """A region's left and right edge as times."""
    return region and (round(region[0] * s_per_px, 2), round((region[0] + region[2]) * s_per_px, 2))


def activation_map_answer(heatmap: Heatmap) -> ActivationMapAnswer:
    """The map as numbers, turned to the upload's sides, and where in the upload (or when in the recording) it lies."""
    cells = heatmap.activation_map[:, ::-1] if heatmap.frame.mirrored else heatmap.activation_map
    peak = float(cells.max(initial=0))
    values = (cells / max(peak, float(np.finfo(np.float32).tiny))).round(MAP_DECIMALS)
    frame, rows, columns = heatmap.frame, *cells.shape
    box = (frame.left_px, frame.top_px, frame.width_px, frame.height_px)
    return ActivationMapAnswer(
        success=True,
        method=messages.MAP_METHOD,
        explained=heatmap.explained,
        rows=rows,
        columns=columns,
        values=tuple(tuple(row) for row in values.tolist()),
        peak=peak,
        frame=None if heatmap.duration_s is not None else box,
        seconds=None if heatmap.duration_s is None else (0.0, heatmap.duration_s),
        note=messages.MAP_NOTE,
    )


def heatmap_bytes(heatmap: Heatmap) -> int:
    """What one keeps in memory."""
    shown = heatmap.shown.signal_mv if isinstance(heatmap.shown, EcgRecording) else heatmap.shown
    return held_bytes(shown) + held_bytes(heatmap.activation_map)


def held_bytes(array: NDArray[Any]) -> int:
    """What an array keeps in memory: of a view, all that it looks into."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.nbytes
