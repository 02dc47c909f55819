"""From stored values to grey levels: modality and VOI tables, windows, or a stretch by percentiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from ml_model.inputs.dicom.elements import decimals, first_item, integer, text_of, values_of
from ml_model.inputs.dicom.header import DicomHeader, frame_item

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

LEVELS = 65_536
_HISTOGRAM_CHUNK_PX = 1 << 24
_PERCENTILES = (0.5, 99.5)


def table_item(dataset: Dataset, keyword: str) -> Dataset | None:
    """The first item of a sequence of look-up tables; None where it is missing or empty."""
    item = first_item(dataset, keyword)
    item.PixelRepresentation = integer(dataset, "PixelRepresentation", 0)  # is the first value signed?
    return item if values_of(item, "LUTDescriptor") and values_of(item, "LUTData") else None


def with_table(keyword: str, item: Dataset, dataset: Dataset) -> tuple[Dataset, range, int]:
    """A data set of this look-up table alone, the values that it covers, and the bits of an entry."""
    from pydicom.dataset import Dataset as NewDataset

    made = NewDataset()
    made.set_original_encoding(*dataset.original_encoding)
    made.PixelRepresentation = integer(dataset, "PixelRepresentation", 0)
    setattr(made, keyword, [item])
    entries, first, bits = (int(value) for value in decimals(item, "LUTDescriptor"))
    return made, range(first, first + (entries or LEVELS)), bits


def is_rescaled(header: DicomHeader) -> bool:
    """Whether the header says how stored values become what the device measured."""
    dataset = header.dataset
    return table_item(dataset, "ModalityLUTSequence") is not None or bool(decimals(_rescale(header), "RescaleSlope"))


def _rescale(header: DicomHeader) -> Dataset:
    dataset = header.dataset
    if decimals(dataset, "RescaleSlope"):
        return dataset
    return frame_item(dataset, "PixelValueTransformationSequence", header.facts.frame)


def modality_values(levels: NDArray[np.int64], header: DicomHeader) -> NDArray[np.float64]:
    """Stored values -> what the device measured: Hounsfield units and the like."""
    from pydicom.pixels.processing import apply_modality_lut

    dataset = header.dataset
    item = table_item(dataset, "ModalityLUTSequence")
    if item is not None:
        made, covered, _ = with_table("ModalityLUTSequence", item, dataset)
        return apply_modality_lut(np.clip(levels, covered[0], covered[-1]), made).astype(np.float64)
    source = _rescale(header)
    slope, intercept = decimals(source, "RescaleSlope")[:1], decimals(source, "RescaleIntercept")[:1]
    if not slope or slope[0] == 0:
        return levels.astype(np.float64)
    return np.asarray(levels * slope[0] + (intercept[0] if intercept else 0.0), np.float64)


def windowed(values: NDArray[np.float64], header: DicomHeader) -> NDArray[np.float64] | None:
    """Values through the VOI look-up table or the first window: 0 black to 1 white. None: there is none."""
    from pydicom.pixels.processing import apply_voi

    dataset = header.dataset
    item = table_item(dataset, "VOILUTSequence")
    if item is not None:
        made, covered, bits = with_table("VOILUTSequence", item, dataset)
        looked_up = apply_voi(np.clip(values, covered[0], covered[-1]).astype(np.int64), made)
        full_scale = 2**bits - 1 if looked_up.max() < 2**bits else LEVELS - 1
        return np.asarray(looked_up / full_scale, np.float64)
    in_frame = not decimals(dataset, "WindowWidth")
    source = frame_item(dataset, "FrameVOILUTSequence", header.facts.frame) if in_frame else dataset
    centres, widths = decimals(source, "WindowCenter"), decimals(source, "WindowWidth")
    if not centres or not widths or widths[0] <= 0:
        return None
    return through_window(values, centres[0], widths[0], text_of(source, "VOILUTFunction"))


def through_window(
    values: NDArray[np.float64], centre: float, width: float, function: str = "LINEAR"
) -> NDArray[np.float64]:
    """Values through a window: 0 black to 1 white. function: by its name in the standard, others are the linear one."""
    from pydicom.dataset import Dataset as NewDataset
    from pydicom.pixels.processing import apply_windowing

    window = NewDataset()  # of 8 bits, so that pydicom scales to 0..255
    window.PhotometricInterpretation, window.BitsStored, window.PixelRepresentation = "MONOCHROME2", 8, 0
    window.WindowCenter, window.WindowWidth = f"{centre:.9g}", f"{width:.9g}"
    exact = function == "LINEAR_EXACT" or (function != "SIGMOID" and width < 1)  # below 1 only that has a meaning
    window.VOILUTFunction = "LINEAR_EXACT" if exact else "SIGMOID" if function == "SIGMOID" else "LINEAR"
    return np.asarray(apply_windowing(values, window) / 255, np.float64)


def histogram(index: NDArray[np.uint16], length: int) -> NDArray[np.int64]:
    flat, counts = index.reshape(1, -1), np.zeros(length, np.int64)
    for start in range(0, flat.size, _HISTOGRAM_CHUNK_PX):  # the counts of a chunk are exact in single precision
        chunk = flat[:, start : start + _HISTOGRAM_CHUNK_PX]
        counts += cv2.calcHist([chunk], [0], None, [length], [0, length]).ravel().astype(np.int64)
    return counts


def stretched(
    values: NDArray[np.float64],
    counts: NDArray[np.int64],
    header: DicomHeader,
) -> NDArray[np.float64]:
    """Without a window: values stretched to 0..1 (see `decode_dicom`)."""
    layout, modality = header.layout, header.facts.modality
    occurring = counts > 0
    if not occurring.any():
        return np.zeros_like(values)
    low, high = float(values[occurring].min()), float(values[occurring].max())
    if modality != "CT" and layout.bits_stored <= 8:
        first = -(1 << layout.bits_stored - 1) if layout.signed else 0
        ends = modality_values(np.array([first, first + 2**layout.bits_stored - 1]), header)
        low, high = float(ends.min()), float(ends.max())
    elif modality != "CT":
        order = np.argsort(values, kind="stable")
        below = np.cumsum(counts[order])
        at = np.searchsorted(below, np.array(_PERCENTILES) / 100 * below[-1])
        inner_low, inner_high = values[order[np.minimum(at, len(order) - 1)]]
        if inner_high > inner_low:
            low, high = float(inner_low), float(inner_high)
    return np.clip((values - low) / (high - low), 0, 1) if high > low else np.zeros_like(values)
