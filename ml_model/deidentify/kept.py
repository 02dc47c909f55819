"""What a copy of a file is, that is kept."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KeptFile:
    """What may be kept of a picture or a recording. frames: that the file held; of all but DICOM the first is kept.
    warnings: what the pixels may tell all the same."""

    data: bytes
    format: str
    frames: int
    warnings: tuple[str, ...] = ()
