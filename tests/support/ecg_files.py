"""A 12-lead ECG made of waves, and the files that recorders would write of it."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, TwelveLeadECGWaveformStorage

from ml_model.ecg.recording import STANDARD_LEADS
from ml_model.tasks.image_schema import SignalInput

INPUT = SignalInput(sampling_rate_hz=100, duration_s=10)
STEP_MV = 0.0011  # the files hold the signal to 1 uV, and float32 adds next to nothing
File = tuple[str, bytes]
# (time after the beat's start in s, width in s, amplitude in mV of I, II, V1 ... V6) of P, Q, R, S and T.
_WAVES = (
    (0.15, 0.025, (0.08, 0.15, 0.05, 0.08, 0.08, 0.09, 0.09, 0.08)),
    (0.28, 0.012, (-0.05, -0.08, 0.0, 0.0, -0.02, -0.05, -0.07, -0.06)),
    (0.31, 0.014, (0.70, 1.10, 0.25, 0.45, 0.80, 1.40, 1.50, 1.10)),
    (0.34, 0.014, (-0.15, -0.20, -1.00, -1.50, -0.90, -0.50, -0.20, -0.10)),
    (0.55, 0.050, (0.20, 0.30, -0.10, 0.45, 0.50, 0.45, 0.35, 0.25)),
)
_SCP_CODES = dict(zip(STANDARD_LEADS, (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8), strict=True))


def heart(rate_hz: float = 500, duration_s: float = 10, beat_s: float = 0.83) -> NDArray[np.float64]:
    """(time, 12) in mV, rounded to 1 uV, in the order of STANDARD_LEADS."""
    time_s = np.arange(round(rate_hz * duration_s)) / rate_hz
    eight = np.zeros((len(time_s), 8))
    for start, width, amplitudes in _WAVES:
        phase = (time_s - start + beat_s / 2) % beat_s - beat_s / 2
        eight += np.exp(-0.5 * (phase / width) ** 2)[:, None] * amplitudes
    eight += 0.05 * np.sin(2 * np.pi * 0.2 * time_s)[:, None]
    one, two = (np.rint(eight[:, :2] * 500) / 500).T  # even numbers of uV, so that their halves are whole
    limbs = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    return np.rint(np.column_stack([*limbs, eight[:, 2:]]) * 1000) / 1000


def correlations(one: NDArray[np.float32], other: NDArray[np.float32]) -> list[float]:
    """Of each lead of two (time, 12)."""
    return [float(np.corrcoef(one[:, i], other[:, i])[0, 1]) for i in range(one.shape[1])]


def wfdb_record(
    signal_mv: NDArray[np.float64],
    rate_hz: float = 500,
    leads: Sequence[str] = STANDARD_LEADS,
    unit: str = "mV",
    stated_unit: str | None = None,
) -> list[File]:
    """Format 16 with 1 uV a step."""
    stored = np.rint(signal_mv * 1000).astype("<i2")
    gain = {"mV": 1000, "uV": 1, "V": 1_000_000}[unit]
    lines = [f"rec {len(leads)} {rate_hz:g} {len(stored)}"]
    for lead, column in zip(leads, stored.T, strict=True):
        checksum = int(column.sum(dtype=np.int64)) & 0xFFFF
        lines.append(f"rec.dat 16 {gain}(0)/{stated_unit or unit} 16 0 {column[0]} {checksum} 0 {lead}")
    return [("rec.hea", ("\n".join(lines) + "\n# Age: 60\n").encode()), ("rec.dat", stored.tobytes())]


def csv_file(
    signal: NDArray[np.float64],
    rate_hz: float | None = 500,
    leads: Sequence[str] | None = STANDARD_LEADS,
    separator: str = ",",
    decimal: str = ".",
    comment: str = "",
    time_name: str = "time",
    time_scale: float = 1,
) -> list[File]:
    """rate_hz: None for no time column; leads: None for no names."""
    names = [*([time_name] if rate_hz else []), *leads] if leads else []
    lines = [*([comment] if comment else []), *([separator.join(names)] if names else [])]
    for row, values in enumerate(signal):
        cells = [f"{row / rate_hz * time_scale:.4f}"] if rate_hz else []
        lines.append(separator.join([*cells, *(f"{value:.4f}" for value in values)]).replace(".", decimal))
    return [("ecg.csv", "\n".join(lines).encode())]


def edf_file(
    signal_mv: NDArray[np.float64],
    rate_hz: int = 500,
    leads: Sequence[str] = STANDARD_LEADS,
    unit: str = "uV",
    records: int | None = None,
    kind: str = "EDF+C",
) -> list[File]:
    """Data records of 1 s, 16 bits over +-32.768 mV, with an annotation channel as EDF+ has."""
    count = len(signal_mv) // rate_hz
    limit = {"uV": 32768.0, "mV": 32.768}[unit]
    labels = [*(f"ECG {lead}" for lead in leads), "EDF Annotations"]
    units, lows = [*[unit] * len(leads), ""], [*[f"{-limit:g}"] * len(leads), "-1"]
    highs = [*[f"{limit * 32767 / 32768:.8g}"[:8]] * len(leads), "1"]
    ends = [str(rate_hz)] * len(leads) + ["16"]
    n = len(labels)
    fixed = (
        (8, "0"),
        (80, "X X X X"),
        (80, "Startdate X X X X"),
        (8, "01.01.26"),
        (8, "00.00.00"),
        (8, str(256 * (n + 1))),
    )
    head = "".join(text.ljust(width) for width, text in fixed) + kind.ljust(44)
    head += str(count if records is None else records).ljust(8) + "1".ljust(8) + str(n).ljust(4)
    columns = [(16, labels), (80, [""] * n), (8, units), (8, lows), (8, highs), (8, ["-32768"] * n), (8, ["32767"] * n)]
    columns += [(80, [""] * n), (8, ends), (32, [""] * n)]
    head += "".join(text.ljust(width) for width, texts in columns for text in texts)
    stored = np.rint(signal_mv * 1000).astype("<i2")[: count * rate_hz].reshape(count, rate_hz, len(leads))
    body = b"".join(stored[i].T.tobytes() + b"+0\x14\x14".ljust(32, b"\0") for i in range(count))
    return [("ecg.edf", head.encode() + body)]


def code(value: str, scheme: str, meaning: str) -> Items:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return Items([item])


def dicom_group(
    signal_mv: NDArray[np.float64],
    rate_hz: float = 500,
    leads: Sequence[str] = STANDARD_LEADS,
    unit: str = "uV",
    offset_ms: float = 0,
    originality: str = "ORIGINAL",
    byte_order: str = "<",
) -> Dataset:
    """A multiplex group of 16 bits: 2.5 uV a step after a correction by 0.5, baseline 40 uV."""
    scale, baseline = (1.0, 1.0) if unit == "uV" else (1e-3, 1e-3)
    group = Dataset()
    group.MultiplexGroupTimeOffset = offset_ms
    group.WaveformOriginality = originality
    group.NumberOfWaveformSamples, group.NumberOfWaveformChannels = signal_mv.shape
    group.SamplingFrequency = rate_hz
    group.ChannelDefinitionSequence = Items()
    for lead in leads:
        channel = Dataset()
        number = _SCP_CODES.get(lead, 99)
        channel.ChannelSourceSequence = code(f"5.6.3-9-{number}", "SCPECG", f"Lead {lead}")
        channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = 2 * scale, 0.5
        channel.ChannelBaseline = 40 * baseline
        channel.ChannelSensitivityUnitsSequence = code(unit, "UCUM", "volt")
        group.ChannelDefinitionSequence.append(channel)
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.WaveformPaddingValue = struct.pack(f"{byte_order}h", -32768)
    group.WaveformData = np.rint(signal_mv * 1000 - 40).astype(f"{byte_order}i2").tobytes()
    group["WaveformData"].VR = group["WaveformPaddingValue"].VR = "OW"
    return group


def dicom_file(groups: Sequence[Dataset], syntax: str = ExplicitVRLittleEndian) -> list[File]:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = TwelveLeadECGWaveformStorage
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    made.Modality, made.PatientName = "ECG", "Nobody"
    made.WaveformSequence = Items(groups)
    stream = io.BytesIO()
    made.save_as(stream, enforce_file_format=True)
    return [("ecg.dcm", stream.getvalue())]
