"""EDF files: what their header says, damaged in every way, and what edfio itself writes."""

from __future__ import annotations

import io
import time
import tracemalloc
import warnings

import edfio
import numpy as np
import pytest
from ecg_files import STEP_MV, edf_file, heart
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_model.ecg.formats.edf import read_edf
from ml_model.ecg.leads import STANDARD_LEADS, FileSignals, RecordingLimits
from ml_model.ecg.recording import load_recording
from ml_model.errors import MediDiagnoseError, UnreadableInput

SIGNAL_MV = heart(100, 3)
EDF = edf_file(SIGNAL_MV, 100)[0][1]
SIGNALS = len(STANDARD_LEADS) + 1  # and the annotations
HEADER_BYTES = 256 * (SIGNALS + 1)
LIMITS = RecordingLimits()
# Of every signal, in columns: label, transducer, unit, physical and digital minimum and maximum, filter, samples.
COLUMNS = {"label": (0, 16), "unit": (96, 8), "physical_min": (104, 8), "physical_max": (112, 8)}
COLUMNS |= {"digital_min": (120, 8), "digital_max": (128, 8), "samples": (216, 8)}
NUMBERS = ("0", "1", "-1", "1e12", "-1e12", "1e-300", "5e-324", "nan", "inf", "-inf", "1e999", "32767", "99999999")
ODD = (*NUMBERS, "0x10", "1_0", "1.5", "", "\xb2", "\0", "+-1", "uV", "ECG V1", "EDF Annotations")


def with_field(data: bytes, at: int, width: int, text: str) -> bytes:
    return data[:at] + text.encode("latin-1")[:width].ljust(width) + data[at + width :]


def with_column(data: bytes, column: str, signal: int, text: str) -> bytes:
    before, width = COLUMNS[column]
    return with_field(data, 256 + before * SIGNALS + width * signal, width, text)


def read(data: bytes) -> FileSignals:
    return read_edf(data, LIMITS)


def test_values_are_those_of_the_headers_scale() -> None:
    """(stored - digital minimum) * physical range / digital range + physical minimum, in double precision."""
    found = read(EDF)
    assert (found.format, found.sampling_rate_hz, tuple(found.leads)) == ("EDF", 100.0, STANDARD_LEADS)
    stored = np.rint(SIGNAL_MV * 1000)
    expected = (stored + 32768) * ((32767.0 + 32768.0) / 65535) - 32768.0
    for index, lead in enumerate(STANDARD_LEADS):
        assert found.leads[lead].unit == "uV"
        assert found.leads[lead].values.dtype == np.float32
        np.testing.assert_allclose(found.leads[lead].values, expected[:, index], rtol=0, atol=1e-3)


def test_what_edfio_writes_is_read_back() -> None:
    signals = [
        edfio.EdfSignal(SIGNAL_MV[:, i], 100, label=f"Lead {lead}", physical_dimension="mV", physical_range=(-10, 10))
        for i, lead in enumerate(STANDARD_LEADS)
    ]
    stream = io.BytesIO()
    edfio.Edf(signals, annotations=[edfio.EdfAnnotation(0.5, None, "start")]).write(stream)
    recording = load_recording([("a.edf", stream.getvalue())])
    assert (recording.format, recording.unit, recording.sampling_rate_hz) == ("EDF", "mV", 100.0)
    np.testing.assert_allclose(recording.signal_mv, SIGNAL_MV, rtol=0, atol=2 * STEP_MV)


