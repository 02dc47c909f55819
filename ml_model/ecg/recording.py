"""ECG recordings: files to millivolts with the leads in standard order, and what the network takes of them.

Uploads and training come through here, and every file is recognised by its content. Nothing is
written to disk, and nothing but the signal leaves this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.formats.csv import read_csv
from ml_model.ecg.formats.dicom_waveform import read_dicom_waveform
from ml_model.ecg.formats.edf import is_edf, read_edf
from ml_model.ecg.formats.wfdb import WfdbHeader, is_wfdb_header, parse_wfdb_header, read_wfdb_files
from ml_model.ecg.kept_recording import is_kept, read_kept
from ml_model.ecg.leads import MV_PER_UNIT, STANDARD_LEADS, EcgRecording, FileSignals, RecordingLimits
from ml_model.ecg.signal_quality import (
    UNIT_THRESHOLD,
    RecordingCheck,
    amplitude,
    check_recording,
    examine_recording,
    require_plausible,
)
from ml_model.errors import (
    EmptyInput,
    InputTooLarge,
    MediDiagnoseError,
    OutOfRange,
    UnreadableInput,
    UnsupportedFormat,
    WrongModality,
)
from ml_model.inputs.file_type import describe_content, sniff_format
from ml_model.tasks.image_schema import SignalInput

__all__ = [
    "STANDARD_LEADS",
    "EcgRecording",
    "RecordingCheck",
    "RecordingLimits",
    "check_recording",
    "examine_recording",
    "load_recording",
    "network_signal",
    "read_wfdb",
]

# What the limb leads that are missing are, of I and II (Einthoven, Goldberger).
_DERIVED = {"III": (-1.0, 1.0), "aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}
_BOTH = "send both in one request to /analyze/heart or /upload; a batch reads single files: CSV, EDF or DICOM"
_SENDABLE = "send CSV, EDF, a DICOM ECG waveform, or, but in a batch, WFDB (.hea and .dat in one request)"
_LATIN_TEXT = b"\t\n\f\r" + bytes(range(32, 127)) + bytes(range(160, 256))
_MAX_RATE_DIFFERENCE = 0.01
_MAX_RATIO_TERM = 10_000  # of the ratio of two sampling rates; 10 s of signal are then right to half a millisecond
_MARGIN_S = 0.5  # resampled beyond what is kept, so that its end does not show where the recording was cut


def read_wfdb(header: Path) -> EcgRecording:
    """Read `<name>.hea` and the signal files beside it, as `load_recording` does, but of any amplitude.

    Raises the errors of `load_recording`, with the file's name.
    """
    limits = RecordingLimits()
    try:
        parsed = parse_wfdb_header(header.read_bytes(), limits)
        contents = {name: (header.parent / _base_name(name)).read_bytes() for name in parsed.files}
        return _in_standard_order(read_wfdb_files(parsed, contents, limits))
    except OSError as error:
        raise UnreadableInput(f"{header.name}: not a readable WFDB record: {error}") from error
    except MediDiagnoseError as error:
        raise type(error)(f"{header.name}: {error}") from error


def load_recording(
    files: Sequence[tuple[str, bytes]],
    *,
    sampling_rate_hz: float | None = None,
    limits: RecordingLimits | None = None,
) -> EcgRecording:
    """One recording out of the files (name, content) of an upload.

    Content decides what they are; names only pair a WFDB header with its signal files, and no file is opened
    by them. sampling_rate_hz: for CSV that does not say it. How long and how good the recording is, is judged by
    `check_recording`.

    Raises EmptyInput, InputTooLarge, UnsupportedFormat (no recording that is read), UnreadableInput (truncated,
    corrupt, a file or the sampling rate missing), WrongModality (leads are missing; they are named), OutOfRange (the
    sampling rate), PoorQuality (amplitudes that are no ECG's, as of a wrong unit).
    """
    limits = limits or RecordingLimits()
    if not files or not any(data for _, data in files):
        raise EmptyInput(f"no ECG recording was received (0 bytes); {_SENDABLE}")
    if (largest := max(len(data) for _, data in files)) > limits.max_bytes:
        raise InputTooLarge(
            f"a file has {largest} bytes, allowed are {limits.max_bytes // 2**20} MiB; "
            "send the 12 leads of one resting ECG"
        )
    if len(files) == 1 and is_kept(files[0][1]):
        recording = read_kept(files[0][1], limits)
    else:
        recording = _in_standard_order(_read(files, sampling_rate_hz, limits))
    told = recording.sampling_rate_hz
    if sampling_rate_hz is not None and not abs(told - sampling_rate_hz) <= _MAX_RATE_DIFFERENCE * told:
        raise OutOfRange(f"the sampling rate was given as {sampling_rate_hz:g} Hz, but the file says {told:g} Hz")
    require_plausible(recording)
    return recording


def _read(files: Sequence[tuple[str, bytes]], rate_hz: float | None, limits: RecordingLimits) -> FileSignals:
    headers = [data for _, data in files if is_wfdb_header(data)]
    if len(headers) > 1:
        raise UnreadableInput(f"{len(headers)} WFDB headers (.hea) were received; send one record at a time")
    if headers:
        parsed = parse_wfdb_header(headers[0], limits)
        others = [(name, data) for name, data in files if data is not headers[0]]
        return read_wfdb_files(parsed, _paired(parsed, others), limits)
    if len(files) > 1:
        raise UnreadableInput(
            f"{len(files)} files were received, but no WFDB header (.hea) among them; send it with its signal file "
            "(.dat), or a single file of another format"
        )
    name, data = files[0]
    kind = sniff_format(data)
    if kind == "DICOM":
        return read_dicom_waveform(data, limits)
    if kind is None and is_edf(data):
        return read_edf(data, limits)
    if kind is None and _may_be_table(data):
        return read_csv(data, rate_hz, limits)
    if kind is None and name.lower().endswith((".dat", ".mat")):
        raise UnreadableInput(f"the header (.hea) of the WFDB record is missing; {_BOTH}")
    what = f"a {kind} picture" if kind else describe_content(data)
    raise UnsupportedFormat(f"the content is {what}, no ECG recording; {_SENDABLE}")


def is_recording(data: bytes) -> bool:
    """Whether a file that is no DICOM starts as one of a recording does: the header of a WFDB record, EDF, a table as
    text, or what is kept of one."""
    return sniff_format(data) is None and (is_kept(data) or is_wfdb_header(data) or is_edf(data) or _may_be_table(data))


def _may_be_table(data: bytes) -> bool:
    """Whether it starts as text of no other known kind, in UTF-8, UTF-16 with its mark, or Latin-1."""
    what = describe_content(data)
    latin = not data[:4096].translate(None, _LATIN_TEXT)
    utf_16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return what == "plain text" or (what == "unknown binary data" and (latin or utf_16))


def _base_name(name: str) -> str:
    return PureWindowsPath(PurePosixPath(name).name).name


def _paired(header: WfdbHeader, others: Sequence[tuple[str, bytes]]) -> Mapping[str, bytes]:
    """Contents of the header's signal files. A single file goes with a header that names one, whatever it is called.

    Raises UnreadableInput when none of them was sent.
    """
    if len(header.files) == len(others) == 1:
        return {header.files[0]: others[0][1]}
    sent = {_base_name(name).lower(): data for name, data in others}
    paired = {name: sent[key] for name in header.files if (key := _base_name(name).lower()) in sent}
    if not paired:
        raise UnreadableInput(
            f"the signal file (.dat) of the WFDB record is missing: {len(others)} other files were received, none of "
            f"the name that the header (.hea) gives; {_BOTH}"
        )
    return paired


def _in_standard_order(found: FileSignals) -> EcgRecording:
    """Millivolts in the order of STANDARD_LEADS, limb leads derived where they can be. Raises WrongModality."""
    recorded = {lead: signal for lead, signal in found.leads.items() if np.isfinite(signal.values).any()}
    units = [signal.unit for signal in recorded.values() if signal.unit]
    common = units[0] if units else "mV"
    if recorded and not units:
        typical = float(np.median([amplitude(signal.values) for signal in recorded.values()]))
        common = "uV" if typical > UNIT_THRESHOLD else "mV"
    mv = {lead: s.values * np.float32(MV_PER_UNIT[s.unit or common]) for lead, s in recorded.items()}
    derived = tuple(lead for lead in _DERIVED if lead not in mv) if {"I", "II"} <= set(mv) else ()
    for lead in derived:
        of_i, of_ii = _DERIVED[lead]
        mv[lead] = np.float32(of_i) * mv["I"] + np.float32(of_ii) * mv["II"]
    if missing := [lead for lead in STANDARD_LEADS if lead not in mv]:
        there = ", ".join(lead for lead in STANDARD_LEADS if lead in recorded) or "none of the standard leads"
        raise WrongModality(
            f"leads {', '.join(missing)} are missing (found: {there}); all 12 leads of a resting ECG are needed, "
            "of which III, aVR, aVL and aVF are computed where I and II are there"
        )
    signal_mv = np.stack([mv[lead] for lead in STANDARD_LEADS], axis=1)
    told_by = "file" if units else "amplitude"
    return EcgRecording(signal_mv, found.sampling_rate_hz, found.format, common, told_by, derived)


def network_signal(recording: EcgRecording, signal_input: SignalInput) -> NDArray[np.float32]:
    """What the network takes: float32 (duration_s * sampling_rate_hz, 12) in mV, each lead around its median.

    The first `duration_s` of the recording; zeros where it is shorter and where a lead was not seen.
    """
    rate_hz = signal_input.sampling_rate_hz
    wanted = round(signal_input.duration_s * rate_hz)
    kept = int((signal_input.duration_s + _MARGIN_S) * recording.sampling_rate_hz)
    out = np.zeros((wanted, len(STANDARD_LEADS)), np.float32)
    for index, trace in enumerate(recording.signal_mv[:kept].T):
        seen = np.isfinite(trace)
        if not seen.any():
            continue
        if recording.sampling_rate_hz != rate_hz:
            trace, seen = _resampled(trace, seen, recording.sampling_rate_hz, rate_hz)
        trace, seen = trace[:wanted], seen[:wanted]
        if seen.any():
            out[: len(trace), index][seen] = trace[seen] - np.median(trace[seen])
    return out


def _resampled(
    trace: NDArray[np.float32], seen: NDArray[np.bool_], from_hz: float, to_hz: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The lead at another rate, and which of its samples were seen: those nearest to one that was."""
    from scipy.signal import resample_poly

    positions = np.arange(len(trace))
    # A straight line across a gap: a step at its edges would ring into what was seen.
    filled = np.interp(positions, positions[seen], trace[seen].astype(np.float64))
    ratio = Fraction(to_hz / from_hz).limit_denominator(_MAX_RATIO_TERM)
    resampled = resample_poly(filled, ratio.numerator, ratio.denominator, padtype="line")
    nearest = np.minimum(np.rint(np.arange(len(resampled)) / float(ratio)).astype(np.int64), len(trace) - 1)
    return resampled, seen[nearest]
