"""Recordings against bad files: one reason per fault, limits before memory, nothing but our own errors."""

from __future__ import annotations

import contextlib
import tracemalloc
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from ecg_files import INPUT, File, csv_file, dicom_file, dicom_group, edf_file, heart, wfdb_record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import encode, picture
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian

from ml_model.ecg.recording import RecordingLimits, check_recording, load_recording, network_signal
from ml_model.errors import (
    EmptyInput,
    InputTooLarge,
    MediDiagnoseError,
    OutOfRange,
    PoorQuality,
    TooCostly,
    UnreadableInput,
    UnsupportedFormat,
    WrongModality,
)

Files = list[File]
HEART = heart(100, 3)
(_, HEADER), (_, SIGNAL) = WFDB = wfdb_record(HEART, 100)
CSV = csv_file(HEART, 100)[0][1]
EDF = edf_file(HEART, 100)[0][1]
DICOM = dicom_file([dicom_group(HEART, 100)])[0][1]


def record(*changes: tuple[str, str], signal: bytes = SIGNAL) -> Files:
    """The WFDB record with parts of its header replaced, each where it occurs first."""
    text = HEADER.decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return [("a.hea", text.encode()), ("a.dat", signal)]


def edf(position: int, text: str) -> Files:
    """The EDF file with a field of its header overwritten."""
    return [("a.edf", EDF[:position] + text.encode() + EDF[position + len(text) :])]


def edf_field(width_before: int, width: int, text: str) -> Files:
    """The EDF file with the first signal's field overwritten; width_before: of the fields before it."""
    return edf(256 + 13 * width_before, text.ljust(width))


def dicom(change: Callable[[Dataset], object]) -> Files:
    group = dicom_group(HEART, 100)
    change(group)
    return dicom_file([group])


def text(*lines: str) -> Files:
    return [("a.csv", "\n".join(lines).encode())]


def without(name: str) -> Callable[[Dataset], object]:
    return lambda group: delattr(group, name)


def setting(name: str, value: object) -> Callable[[Dataset], object]:
    return lambda group: setattr(group, name, value)


def in_channels(name: str, value: object) -> Callable[[Dataset], object]:
    return lambda group: [setattr(channel, name, value) for channel in group.ChannelDefinitionSequence]


