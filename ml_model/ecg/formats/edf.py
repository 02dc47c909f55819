"""Reader of EDF and EDF+C files, by edfio.

edfio believes what a header says, and warns where the file is shorter. So the counts are checked against the file's
size first, and it is given a file whose header and length agree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.leads import (
    FileSignals,
    LeadSignal,
    RecordingLimits,
    finite_number,
    lead_of,
    require_rate,
    require_size,
    required_unit,
)
from ml_model.errors import MediDiagnoseError, UnreadableInput, UnsupportedFormat

if TYPE_CHECKING:
    from edfio import EdfSignal

_HEADER_BYTES = 256  # and as many for every signal
_BEFORE_SAMPLES_BYTES = 216  # of each signal's header; its fields stand in columns, each for all signals
_BYTES_PER_SAMPLE = 2
_MAX_NUMBER = 1e12


def is_edf(data: bytes) -> bool:
    """Whether a file starts as EDF or EDF+ do: version 0 and, in its place, the length of the header."""
    return data.startswith(b"0       ") and re.fullmatch(rb"\d{3,5} *", data[184:192]) is not None


def read_edf(data: bytes, limits: RecordingLimits) -> FileSignals:
    """Raises UnreadableInput (truncated, corrupt), UnsupportedFormat (with gaps), OutOfRange, InputTooLarge."""
    whole = _whole(data, limits)
    try:
        return _standard_leads(whole)
    except MediDiagnoseError:
        raise
    except Exception as error:  # what is no number in a signal's header
        raise _corrupt("a minimum or maximum of a signal is no number") from error


@dataclass(frozen=True)
class _Whole:
    """A file that is as long as its header says; `rate_hz` is that of its first signal."""

    content: bytes
    rate_hz: float


def _whole(data: bytes, limits: RecordingLimits) -> _Whole:
    head = data[:_HEADER_BYTES].decode("latin-1")
    if len(head) < _HEADER_BYTES:
        raise _corrupt("truncated in its header")
    if head[192:197] == "EDF+D":
        raise UnsupportedFormat("an EDF+D recording, with gaps in it, is not read; export it as continuous EDF")
    records = int(_number(head[236:244], "the number of data records"))
    duration_s = _number(head[244:252], "the duration of a record")
    count = int(_number(head[252:256], "their number"))
    require_size(count, 1, limits)
    if duration_s <= 0:
        raise _corrupt("its data records last no time")
    samples, start = _samples_per_record(data, count), _HEADER_BYTES * (count + 1)
    record_bytes = _BYTES_PER_SAMPLE * sum(samples)
    held = (len(data) - start) // record_bytes
    records = held if records < 0 else records  # -1 while it is being recorded
    if held < records:
        raise UnreadableInput(f"the EDF file is truncated: it holds {held} of {records} data records; send it again")
    require_size(count, records * max(samples), limits)
    counts = f"{records:<8}{head[244:252]}{count:<4}".encode("latin-1")
    header = data[:184] + f"{start:<8}".encode() + data[192:236] + counts + data[_HEADER_BYTES:start]
    return _Whole(header + data[start : start + records * record_bytes], samples[0] / duration_s)


def _samples_per_record(data: bytes, count: int) -> list[int]:
    """Of every signal. Raises UnreadableInput."""
    if len(data) < _HEADER_BYTES * (count + 1):
        raise _corrupt("truncated in its header")
    start = _HEADER_BYTES + _BEFORE_SAMPLES_BYTES * count
    fields = [data[start + 8 * index : start + 8 * (index + 1)].decode("latin-1") for index in range(count)]
    samples = [int(_number(field, "a number of samples")) for field in fields]
    if min(samples) < 1:
        raise _corrupt(f"a signal of {min(samples)} samples a record")
    return samples


def _standard_leads(whole: _Whole) -> FileSignals:
    """The first signal of each standard lead."""
    from edfio import read_edf as opened

    wanted: dict[str, EdfSignal] = {}
    for signal in opened(whole.content, header_encoding="latin-1").signals:
        if lead := lead_of(signal.label):
            wanted.setdefault(lead, signal)
    rates = {signal.sampling_frequency for signal in wanted.values()} or {whole.rate_hz}
    if len(rates) > 1:
        raise UnsupportedFormat("the leads of the EDF file have different sampling rates; export them with one")
    leads = {lead: LeadSignal(_values(s), required_unit(s.physical_dimension, lead)) for lead, s in wanted.items()}
    return FileSignals("EDF", require_rate(rates.pop()), leads)


def _values(signal: EdfSignal) -> NDArray[np.float32]:
    """(time,) in the signal's unit. Raises UnreadableInput where minimum and maximum give no scale."""
    (low, high), (first, last) = signal.physical_range, signal.digital_range
    if not all(abs(end) <= _MAX_NUMBER for end in (low, high, first, last)):
        raise _corrupt("minimum or maximum of a signal is not finite")
    # Without a scale edfio gives the stored numbers, as if they were voltages.
    if first == last or not (high - low) / (last - first):
        raise _corrupt("minimum and maximum of a signal are equal")
    values = signal.data.astype(np.float32)
    if not np.isfinite(values).all():
        raise _corrupt("minimum and maximum of a signal are as good as equal")
    return values


def _corrupt(what: str) -> UnreadableInput:
    return UnreadableInput(f"the content starts as EDF but is corrupt ({what}); export the recording again")


def _number(text: str, what: str) -> float:
    return finite_number(text, what, _corrupt, _MAX_NUMBER)
