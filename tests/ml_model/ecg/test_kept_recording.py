"""A recording as it is kept: bit for bit its signal, and no word of its files."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pydicom
import pytest
from ecg_files import File, csv_file, dicom_file, dicom_group, edf_file, heart, wfdb_record

from ml_model.diagnosis.reading import RecordingToKeep
from ml_model.ecg.kept_recording import as_kept, is_kept
from ml_model.ecg.recording import EcgRecording, load_recording
from ml_model.errors import InputTooLarge, MediDiagnoseError, UnreadableInput

NAME = "SMITH^JOHN"
SIGNAL = heart()
MOST_BYTES = 2**25


def named() -> dict[str, Sequence[File]]:
    """The same recording in every format, with a name wherever it lets us."""
    header, signals = wfdb_record(SIGNAL)
    (edf,) = edf_file(SIGNAL)
    made = pydicom.dcmread(io.BytesIO(dicom_file([dicom_group(SIGNAL)])[0][1]))
    made.PatientName, made.PatientID = NAME, NAME
    stream = io.BytesIO()
    made.save_as(stream)
    return {
        "WFDB": [(f"{NAME}.hea", header[1] + f"# {NAME}\n".encode()), (f"{NAME}.dat", signals[1])],
        "CSV": csv_file(SIGNAL, comment=f"# patient: {NAME}"),
        "EDF": [(NAME, edf[1][:8] + NAME.ljust(80).encode() + edf[1][88:])],
        "DICOM": [(NAME, stream.getvalue())],
    }


def same(one: EcgRecording, other: EcgRecording) -> bool:
    told = [(r.sampling_rate_hz, r.format, r.unit, r.unit_told_by, r.derived) for r in (one, other)]
    return told[0] == told[1] and one.signal_mv.tobytes() == other.signal_mv.tobytes()


@pytest.mark.parametrize("form", ["WFDB", "CSV", "EDF", "DICOM"])
def test_the_signal_is_kept_bit_for_bit_and_no_name(form: str) -> None:
    files = named()[form]
    assert NAME.encode() in b"".join(data for _, data in files)
    kept = RecordingToKeep(tuple(files), None, MOST_BYTES).read()
    assert NAME.encode() not in kept.data
    sent, again = load_recording(files), load_recording([("x", kept.data)])
    assert again.format == form
    assert same(sent, again)


def test_what_was_not_recorded_derived_or_guessed_stays_so() -> None:
    signal_mv = SIGNAL.astype(np.float32)
    signal_mv[100:200, 6] = np.nan
    recording = EcgRecording(signal_mv, 1000 / 3, "CSV", "uV", "amplitude", ("III", "aVR"))
    data = as_kept(recording, MOST_BYTES)
    assert is_kept(data)
    assert same(load_recording([("", data)]), recording)
    with pytest.raises(InputTooLarge, match="kept are at most"):
        as_kept(recording, 1000)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"WFDB"', b'"SMITH"'), (b'"mV"', b'"kV"'), (b'"file"', b'"SMITH"'), (b"[]", b'["SMITH"]'),
        (b'"samples":5000', b'"samples":4999'), (b'"samples":5000', b'"samples":5000,"name":"SMITH"'), (b"}\n", b"}"),
        (b"500.0", b"5.0"), (b"500.0", b"1e999"), (b'"samples":5000', b'"samples":50000000000'),
    ],
)  # fmt: skip
def test_one_that_was_altered_is_refused(old: bytes, new: bytes) -> None:
    data = as_kept(load_recording(wfdb_record(SIGNAL)), MOST_BYTES)
    assert data.count(old, 0, 400) == 1
    with pytest.raises(MediDiagnoseError):
        load_recording([("", data.replace(old, new, 1))])
    with pytest.raises(UnreadableInput, match="truncated or was altered"):
        load_recording([("", data[:-4])])
    infinite = data[:-4] + np.float32(np.inf).tobytes()
    with pytest.raises(UnreadableInput, match="infinite"):
        load_recording([("", infinite)])