CSV_LINES = CSV.decode().splitlines()
NUMBERS = ",".join(["0.1"] * 12)
BROKEN: dict[str, tuple[Files, type[MediDiagnoseError], str]] = {
    "no file": ([], EmptyInput, "0 bytes"),
    "empty files": ([("a.hea", b""), ("a.dat", b"")], EmptyInput, "0 bytes"),
    "a picture": ([("a.hea", encode(picture(), "PNG"))], UnsupportedFormat, "a PNG picture"),
    "a PDF": ([("a.csv", b"%PDF-1.7\n")], UnsupportedFormat, "PDF"),
    "a zip": ([("a.csv", b"PK\x03\x04" + bytes(30))], UnsupportedFormat, "zip"),
    "JSON": ([("a.csv", b'{"I": [1]}')], UnsupportedFormat, "JSON"),
    "XML": ([("a.xml", b"<?xml version='1.0'?><AnnotatedECG/>")], UnsupportedFormat, "XML.*send CSV.*WFDB"),
    "prose": (text("just some words,", "saved as a table"), UnsupportedFormat, "no table of numbers"),
    "binary": ([("a.bin", bytes(range(256)))], UnsupportedFormat, "unknown binary"),
    "signal only": ([("a.dat", SIGNAL)], UnreadableInput, r"\.hea\) of the WFDB record is missing"),
    "header only": ([("a.hea", HEADER)], UnreadableInput, r"signal file \(\.dat\).*is missing"),
    "two signals": ([("a.dat", SIGNAL), ("b.dat", SIGNAL)], UnreadableInput, "2 files.*no WFDB header"),
    "two headers": ([("a.hea", HEADER), ("b.hea", HEADER[:-1])], UnreadableInput, r"2 WFDB headers"),
    "two tables": ([("a.csv", CSV), ("b.csv", CSV)], UnreadableInput, "2 files.*no WFDB header"),
    "signal cut": (record(signal=SIGNAL[:-24]), UnreadableInput, "holds 299 samples a lead.*says 300"),
    "empty signal": (record(signal=b""), UnreadableInput, "holds 0 samples"),
    "offset beyond": (record(("dat 16 ", "dat 16+999999 ")), UnsupportedFormat, "several formats"),
    "other signal": (record(signal=SIGNAL[::-1]), UnreadableInput, "checksums of 12 of 12 signals are wrong"),
    "segments": (record(("rec 12", "rec/3 12")), UnsupportedFormat, "several segments"),
    "rate 0": (record(("100 300", "0 300")), OutOfRange, "0 Hz, allowed is 40 to 10000"),
    "rate huge": (record(("100 300", "1e9 300")), OutOfRange, r"1e\+09 Hz"),
    "rate no number": (record(("100 300", "1e+e 300")), UnreadableInput, "sampling rate is no number"),
    "rate infinite": (record(("100 300", "1e999 300")), UnreadableInput, "sampling rate is not finite"),
    "65 signals": (record(("rec 12", "rec 65")), InputTooLarge, "65 channels.*64"),
    "no signals": (record(("rec 12", "rec 0")), UnreadableInput, "0 channels"),
    "too many samples": (record(("100 300", "100 5000001")), InputTooLarge, "5000001 samples"),
    "signal line missing": (record(("rec 12", "rec 13")), UnreadableInput, "announces 13 signals and describes 12"),
    "stored as sound": (record(("dat 16", "dat 516")), UnsupportedFormat, "format 516"),
    "frames": (record(("dat 16", "dat 16x4")), UnsupportedFormat, "samples a frame"),
    "skew": (record(("dat 16", "dat 16:3")), UnsupportedFormat, "skew"),
    "two formats": (record(("dat 16", "dat 80")), UnsupportedFormat, "several formats"),
    "gain tiny": (record(("1000(0)", "1e-30(0)")), UnreadableInput, "gain of a signal is 1e-30"),
    "gain no number": (record(("1000(0)", "e(0)")), UnreadableInput, "gain of a signal is no number"),
    "gain malformed": (record(("1000(0)", "1000(x)")), UnreadableInput, "gain of a signal is malformed"),
    "checksum malformed": (record((" 0 I\n", "x 0 I\n")), UnreadableInput, "no whole number"),
    "signal lines malformed": (record(("rec.dat 16", "rec.dat x")), UnreadableInput, "2 files.*no WFDB header"),
    "a signal line malformed": (
        record((" 0 I\nrec.dat 16", " 0 I\nrec.dat x")),
        UnreadableInput,
        "no file name and format",
    ),
    "pressure": (record(("/mV", "/mmHg")), UnreadableInput, "'mmHg'"),
    "line of other width": (
        text(*CSV_LINES[:50], NUMBERS, *CSV_LINES[50:]),
        UnreadableInput,
        "line 51.*12 col.*has 13",
    ),
    "table cut": ([("a.csv", CSV[:-20])], UnreadableInput, "line 301 of the table has 11 columns"),
    "names, no rows": (text(CSV_LINES[0]), UnsupportedFormat, "no table of numbers"),
    "unnamed 11": (text("# fs=500", *[NUMBERS[:-4]] * 2000), UnreadableInput, "11 columns whose names are no leads"),
    "leads in rows": (text(*[",".join(["0.1"] * 2000)] * 12), InputTooLarge, "2000 channels"),
    "one long line": (text(",".join(["0.1"] * 9000)), UnsupportedFormat, "longer than"),
    "other names": (text("a,b,c", *["1,2,3"] * 2000), UnreadableInput, "3 columns whose names are no leads"),
    "two leads": (text("time,I,II", *(f"{i / 100},1,2" for i in range(500))), WrongModality, r"found: I, II\)"),
    "years of time": (text(CSV_LINES[0], *(f"{i}e9,{NUMBERS}" for i in range(9))), OutOfRange, "advances by"),
    "zeros": (text("# fs=500", *[",".join("0" * 12)] * 2000), PoorQuality, "flat.*0 mV"),
    "EDF header cut": ([("a.edf", EDF[:200])], UnreadableInput, "truncated in its header"),
    "EDF signal headers cut": ([("a.edf", EDF[:300])], UnreadableInput, "truncated in its header"),
    "EDF cut": ([("a.edf", EDF[:-1])], UnreadableInput, "truncated: it holds 2 of 3 data records"),
    "EDF with gaps": ([("a.edf", edf_file(HEART, 100, kind="EDF+D")[0][1])], UnsupportedFormat, r"EDF\+D"),
    "EDF records": (edf(236, "many    "), UnreadableInput, "number of data records is no number"),
    "EDF no records": (edf(236, "0       "), UnreadableInput, "of 0 samples"),
    "EDF duration": (edf(244, "0       "), UnreadableInput, "last no time"),
    "EDF duration nan": (edf(244, "nan     "), UnreadableInput, "not finite"),
    "EDF 999 signals": (edf(252, "999 "), InputTooLarge, "999 channels"),
    "EDF slow": (edf(244, "10      "), OutOfRange, "10 Hz"),
    "EDF samples": (edf_field(216, 8, "-5"), UnreadableInput, "-5 samples"),
    "EDF samples huge": (edf_field(216, 8, "99999999"), UnreadableInput, "truncated"),
    "EDF rates": (edf_field(216, 8, "90"), UnsupportedFormat, "different sampling rates"),
    "EDF digital range": (edf_field(120, 8, "32767"), UnreadableInput, "minimum and maximum of a signal are equal"),
    "EDF unit": (edf_field(96, 8, "ohm"), UnreadableInput, "unit of lead I is 'ohm'"),
    "DICOM cut": ([("a.dcm", DICOM[:3000])], UnreadableInput, "DICOM waveform is truncated"),
    "DICOM stub": ([("a.dcm", DICOM[:200])], UnreadableInput, "DICOM waveform is truncated"),
    "DICOM without waveform": (dicom_file([]), UnsupportedFormat, "12-lead ECG.*holds no waveform"),
    "DICOM samples": (dicom(setting("NumberOfWaveformSamples", 301)), UnreadableInput, "7200 bytes.* 7224"),
    "DICOM no samples": (dicom(without("NumberOfWaveformSamples")), UnreadableInput, "12 channels of 0"),
    "DICOM no data": (dicom(without("WaveformData")), UnreadableInput, "0 bytes of samples"),
    "DICOM encoding": (dicom(setting("WaveformSampleInterpretation", "MB")), UnsupportedFormat, "'MB'"),
    "DICOM channels": (dicom(setting("ChannelDefinitionSequence", Sequence())), UnreadableInput, "0 channels are"),
    "DICOM rate": (dicom(without("SamplingFrequency")), OutOfRange, "0 Hz"),
    "DICOM no sensitivity": (dicom(in_channels("ChannelSensitivity", None)), UnreadableInput, "I has no sensitivity"),
    "DICOM no unit": (dicom(in_channels("ChannelSensitivityUnitsSequence", Sequence())), UnreadableInput, "unit of"),
    "DICOM no names": (dicom(in_channels("ChannelSourceSequence", Sequence())), WrongModality, "none of the standard"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_every_fault_has_its_reason(fault: str) -> None:
    sent, error, message = BROKEN[fault]
    with pytest.raises(error, match=message) as raised:
        load_recording(sent)
    assert type(raised.value) is error
    assert "picture again" not in str(raised.value)


def test_the_files_that_are_broken_are_good_otherwise() -> None:
    for sent in (WFDB, record(), [("a", CSV)], [("a", EDF)], [("a", DICOM)], edf(236, "-1      ")):
        np.testing.assert_allclose(load_recording(sent).signal_mv, HEART, rtol=0, atol=0.0011)


def test_limits_are_exact() -> None:
    for sent in (WFDB, [("a", CSV)], [("a", EDF)], [("a", DICOM)]):
        largest = max(len(data) for _, data in sent)
        load_recording(sent, limits=RecordingLimits(max_bytes=largest, max_samples=300, max_channels=13))
        with pytest.raises(InputTooLarge, match=f"{largest} bytes"):
            load_recording(sent, limits=RecordingLimits(max_bytes=largest - 1))
        with pytest.raises(InputTooLarge, match="299"):
            load_recording(sent, limits=RecordingLimits(max_samples=299))
        with pytest.raises(InputTooLarge, match="channels"):
            load_recording(sent, limits=RecordingLimits(max_channels=11))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("\n", "more than 2000 empty lines"),
        ("1,", "longer than 16384 characters"),
        ("a," * 12 + "\n", "has 13 columns, the first row has 12"),
        ("1,x" * 6 + ",1" * 5 + "\n", "more than 2000 rows hold something other than numbers"),
        (NUMBERS + "\n", "sampling rate is not in the text"),
    ],
)
def test_large_texts_cost_little(line: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml_model.ecg.formats.text_table._MAX_ODD_LINES", 2000)
    data = (NUMBERS + "\n" + line * (2**18 // len(line))).encode()
    tracemalloc.start()
    with pytest.raises(MediDiagnoseError, match=message):
        load_recording([("a.csv", data)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * len(data)


def test_a_deflated_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = dicom_file([dicom_group(HEART, 100)], DeflatedExplicitVRLittleEndian)
    assert load_recording(sent).format == "DICOM"
    monkeypatch.setattr("ml_model.inputs.dicom.elements._MAX_INFLATED_BYTES", 7200)
    with pytest.raises(InputTooLarge, match="inflates to more than"):
        load_recording(sent)


def outcome(files: Files) -> None:
    """A signal of the right shape or one of our errors, and never a warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with contextlib.suppress(MediDiagnoseError):
            recording = load_recording(files)
            assert recording.signal_mv.shape[1] == 12
            taken = network_signal(recording, INPUT)
            assert (taken.shape, np.isfinite(taken).all()) == ((1000, 12), True)
            check_recording(recording)
    assert [str(warning.message) for warning in caught] == []


STARTS = [
    b"",
    HEADER[:40],
    CSV[:90],
    CSV_LINES[5].encode(),
    EDF[:256],
    EDF[:3600],
    DICOM[:400],
    b"\xff\xfe",
    b"# fs=500\n",
]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(STARTS),
    st.binary(max_size=300) | st.text("0123456789.,;\t \n-eEnaIV:'\"#%", max_size=300),
    st.booleans(),
)
def test_any_bytes_give_a_recording_or_a_reason(start: bytes, end: bytes | str, with_header: bool) -> None:
    data = start + (end.encode() if isinstance(end, str) else end)
    outcome([("a.dat", data), *([("a.hea", HEADER)] if with_header else [])])


def damaged(data: st.DataObject, content: bytes, head: int) -> bytes:
    """A few bytes changed, half of them in the first `head`, where they mean most; often cut."""
    file = bytearray(content)
    place = st.integers(0, len(file) - 1) | st.integers(0, head - 1)
    value = st.integers(0, 255) | st.sampled_from(b"0123456789-+.eE \n,;/")
    for position, byte in data.draw(st.lists(st.tuples(place, value), max_size=6)):
        file[position] = byte
    return bytes(file[: data.draw(st.just(len(file)) | st.integers(0, len(file)))])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.data_too_large])
@given(st.data())
@pytest.mark.parametrize("kind", ["WFDB", "CSV", "EDF", "DICOM"])
def test_damaged_files_give_a_recording_or_a_reason(kind: str, data: st.DataObject) -> None:
    if kind == "WFDB":
        outcome([("a.hea", damaged(data, HEADER, len(HEADER))), ("a.dat", damaged(data, SIGNAL, 100))])
        return
    content, head = {"CSV": (CSV, 150), "EDF": (EDF, 256 * 14), "DICOM": (DICOM, 4000)}[kind]
    outcome([("a", damaged(data, content, head))])


def test_tables_have_a_largest_size_and_few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = text("# fs=100", *CSV_LINES)
    monkeypatch.setattr("ml_model.ecg.formats.text_table._MAX_CELLS", 300 * 13)
    assert load_recording(rows).signal_mv.shape == (300, 12)
    monkeypatch.setattr("ml_model.ecg.formats.text_table._MAX_CELLS", 300 * 13 - 1)
    with pytest.raises(TooCostly, match="more than 3899 values"):
        load_recording(rows)
    monkeypatch.setattr("ml_model.ecg.formats.text_table._MAX_ODD_CELLS", 23)
    with pytest.raises(TooCostly, match="more than 23 values of the table are no numbers"):
        load_recording(text(*[NUMBERS] * 9, *["x," * 11 + "x"] * 2))
