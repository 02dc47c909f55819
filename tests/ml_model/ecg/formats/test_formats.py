"""Recordings as text and as DICOM waveforms: what programs write, and what is told where it is not written."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from ecg_files import INPUT, STEP_MV, csv_file, dicom_file, dicom_group, heart

from ml_model.ecg.recording import STANDARD_LEADS, load_recording, network_signal
from ml_model.errors import OutOfRange, UnreadableInput, WrongModality

HEART = heart()


def test_units_of_csv_can_stand_in_a_line_or_a_comment() -> None:
    plain = csv_file(HEART * 1000)[0][1]
    head, rest = plain.split(b"\n", 1)
    row = b",".join([b"s"] + [b"uV"] * 12)
    for text in (head + b"\n" + row + b"\n" + rest, b"# unit: uV\n" + plain):
        recording = load_recording([("a", text)])
        assert (recording.unit, recording.unit_told_by, recording.sampling_rate_hz) == ("uV", "file", 500)
        np.testing.assert_allclose(recording.signal_mv, HEART, rtol=0, atol=STEP_MV)


def test_csv_as_programs_write_it() -> None:
    plain = csv_file(HEART)[0][1].decode()
    rows = csv_file(HEART, rate_hz=None, leads=None)[0][1].decode().splitlines()
    numbered = [",".join(["", *STANDARD_LEADS]), *(f"{i},{row}" for i, row in enumerate(rows))]
    columns = [",".join(str(i) for i in range(12)), *rows]
    for text in (
        plain.replace("\n", "\r\n"),
        plain.replace("\n", "\r"),
        plain.replace("\n", ",\n") + ",",
        "\ufeff" + plain,
        "\n".join(f'"{line}"'.replace(",", '","') for line in plain.splitlines()),
        "# fs = 500\n" + "\n".join(numbered),
        "# Sampling Rate: 0.5 kHz\n" + "\n".join(columns),
        "sampling frequency [Hz];500\n" + plain,
    ):
        recording = load_recording([("a", text.encode())])
        assert recording.sampling_rate_hz == 500
        np.testing.assert_allclose(recording.signal_mv, HEART, rtol=0, atol=STEP_MV)
    micro = csv_file(HEART * 1000)[0][1].decode().replace("V6", "V6 (\u00b5V)")
    for encoding in ("utf-8", "utf-16", "latin-1"):
        recording = load_recording([("a", micro.encode(encoding))])
        assert (recording.unit, recording.unit_told_by) == ("uV", "file")
        np.testing.assert_allclose(recording.signal_mv, HEART, rtol=0, atol=STEP_MV)


def test_columns_are_never_guessed_by_one() -> None:
    plain = csv_file(HEART)[0][1].decode().splitlines()
    rows = csv_file(HEART, rate_hz=None, leads=None)[0][1].decode().splitlines()
    names = ",".join(STANDARD_LEADS)
    # As R writes row names, and rows that end in a separator below names that do not.
    for lines in (
        ["# fs=500", names, *(f"{i},{row}" for i, row in enumerate(rows))],
        [plain[0], *(f"{row}," for row in plain[1:])],
    ):
        recording = load_recording([("a", "\n".join(lines).encode())])
        np.testing.assert_allclose(recording.signal_mv, HEART, rtol=0, atol=STEP_MV)
    for lines, message in (
        (["# fs=500", f"{names},V7,V8", *rows], "line of names has 14 columns, the rows have 12"),
        (["# fs=500", ",".join(f"ch{i}" for i in range(12)), *rows], "12 columns whose names are no leads"),
        (["# fs=500", *(f"{i / 500},{row[: row.rindex(',')]}" for i, row in enumerate(rows))], "has 11 columns"),
    ):
        with pytest.raises(UnreadableInput, match=message):
            load_recording([("a", "\n".join(lines).encode())])


def test_the_sampling_rate_of_csv() -> None:
    untimed = csv_file(HEART, rate_hz=None)
    with pytest.raises(UnreadableInput, match="sampling rate is not in the text.*fs=500"):
        load_recording(untimed)
    assert load_recording(untimed, sampling_rate_hz=500).sampling_rate_hz == 500
    for comment in ("# Heart rate: 72", "# filter frequency: 150 Hz", "# samples: 5000", "# I, II, aVR"):
        with pytest.raises(UnreadableInput, match="sampling rate is not in the text"):
            load_recording(csv_file(HEART, rate_hz=None, comment=comment))
    for comment in (
        "# sampling_rate=500",
        "Sample Rate;500",
        "FS 500",
        "Abtastfrequenz [Hz]: 500",
        "samplerate 0.5kHz",
    ):
        assert load_recording(csv_file(HEART, rate_hz=None, comment=comment)).sampling_rate_hz == 500, comment
    for name, scale in (("t[ms]", 1000), ("", 1), ("Elapsed", 1000), ("time_us", 1e6), ("seconds", 1)):
        assert load_recording(csv_file(HEART, time_name=name, time_scale=scale)).sampling_rate_hz == 500, name
    for name, scale in (("", 500), ("", 2000), ("sample", 1000), ("time", 500)):  # numbers of rows, or nobody knows
        with pytest.raises(UnreadableInput, match="sampling rate is not in the text"):
            load_recording(csv_file(HEART, time_name=name, time_scale=scale))
    with pytest.raises(OutOfRange, match="given as 250 Hz, but the file says 500"):
        load_recording(csv_file(HEART), sampling_rate_hz=250)
    for rate_hz in (39, 10_001, float("nan"), -500):
        with pytest.raises(OutOfRange, match="40 to 10000"):
            load_recording(untimed, sampling_rate_hz=rate_hz)
    # Rounded to milliseconds, as most programs write them.
    uneven = heart(360)
    lines = csv_file(uneven, rate_hz=None)[0][1].decode().splitlines()
    lines = [f"time,{lines[0]}", *(f"{i / 360:.3f},{line}" for i, line in enumerate(lines[1:]))]
    assert load_recording([("a", "\n".join(lines).encode())]).sampling_rate_hz == 360
    with pytest.raises(UnreadableInput, match="uneven"):
        load_recording([("a", "\n".join([*lines[:900], *lines[1800:]]).encode())])
    with pytest.raises(UnreadableInput, match="runs backwards"):
        load_recording([("a", "\n".join([lines[0], *lines[900:], *lines[1:900]]).encode())])


def test_bad_values_are_masked_up_to_a_share() -> None:
    lines = csv_file(HEART)[0][1].decode().splitlines()
    for bad in ("nan", "", "inf", "1e300", "#N/A"):
        few = [",".join([*line.split(",")[:-1], bad]) if 100 <= i < 600 else line for i, line in enumerate(lines)]
        recording = load_recording([("a", "\n".join(few).encode())])
        masked = np.isnan(recording.signal_mv)
        assert (masked.sum(), masked[99:599, 11].all()) == (500, True)
        assert np.isfinite(network_signal(recording, INPUT)).all()
        many = [",".join([line.split(",")[0], *[bad] * 12]) if 100 <= i < 400 else line for i, line in enumerate(lines)]
        with pytest.raises(UnreadableInput, match=r"6\.0% of the values are no finite numbers, at most 5%"):
            load_recording([("a", "\n".join(many).encode())])


def test_dicom_takes_the_rhythm_and_joins_columns_of_a_page() -> None:
    rhythm, beats = dicom_group(HEART), dicom_group(HEART[:600] + 1, originality="DERIVED")
    for groups in ([rhythm, beats], [beats, rhythm]):
        np.testing.assert_allclose(load_recording(dicom_file(groups)).signal_mv, HEART, rtol=0, atol=STEP_MV)
    columns = [
        dicom_group(HEART[start : start + 1250, i : i + 3], leads=STANDARD_LEADS[i : i + 3], offset_ms=start * 2)
        for i, start in zip((0, 3, 6, 9), (0, 1250, 2500, 3750), strict=True)
    ]
    recording = load_recording(dicom_file(columns))
    assert recording.signal_mv.shape == (5000, 12)
    for i, start in zip((0, 3, 6, 9), (0, 1250, 2500, 3750), strict=True):
        seen = np.isfinite(recording.signal_mv[:, i])
        assert (np.flatnonzero(seen)[0], seen.sum()) == (start, 1250)
        np.testing.assert_allclose(recording.signal_mv[seen, i], HEART[seen, i], rtol=0, atol=STEP_MV)
    padded = dicom_group(HEART)
    padded.WaveformData = struct.pack("<h", -32768) + padded.WaveformData[2:]
    assert np.isnan(load_recording(dicom_file([padded])).signal_mv).sum() == 1


@pytest.mark.parametrize(
    ("value", "meaning", "lead"),
    [("2:61", "-", "III"), ("131390", "-", "aVR"), ("x", "Lead aVL", "aVL"), ("MDC_ECG_LEAD_V6", "-", "V6")],
)
def test_dicom_leads_by_other_codes(value: str, meaning: str, lead: str) -> None:
    group = dicom_group(HEART)
    source = group.ChannelDefinitionSequence[STANDARD_LEADS.index(lead)].ChannelSourceSequence[0]
    source.CodeValue, source.CodeMeaning, source.CodingSchemeDesignator = value, meaning, "MDC"
    recording = load_recording(dicom_file([group]))
    assert recording.derived == ()
    np.testing.assert_allclose(recording.signal_mv, HEART, rtol=0, atol=STEP_MV)
    source.CodeValue, source.CodeMeaning = "?", "unknown"
    if lead == "V6":
        with pytest.raises(WrongModality, match="V6"):
            load_recording(dicom_file([group]))
    else:
        assert load_recording(dicom_file([group])).derived == (lead,)