@pytest.mark.parametrize(
    "data",
    [
        EDF + b"\1\2\3",
        with_field(EDF, 236, 8, "-1") + b"\1",
        with_field(EDF, 236, 8, "3.0"),
        with_field(EDF, 184, 8, "256"),
        with_field(EDF, 184, 8, "99999"),
        with_field(EDF, 252, 4, "13.0"),
    ],
    ids=["bytes behind", "still recorded", "records as a float", "header too short", "header too long", "float count"],
)
def test_counts_that_do_not_fit_the_file_change_nothing_and_warn_of_nothing(data: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read(data)
    for lead, signal in read(EDF).leads.items():
        np.testing.assert_array_equal(found.leads[lead].values, signal.values)


def test_fewer_records_than_there_are_are_read() -> None:
    assert {len(signal.values) for signal in read(with_field(EDF, 236, 8, "2")).leads.values()} == {200}


def test_the_first_of_two_signals_of_a_lead_is_taken_and_the_micro_sign_is_read() -> None:
    data = with_column(with_column(EDF, "label", 1, "ECG I"), "unit", 0, "\xb5V")
    found = read(data)
    assert found.leads["I"].unit == "uV"
    np.testing.assert_array_equal(found.leads["I"].values, read(EDF).leads["I"].values)
    assert "II" not in found.leads


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"physical_min": "nan"}, "not finite"),
        ({"physical_max": "inf"}, "is no number"),
        ({"physical_min": "5", "physical_max": "5"}, "equal"),
        ({"digital_min": "7", "digital_max": "7"}, "equal"),
        ({"digital_min": "low"}, "is no number"),
        ({"physical_min": "0", "physical_max": "5e-324"}, "are equal"),
        ({"samples": "12x"}, "number of samples is no number"),
        ({"samples": "0"}, "0 samples"),
    ],
)
def test_a_lead_without_a_scale_is_refused(changes: dict[str, str], message: str) -> None:
    data = EDF
    for column, text in changes.items():
        data = with_column(data, column, 3, text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in the service, where a warning is not an error
        with pytest.raises(UnreadableInput, match=message):
            read(data)


def test_a_hostile_header_costs_neither_time_nor_memory() -> None:
    """It announces what would be gigabytes."""
    hostile = with_field(with_field(EDF, 236, 8, "99999999"), 252, 4, "64")
    huge = EDF
    for signal in range(SIGNALS):
        huge = with_column(huge, "samples", signal, "99999999")
    tracemalloc.start()
    began = time.process_time()
    for data in (hostile, huge, with_field(huge, 236, 8, "-1"), with_field(EDF, 236, 8, "99999999")):
        for _ in range(20):
            with pytest.raises(MediDiagnoseError):
                read(data)
    spent_s, (_, peak_bytes) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert spent_s < 5
    assert peak_bytes < 20 * len(EDF)


def judged(data: bytes) -> None:
    """Read, or refused with one of our errors; what is read is whole."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = read(data)
        except MediDiagnoseError:
            return
    lengths = {len(signal.values) for signal in found.leads.values()}
    assert len(lengths) <= 1
    assert all(np.isfinite(signal.values).all() for signal in found.leads.values())


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(COLUMNS)), st.integers(0, SIGNALS - 1), st.sampled_from(ODD))))
def test_odd_fields_of_signals_raise_only_our_errors(changes: list[tuple[str, int, str]]) -> None:
    data = EDF
    for column, signal, text in changes:
        data = with_column(data, column, signal, text)
    judged(data)


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {}, optional={at: st.sampled_from(ODD) | st.integers(-2, 99_999_999).map(str) for at in (184, 236, 244, 252)}
    ),
    st.integers(0, len(EDF)),
)
def test_odd_counts_and_cut_files_raise_only_our_errors(fields: dict[int, str], kept_bytes: int) -> None:
    data = EDF
    for at, text in fields.items():
        data = with_field(data, at, 4 if at == 252 else 8, text)
    judged(data[:kept_bytes])
    judged(data)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(8, HEADER_BYTES - 1), st.binary(min_size=1, max_size=12)), max_size=8))
def test_random_bytes_in_the_header_raise_only_our_errors(changes: list[tuple[int, bytes]]) -> None:
    data = EDF
    for at, content in changes:
        data = data[:at] + content + data[at + len(content) :]
    judged(data)
