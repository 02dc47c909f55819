"""Reader of WFDB records, a text header and the signal files it names, in memory.

The wfdb package reads from folders only, and no upload is to be stored; the tests hold this reader to its results.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

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
from ml_model.errors import UnreadableInput, UnsupportedFormat

_MAX_HEADER_BYTES = 64 * 2**10
_MAX_LINE_CHARACTERS = 1000  # what is behind them in a line is not looked at; lines have about 80
_RECORD = re.compile(
    r"(?P<name>[-\w]+)(?P<segments>/\d+)?\s+(?P<signals>\d{1,6})"
    r"(?:\s+(?P<rate>[\d.eE+-]{1,24})(?:/\S*)?(?:\s+(?P<samples>\d{1,15})(?:\s.*)?)?)?"
)
_STORED = re.compile(
    r"(?P<format>\d{1,4})(?:x(?P<per_frame>\d{1,6}))?(?::(?P<skew>\d{1,9}))?(?:\+(?P<offset>\d{1,9}))?"
)
_LETTER = re.compile(r"[^\W\d]")
_GAIN = re.compile(r"(?P<gain>[\d.eE+-]{1,24})(?:\((?P<baseline>-?\d{1,10})\))?(?:/(?P<unit>\S+))?")
_DEFAULT_RATE_HZ, _DEFAULT_GAIN = 250.0, 200.0  # of the WFDB format, where a header is silent
_MIN_GAIN, _MAX_GAIN = 1e-6, 1e9
# Bytes of so many samples, and the value that stands for "not recorded".
_BYTES_OF_SAMPLES = {"16": (2, 1), "61": (2, 1), "160": (2, 1), "80": (1, 1), "24": (3, 1), "32": (4, 1), "212": (3, 2)}
_NOT_RECORDED = {"16": -(2**15), "61": -(2**15), "160": -(2**15), "80": -(2**7), "24": -(2**23)}
_NOT_RECORDED |= {"32": -(2**31), "212": -(2**11)}


@dataclass(frozen=True)
class WfdbSignal:
    """One signal line of a WFDB header."""

    file: str
    format: str
    offset: int  # bytes before the first sample
    gain: float  # stored units per `unit`
    baseline: int
    unit: str
    checksum: int  # of all samples, modulo 2^16; 0 where the header does not say
    name: str


@dataclass(frozen=True)
class WfdbHeader:
    sampling_rate_hz: float
    samples: int  # 0 where the header does not say
    signals: tuple[WfdbSignal, ...]

    @property
    def files(self) -> list[str]:
        """Names of the signal files, each once, in the header's order."""
        return list(dict.fromkeys(signal.file for signal in self.signals))


