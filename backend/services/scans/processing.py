"""A picture prepared to be looked at: its region of interest, and views of it, kept in memory like heatmaps."""

from __future__ import annotations

import base64
import io
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from cachetools import TTLCache
from numpy.typing import NDArray
from PIL import Image

from backend.schemas.images import AnalyzeAnswer
from backend.schemas.scans.answers import RegionAnswer
from backend.schemas.scans.regions import (
    BoxAnswer,
    InterestAnswer,
    PixelSizeTold,
    ProcessAnswer,
    ProcessQuery,
    View,
    ViewsAnswer,
)
from backend.services.diagnosis import KEPT_BYTES, KEPT_S, ImageDiagnosis, Left
from backend.services.rendering.heatmaps import Heatmap, overlay_png, strong_regions
from backend.services.rendering.messages import REGION_NOTE
from backend.services.scans.answering import ScanDiagnosis, case_of
from backend.services.scans.region_of_interest import Region, enhanced, outlined, region_of
from backend.telemetry import RequestContext
from ml_model.diagnosis.routing import Files
from ml_model.errors import WrongModality
from ml_model.inputs.dicom.presentation import Presentation

LONGEST_PX = 1024  # of a view
_MARGIN = 0.1  # of the region's sides, around what is cut out
_COMPRESSION = 3
_AT_DETECTOR = ("CR", "DX", "RG", "MG")  # whose pixel spacing is not that of the body
_AS_ANSWERED = (
    "warning", "success", "headline", "triage", "prediction", "input_check", "model", "provenance", "demo_mode",
    "request_id", "disclaimer",
)  # fmt: skip
_Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class _PixelSize:
    """rows_mm, columns_mm: between rows, between columns."""

    rows_mm: float
    columns_mm: float
    told_by: PixelSizeTold
    at_detector: bool = False


