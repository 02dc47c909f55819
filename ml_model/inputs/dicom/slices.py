"""Where the slices of a series lie, from their headers alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ml_model.errors import MediDiagnoseError
from ml_model.inputs.dicom.elements import decimals, integer, opened, our_errors, text_of
from ml_model.inputs.dicom.header import person_of
from ml_model.inputs.file_type import sniff_format
from ml_model.sandbox.worker import Announce

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_TAGS = [
    "SeriesInstanceUID", "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient", "SliceLocation",
    "PatientID", "PatientName", "PatientBirthDate", "NumberOfFrames", "Rows",
]  # fmt: skip


@dataclass(frozen=True)
class SliceFacts:
    """series_sha256: tells series apart; person_sha256: persons, None where the file names none. place_mm: along the
    normal of the slices; number: as the device counted; None where the header does not say."""

    series_sha256: str
    person_sha256: str | None
    place_mm: float | None
    number: int | None
    frames: int


@dataclass(frozen=True)
class SlicesOfFiles:
    """Files of which only their place in a series is asked."""

    files: tuple[bytes, ...]

    def read(self, announce: Announce | None = None, /) -> tuple[SliceFacts | None, ...]:
        """None for each that is no DICOM picture, or is damaged."""
        return tuple(_slice_of(data) for data in self.files)


def _slice_of(data: bytes) -> SliceFacts | None:
    if sniff_format(data) != "DICOM":
        return None
    try:
        with our_errors(lambda: "its header makes no sense"):
            from pydicom import dcmread

            dataset = dcmread(opened(data), force=True, stop_before_pixels=True, specific_tags=list(_TAGS))
            if "Rows" not in dataset:
                return None
            series = text_of(dataset, "SeriesInstanceUID")
            return SliceFacts(
                hashlib.sha256(series.encode()).hexdigest(), person_of(dataset), _place_mm(dataset),
                integer(dataset, "InstanceNumber", 0) or None, max(1, integer(dataset, "NumberOfFrames", 1)),
            )  # fmt: skip
    except MediDiagnoseError:
        return None


def _place_mm(dataset: Dataset) -> float | None:
    position, axes = decimals(dataset, "ImagePositionPatient"), decimals(dataset, "ImageOrientationPatient")
    if len(position) == 3 and len(axes) == 6:
        return float(np.dot(position, np.cross(axes[:3], axes[3:])))
    return next(iter(decimals(dataset, "SliceLocation")), None)