def _header_lines(data: bytes) -> list[str]:
    text = data[:_MAX_HEADER_BYTES].decode("utf-8-sig", errors="replace")
    lines = [line.strip()[:_MAX_LINE_CHARACTERS] for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def is_wfdb_header(data: bytes) -> bool:
    """Whether a file is the text that describes a WFDB record."""
    if b"\0" in data[:_MAX_HEADER_BYTES]:
        return False
    lines = _header_lines(data)
    record = _RECORD.fullmatch(lines[0]) if lines else None
    return bool(record and (record["segments"] or (len(lines) > 1 and _signal_fields(lines[1]))))


def _signal_fields(line: str) -> tuple[str, re.Match[str], str] | None:
    """File, how it is stored and the rest of a signal line; None where it does not start with the two."""
    fields = [*line.split(maxsplit=2), "", ""]
    stored = _STORED.fullmatch(fields[1])
    return (fields[0], stored, fields[2]) if stored and _LETTER.search(fields[0]) else None


def _corrupt_header(what: str) -> UnreadableInput:
    return UnreadableInput(f"the WFDB header (.hea) is corrupt: {what}; export the record again")


def _wfdb_signal(line: str) -> WfdbSignal:
    """Raises UnreadableInput (malformed), UnsupportedFormat (a storage format that is not read)."""
    fields = _signal_fields(line)
    if fields is None:
        raise _corrupt_header("a signal line has no file name and format")
    file, found, rest = fields
    if found["format"] not in _BYTES_OF_SAMPLES:
        raise UnsupportedFormat(
            f"WFDB signals in format {found['format']} are not read, but {', '.join(_BYTES_OF_SAMPLES)} are; "
            "convert the record with xform"
        )
    if int(found["per_frame"] or 1) != 1 or int(found["skew"] or 0):
        raise UnsupportedFormat("WFDB signals with skew or several samples a frame are not read; convert with xform")
    gain_text, resolution_zero, checksum, name = _signal_rest(rest)
    gained = _GAIN.fullmatch(gain_text)
    if not gained:
        raise _corrupt_header("the gain of a signal is malformed")
    gain = finite_number(gained["gain"], "the gain of a signal", _corrupt_header) or _DEFAULT_GAIN
    if not _MIN_GAIN <= abs(gain) <= _MAX_GAIN:
        raise _corrupt_header(f"the gain of a signal is {gain:g}")
    baseline = int(gained["baseline"] or _integer(resolution_zero))
    unit = gained["unit"] or "mV"
    offset = int(found["offset"] or 0)
    return WfdbSignal(file, found["format"], offset, gain, baseline, unit, _integer(checksum), name)


def _signal_rest(rest: str) -> tuple[str, str, str, str]:
    """Gain, zero of the converter, checksum and name out of the optional end of a signal line."""
    fields = [*rest.split(maxsplit=6), *[""] * 7][:7]  # gain, resolution, zero, first value, checksum, block, name
    return fields[0] or f"{_DEFAULT_GAIN:g}", fields[2], fields[4], fields[6]


def _integer(text: str) -> int:
    """0 where there is none."""
    if text and not re.fullmatch(r"[+-]?\d{1,12}", text):
        raise _corrupt_header("a field of a signal line is no whole number")
    return int(text or 0)


def parse_wfdb_header(data: bytes, limits: RecordingLimits) -> WfdbHeader:
    """Raises UnreadableInput, UnsupportedFormat (segments, unread storage), OutOfRange (rate), InputTooLarge."""
    lines = _header_lines(data)
    record = _RECORD.fullmatch(lines[0]) if lines else None
    if not record:
        raise _corrupt_header("it does not start with the name of the record and the number of signals")
    if record["segments"]:
        raise UnsupportedFormat("a WFDB record of several segments is not read; send one segment's .hea and .dat")
    count, samples = int(record["signals"]), int(record["samples"] or 0)
    require_size(count, samples or 1, limits)
    rate_hz = require_rate(
        finite_number(record["rate"], "the sampling rate", _corrupt_header) if record["rate"] else _DEFAULT_RATE_HZ
    )
    if len(lines) <= count:
        raise _corrupt_header(f"it announces {count} signals and describes {len(lines) - 1}")
    return WfdbHeader(rate_hz, samples, tuple(_wfdb_signal(line) for line in lines[1 : count + 1]))


def read_wfdb_files(header: WfdbHeader, contents: Mapping[str, bytes], limits: RecordingLimits) -> FileSignals:
    """contents: the bytes of the header's signal files, by the name the header gives them; others are left out.

    Raises UnreadableInput when a file is too short or is not the one that the header describes.
    """
    leads: dict[str, LeadSignal] = {}
    present = [signal for signal in header.signals if signal.file in contents]
    for name, group in groupby(sorted(present, key=lambda s: header.files.index(s.file)), key=lambda s: s.file):
        signals = list(group)
        samples = _wfdb_samples(contents[name], signals, header.samples, limits)
        for index, signal in enumerate(signals):
            lead = lead_of(signal.name)
            if lead and lead not in leads:
                leads[lead] = LeadSignal(_in_units(samples[:, index], signal), required_unit(signal.unit, lead))
    lengths = {len(lead.values) for lead in leads.values()}
    if len(lengths) > 1:
        raise UnreadableInput("the signal files (.dat) are of different lengths; export the record again")
    return FileSignals("WFDB", header.sampling_rate_hz, leads)


def _wfdb_samples(
    data: bytes, signals: Sequence[WfdbSignal], samples: int, limits: RecordingLimits
) -> NDArray[np.int32]:
    """Stored values (time, signals) of one signal file, verified by the header's checksums."""
    stored_as, offset = signals[0].format, signals[0].offset
    if any((signal.format, signal.offset) != (stored_as, offset) for signal in signals):
        raise UnsupportedFormat("a WFDB signal file in several formats is not read; convert the record with xform")
    size, per = _BYTES_OF_SAMPLES[stored_as]
    held = (len(data) - offset) * per // size // len(signals)
    samples = samples or max(held, 0)
    require_size(len(signals), samples, limits)
    if held < samples:
        raise UnreadableInput(
            f"the signal file (.dat) holds {max(held, 0)} samples a lead, the header (.hea) says {samples}: it is "
            "truncated or belongs to another record; send the two files of one record"
        )
    flat = _unpacked(data[offset : offset + -(-samples * len(signals) * size // per)], stored_as)
    values = flat[: samples * len(signals)].reshape(samples, len(signals))
    sums = values.sum(axis=0, dtype=np.int64)
    wrong = [s for s, total in zip(signals, sums, strict=True) if s.checksum and (int(total) - s.checksum) % 2**16]
    if wrong:
        raise UnreadableInput(
            f"the checksums of {len(wrong)} of {len(signals)} signals are wrong: the signal file (.dat) is damaged or "
            "belongs to another record; send the two files of one record"
        )
    return values


def _unpacked(data: bytes, stored_as: str) -> NDArray[np.int32]:
    """Stored values of a signal file, in its own order."""
    if stored_as == "212":  # two 12-bit values in three bytes: low byte, both high halves, low byte
        triples = np.frombuffer(data + b"\0" * (-len(data) % 3), np.uint8).reshape(-1, 3).astype(np.int32)
        low = triples[:, 0] | (triples[:, 1] & 0x0F) << 8
        high = triples[:, 2] | (triples[:, 1] & 0xF0) << 4
        both = np.stack([low, high], axis=1).ravel()
        return both - (both >= 2**11) * np.int32(2**12)
    if stored_as == "24":
        padded = np.zeros((len(data) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return padded.view("<i4").ravel() >> 8
    kind, zero = {"16": ("<i2", 0), "61": (">i2", 0), "160": ("<u2", 2**15), "80": ("u1", 2**7), "32": ("<i4", 0)}[
        stored_as
    ]
    return np.frombuffer(data, kind).astype(np.int32) - np.int32(zero)


def _in_units(stored: NDArray[np.int32], signal: WfdbSignal) -> NDArray[np.float32]:
    values = (stored.astype(np.float64) - signal.baseline) / signal.gain
    values[stored == _NOT_RECORDED[signal.format]] = np.nan
    return values.astype(np.float32)
