"""How an ECG page is answered: from the signal read off it where that succeeds, else from the picture itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml_model.ecg.digitizer.page import PageReading, read_page
from ml_model.ecg.recording import network_signal
from ml_model.inference.predictor import Prediction, Predictor
from ml_model.inputs.images.geometry import place
from ml_model.tasks.registry import ImageTask


@dataclass(frozen=True)
class PageAnswer:
    """`signal_mv` (samples, 12) and `reading` are set where the signal answered and not the picture."""

    prediction: Prediction
    signal_mv: NDArray[np.float32] | None = None
    reading: PageReading | None = None


def page_quality(reading: PageReading) -> float:
    """Mean over the leads, 0-1."""
    return float(np.mean(list(reading.quality.values())))


def answer_page(
    rgb: Image.Image, task: ImageTask, pictures: Predictor | None, signals: Predictor | None
) -> PageAnswer | None:
    """One page, upright RGB with all its pixels. None when there is no model that can answer it."""
    reading = read_page(np.asarray(rgb)) if task.signal and signals else None
    if task.signal and signals and reading and page_quality(reading) >= task.signal.min_page_quality:
        signal_mv = network_signal(reading.recording, task.signal)
        return PageAnswer(signals.predict_signals(signal_mv[None]), signal_mv=signal_mv, reading=reading)
    if pictures is None:
        return None
    pixels, _ = place(rgb, task.input)
    return PageAnswer(pictures.predict(pixels[None]))
