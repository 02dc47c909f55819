"""From the picture of an ECG page to what the network of recordings takes, where the page can be read well enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml_model.ecg.digitizer.page import PageReading, read_page
from ml_model.ecg.recording import network_signal
from ml_model.tasks.image_schema import SignalInput

__all__ = ["PageReading", "PageSignal", "page_quality", "read_signal"]


@dataclass(frozen=True)
class PageSignal:
    """signal_mv: float32 (samples, 12), what the network takes, zeros where the page shows nothing of a lead."""

    signal_mv: NDArray[np.float32]
    reading: PageReading

    @property
    def shown_mv(self) -> NDArray[np.float32]:
        """The network's signal with NaN where the page shows nothing of a lead."""
        read_mv = self.reading.recording.signal_mv
        rows = np.linspace(0, len(read_mv) - 1, len(self.signal_mv)).round().astype(np.int64)
        return np.where(np.isnan(read_mv[rows]), np.nan, self.signal_mv).astype(np.float32)


def page_quality(reading: PageReading) -> float:
    """Mean over the leads, 0-1."""
    return float(np.mean(list(reading.quality.values())))


def read_signal(rgb: Image.Image, signal_input: SignalInput) -> PageSignal | None:
    """One page, upright RGB with all its pixels. None where its leads cannot be read well enough to be answered."""
    reading = read_page(np.asarray(rgb))
    if reading is None or page_quality(reading) < signal_input.min_page_quality:
        return None
    return PageSignal(network_signal(reading.recording, signal_input), reading)
