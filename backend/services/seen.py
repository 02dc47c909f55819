"""What a model made of an upload, before it is put into words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.schemas_image import InputCheckAnswer, RecordingAnswer
from backend.services.heatmaps import Heatmap
from backend.services.loading import LoadedModel
from ml_model.diagnosis.population import Judgement
from ml_model.inference.predictor import Predictor
from ml_model.inputs.images.geometry import Frame


@dataclass(frozen=True)
class View:
    """One picture with its own probabilities (classes,) and maps (classes, rows, columns).

    duration_s: what the width stands for, where the picture is a drawing of a recording.
    """

    pixels: NDArray[np.uint8]
    frame: Frame
    original_size_px: tuple[int, int]  # width, height
    probabilities: NDArray[np.float32]
    maps: NDArray[np.float32]
    duration_s: float | None = None

    def heatmap(self, index: int, code: str) -> Heatmap:
        """What the overlay of one class is drawn from: its index among the maps, and its code."""
        # Copied: a view would keep the maps of all classes and the engine's buffer alive.
        cells = self.maps[index].astype(np.float32, copy=True)
        return Heatmap(self.pixels, cells, self.frame, *self.original_size_px, code, self.duration_s)

    def seconds_of(self, region: tuple[int, int, int, int] | None) -> tuple[float, float] | None:
        """A region's left and right edge as times."""
        if region is None or self.duration_s is None:
            return None
        per_px = self.duration_s / self.original_size_px[0]
        return round(region[0] * per_px, 2), round((region[0] + region[2]) * per_px, 2)


@dataclass(frozen=True)
class Seen:
    """Probabilities (classes,) of the case and the views they were averaged from. `loaded` is None in demo mode."""

    probabilities: NDArray[np.float32]
    views: tuple[View, ...]
    input_check: InputCheckAnswer
    loaded: LoadedModel | None
    judged: Judgement | None
    recording: RecordingAnswer | None = None

    def explained_by(self, index: int) -> View | None:
        """The view that speaks most for a class; None where there are no maps."""
        mapped = [view for view in self.views if view.maps.size]
        return max(mapped, key=lambda view: float(view.probabilities[index])) if mapped else None


def predictor_of(loaded: LoadedModel) -> Predictor:
    """The engine of an image task."""
    assert isinstance(loaded.engine, Predictor)  # noqa: S101 - ties the engine's type to the task's
    return loaded.engine