class Processing:
    """Answers, and keeps the views of the last ones within the bounds of heatmaps."""

    def __init__(
        self, scans: ScanDiagnosis, images: ImageDiagnosis, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._scans, self._images = scans, images
        self._kept = TTLCache[tuple[str, str], Left[bytes]](
            KEPT_BYTES, KEPT_S, timer=timer, getsizeof=lambda one: len(one.content)
        )
        self._keeping = threading.Lock()

    def view(self, answer_id: str, name: str) -> Left[bytes] | None:
        """A view of a recent answer, PNG; None when it is unknown or has been dropped."""
        with self._keeping:
            return self._kept.get((answer_id, name))

    def process(self, files: Files, query: ProcessQuery, context: RequestContext) -> ProcessAnswer:
        """Raises what `ScanDiagnosis.route` and `ImageDiagnosis.analyze` raise, and WrongModality of recordings."""
        route = self._scans.route(files, query.modality, context)
        if route.recording or route.task.signal:
            raise WrongModality(
                f"this is an ECG, in which there is no region to outline; send it to /analyze/{route.task.id}"
            )
        asked = query.asked()
        if route.told_by == "request":
            asked = asked.model_copy(update={"modality": route.task.input.modality})
        answer = self._images.analyze(route.task, case_of(files, route, asked), asked, context)
        rgb = self._images.shown(files[0][1], LONGEST_PX, Presentation(query.frame, query.window), context)
        left = self._images.heatmap(context.answer_id) if answer.explanation.heatmap_url else None
        heatmap = left.content if left else None
        region = region_of(rgb, heatmap) if heatmap else None
        size, boxes = _pixel_size(answer, query), strong_regions(heatmap) if heatmap else []
        told: dict[str, Any] = {name: getattr(answer, name) for name in _AS_ANSWERED if name in answer.model_fields_set}
        return ProcessAnswer(
            **told,
            scan_type=self._scans.kind_of(answer, route), scan_type_told_by=route.told_by,
            width_px=heatmap.original_width_px if heatmap else None,
            height_px=heatmap.original_height_px if heatmap else None,
            pixel_size_mm=(size.rows_mm, size.columns_mm) if size else None,
            pixel_size_told_by=size.told_by if size else None, at_detector=bool(size and size.at_detector),
            region=_interest(region, heatmap, rgb, size) if region and heatmap else None,
            regions=tuple(RegionAnswer(x=x, y=y, w=w, h=h, score=score) for (x, y, w, h), score in boxes),
            views=self._views(rgb, region, heatmap, query, context), note=REGION_NOTE,
            processing_ms=context.elapsed_ms(),
        )  # fmt: skip

    def _views(
        self, rgb: _Pixels, region: Region | None, heatmap: Heatmap | None, query: ProcessQuery,
        context: RequestContext,
    ) -> ViewsAnswer:  # fmt: skip
        made: dict[View, _Pixels] = {"enhanced": enhanced(rgb)}
        if region is not None:
            made |= {"crop": _cut(rgb, region), "outline": outlined(rgb, region)}
            made["mask"] = region.mask.astype(np.uint8) * np.uint8(255)
        pngs: dict[View, bytes] = {name: _png(pixels) for name, pixels in made.items()}
        if query.images == "inline":
            told: dict[str, str] = {name: _data_url(data) for name, data in pngs.items()}
            overlay = _data_url(overlay_png(heatmap)) if heatmap else None
        else:
            with self._keeping:
                for name, data in pngs.items():
                    self._kept[context.answer_id, name] = Left(data, context.owner)
            told = {name: f"/regions/{context.answer_id}/{name}.png" for name in pngs}
            overlay = f"/heatmaps/{context.answer_id}.png" if heatmap else None
        return ViewsAnswer(
            crop=told.get("crop"), mask=told.get("mask"), outline=told.get("outline"), enhanced=told["enhanced"],
            heatmap=overlay,
        )  # fmt: skip


def _pixel_size(answer: AnalyzeAnswer, query: ProcessQuery) -> _PixelSize | None:
    facts = (answer.input_check.dicom or (None,))[0] if "dicom" in answer.input_check.model_fields_set else None
    if query.pixel_size_um is not None:
        return _PixelSize(query.pixel_size_um / 1000, query.pixel_size_um / 1000, "pixel_size_um")
    if facts is None or facts.pixel_spacing_mm is None:
        return None
    return _PixelSize(*facts.pixel_spacing_mm, "dicom", facts.modality in _AT_DETECTOR)


def _interest(region: Region, heatmap: Heatmap, rgb: _Pixels, size: _PixelSize | None) -> InterestAnswer:
    """In pixels of the upload, which the picture at hand shows reduced."""
    height, width = rgb.shape[:2]
    across, down = heatmap.original_width_px / width, heatmap.original_height_px / height
    x, y, w, h = region.box
    box = BoxAnswer(x=round(x * across), y=round(y * down), w=round(w * across), h=round(h * down))
    area_px = float(region.mask.sum()) * across * down
    # The outline runs through the middles of pixels.
    points = [(one + 0.5) * (across, down) for one in region.contours]
    return InterestAnswer(
        box=box,
        contours=tuple(tuple((round(px, 1), round(py, 1)) for px, py in one.tolist()) for one in points),
        area_px=round(area_px, 1),
        area_mm2=round(area_px * size.rows_mm * size.columns_mm, 4) if size else None,
        size_mm=(round(box.w * size.columns_mm, 3), round(box.h * size.rows_mm, 3)) if size else None,
        share_of_picture=float(region.mask.mean()),
    )


def _cut(rgb: _Pixels, region: Region) -> _Pixels:
    x, y, w, h = region.box
    across, down = round(_MARGIN * w), round(_MARGIN * h)
    return rgb[max(0, y - down) : y + h + down, max(0, x - across) : x + w + across]


def _png(pixels: _Pixels) -> bytes:
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG", compress_level=_COMPRESSION)
    return written.getvalue()


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
