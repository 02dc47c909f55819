"""A recording as it is kept: its signal and what a reader found, and nothing else that was in the files.

One line of JSON, then float32, little-endian, (time, 12), NaN where nothing was recorded: read back, it is the same
recording bit for bit. It may be sent like any other recording.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from ml_model.ecg.leads import (
    MV_PER_UNIT,
    STANDARD_LEADS,
    EcgRecording,
    RecordingLimits,
    require_rate,
    require_size,
)
from ml_model.errors import InputTooLarge, UnreadableInput

_MAGIC = b'{"kept_recording":1,'
_MAX_HEAD_BYTES = 4096
_FORMATS = frozenset({"WFDB", "CSV", "EDF", "DICOM", "page"})
_BYTES_PER_SAMPLE = 4 * len(STANDARD_LEADS)


class _Head(BaseModel):
    """Words of ours alone, so that no text of a file gets into it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kept_recording: int
    format: str
    sampling_rate_hz: float
    unit: str
    unit_told_by: str
    derived: list[str]
    samples: int

    def known(self) -> bool:
        words = (self.format in _FORMATS, self.unit in MV_PER_UNIT, self.unit_told_by in ("file", "amplitude"))
        return all(words) and set(self.derived) <= set(STANDARD_LEADS)


def as_kept(recording: EcgRecording, max_bytes: int) -> bytes:
    """The file. Raises InputTooLarge for one that could not be read again."""
    head: dict[str, Any] = {
        "kept_recording": 1, "format": recording.format, "sampling_rate_hz": float(recording.sampling_rate_hz),
        "unit": recording.unit, "unit_told_by": recording.unit_told_by, "derived": list(recording.derived),
        "samples": len(recording.signal_mv),
    }  # fmt: skip
    line = json.dumps(head, separators=(",", ":")).encode() + b"\n"
    if len(line) + _BYTES_PER_SAMPLE * len(recording.signal_mv) > max_bytes:
        raise InputTooLarge(
            f"the recording has {len(recording.signal_mv)} samples a lead, kept are at most "
            f"{max_bytes // _BYTES_PER_SAMPLE}; send the 12 leads of one resting ECG"
        )
    return line + recording.signal_mv.astype("<f4").tobytes()


def is_kept(data: bytes) -> bool:
    """Whether a file starts as one of ours."""
    return data.startswith(_MAGIC)


def read_kept(data: bytes, limits: RecordingLimits) -> EcgRecording:
    """Raises UnreadableInput (truncated, altered), OutOfRange (the rate), InputTooLarge."""
    line = data[: data.find(b"\n", 0, _MAX_HEAD_BYTES) + 1]
    try:
        head = _Head.model_validate_json(line)
    except ValidationError as error:
        raise _corrupt("its first line is not ours") from error
    require_size(len(STANDARD_LEADS), head.samples, limits)
    if not head.known() or len(data) != len(line) + _BYTES_PER_SAMPLE * head.samples:
        raise _corrupt("its first line does not fit the rest")
    signal_mv = np.frombuffer(data, "<f4", offset=len(line)).reshape(-1, len(STANDARD_LEADS)).astype(np.float32)
    if np.isinf(signal_mv).any():
        raise _corrupt("a value is infinite")
    rate_hz = require_rate(head.sampling_rate_hz)
    return EcgRecording(signal_mv, rate_hz, head.format, head.unit, head.unit_told_by, tuple(head.derived))


def _corrupt(what: str) -> UnreadableInput:
    return UnreadableInput(f"the kept recording is truncated or was altered ({what}); download it again")
