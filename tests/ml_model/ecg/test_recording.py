"""Recordings: one signal out of every format, rates and leads and units, and what PTB-XL's records give."""

from __future__ import annotations

import functools
import re
import warnings
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from ecg_files import INPUT, STEP_MV, correlations, csv_file, dicom_file, dicom_group, edf_file, heart, wfdb_record
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian
from samples import real_archive, real_member

from ml_model.ecg.leads import lead_of, unit_named
from ml_model.ecg.recording import (
    STANDARD_LEADS,
    EcgRecording,
    check_recording,
    load_recording,
    network_signal,
    read_wfdb,
)
from ml_model.errors import PoorQuality, UnreadableInput, WrongModality

HEART = heart()
REVERSED = tuple(reversed(STANDARD_LEADS))
LOWER_CASE = tuple(lead.lower() for lead in STANDARD_LEADS)


@functools.cache
def files() -> dict[str, tuple[list[tuple[str, bytes]], str, str]]:
    """Files of one signal; what unit they are in and who told."""
    named = tuple(f"Lead {lead} (uV)" for lead in REVERSED)
    blanks = csv_file(HEART, rate_hz=None, leads=None, separator=" ", comment="# fs=500 Hz")
    return {
        "WFDB": (wfdb_record(HEART), "mV", "file"),
        "WFDB uV": (wfdb_record(HEART, unit="uV"), "uV", "file"),
        "WFDB V": (wfdb_record(HEART, unit="V"), "V", "file"),
        "WFDB reversed": (wfdb_record(HEART[:, ::-1], leads=REVERSED), "mV", "file"),
        "CSV": (csv_file(HEART), "mV", "amplitude"),
        "CSV uV named": (csv_file(HEART[:, ::-1] * 1000, leads=named), "uV", "file"),
        "CSV uV guessed": (csv_file(HEART * 1000), "uV", "amplitude"),
        "CSV semicolons, decimal commas, ms": (
            csv_file(HEART, leads=LOWER_CASE, separator=";", decimal=",", time_name="Zeit", time_scale=1000),
            "mV",
            "amplitude",
        ),
        "CSV tabs, no names": (csv_file(HEART, leads=None, separator="\t"), "mV", "amplitude"),
        "CSV blanks, rate in a comment": (blanks, "mV", "amplitude"),
        "DICOM": (dicom_file([dicom_group(HEART)]), "uV", "file"),
        "DICOM mV": (dicom_file([dicom_group(HEART, unit="mV")]), "mV", "file"),
        "DICOM reversed, implicit": (
            dicom_file([dicom_group(HEART[:, ::-1], leads=REVERSED)], ImplicitVRLittleEndian),
            "uV",
            "file",
        ),
        "DICOM big-endian": (dicom_file([dicom_group(HEART, byte_order=">")], ExplicitVRBigEndian), "uV", "file"),
        "DICOM deflated": (dicom_file([dicom_group(HEART)], DeflatedExplicitVRLittleEndian), "uV", "file"),
        "EDF": (edf_file(HEART), "uV", "file"),
        "EDF mV reversed": (edf_file(HEART[:, ::-1], leads=REVERSED, unit="mV"), "mV", "file"),
    }


@pytest.fixture(scope="module")
def wfdb() -> ModuleType:
    """The package that we are held to; it warns when it is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wfdb
    return wfdb


@pytest.mark.parametrize("kind", files())
def test_every_format_gives_the_same_signal(kind: str) -> None:
    sent, unit, told_by = files()[kind]
    recording = load_recording(sent)
    assert recording.signal_mv.dtype == np.float32
    np.testing.assert_allclose(recording.signal_mv, HEART, rtol=0, atol=STEP_MV)
    told = (recording.sampling_rate_hz, recording.format, recording.unit, recording.unit_told_by, recording.derived)
    assert told == (500, kind.split()[0], unit, told_by, ())
    expected = network_signal(EcgRecording(HEART.astype(np.float32), 500.0), INPUT)
    np.testing.assert_allclose(network_signal(recording, INPUT), expected, rtol=0, atol=2 * STEP_MV)


def test_the_order_of_files_and_what_they_are_called_do_not_matter() -> None:
    header, signal = wfdb_record(HEART)
    for sent in (
        [signal, header],
        [("a", header[1]), ("b", signal[1])],
        [("../../etc/passwd", header[1]), ("C:\\windows\\x.hea", signal[1])],
        [("x.csv", header[1]), ("x.dcm", signal[1])],
    ):
        np.testing.assert_array_equal(load_recording(sent).signal_mv, load_recording([header, signal]).signal_mv)
    np.testing.assert_array_equal(
        load_recording([("photo.jpg", csv_file(HEART)[0][1])]).signal_mv, load_recording(csv_file(HEART)).signal_mv
    )


def test_paths_in_a_header_open_nothing(tmp_path: Path) -> None:
    header, signal = wfdb_record(HEART)
    secret = tmp_path / "secret.dat"
    secret.write_bytes(bytes(len(signal[1])))
    for name in (str(secret), "../../../../etc/passwd", "https://example.org/rec.dat", "C:\\rec.dat"):
        changed = header[1].replace(b"rec.dat", name.encode())
        np.testing.assert_allclose(load_recording([("h", changed), ("d", signal[1])]).signal_mv, HEART, atol=STEP_MV)
        with pytest.raises(UnreadableInput, match=r"\.dat.*missing"):
            load_recording([("h", changed)])


def test_several_signal_files_are_paired_by_name() -> None:
    (_, header), _ = wfdb_record(HEART)
    lines = header.decode().splitlines()
    limbs = [line.replace("rec.dat", "Limbs.dat") for line in lines[1:7]]
    text = "\n".join([lines[0], *limbs, *lines[7:]]).encode()
    stored = np.rint(HEART * 1000).astype("<i2")
    one, other = ("LIMBS.DAT", stored[:, :6].tobytes()), ("up/rec.dat", stored[:, 6:].tobytes())
    np.testing.assert_allclose(load_recording([other, ("h", text), one]).signal_mv, HEART, atol=STEP_MV)
    with pytest.raises(WrongModality, match=r"V1, V2, V3, V4, V5, V6 are missing \(found: I, II"):
        load_recording([("h", text), one])
    with pytest.raises(UnreadableInput, match="none of"):
        load_recording([("h", text), ("other.dat", one[1])])
    # Without a number of samples the files say it, and they disagree.
    fields = [line.split() for line in text.decode().splitlines()[1:13]]
    silent = "\n".join(["rec 12 500", *(" ".join([*each[:6], "0", "0", each[-1]]) for each in fields)]).encode()
    np.testing.assert_allclose(load_recording([("h", silent), one, other]).signal_mv, HEART, atol=STEP_MV)
    with pytest.raises(UnreadableInput, match="different lengths"):
        load_recording([("h", silent), one, (other[0], other[1][: 12 * 4000])])


@pytest.mark.filterwarnings("ignore:The inplace keyword")
@pytest.mark.parametrize("stored_as", ["16", "61", "160", "80", "212", "24", "32"])
def test_stored_formats_agree_with_the_wfdb_package(stored_as: str, tmp_path: Path, wfdb: ModuleType) -> None:
    bits = {"80": 8, "212": 12, "24": 24, "32": 32}.get(stored_as, 16)
    steps_per_mv = 20.0 if bits == 8 else 1000.0
    # 13 signals of 4,999 samples, so that 212 ends in half a pair; one sample was not recorded.
    stored = np.rint(np.column_stack([HEART, HEART[:, 0]])[:4999] * steps_per_mv).astype(np.int64)
    stored[17, 3] = -(2 ** (bits - 1))
    written_as = "16" if stored_as in ("61", "160") else stored_as  # which the package reads, but does not write
    wfdb.wrsamp(
        "rec", 500, ["mV"] * 13, [*STANDARD_LEADS, "extra"], d_signal=stored, fmt=[written_as] * 13,
        adc_gain=[steps_per_mv] * 13, baseline=[3] * 13, write_dir=str(tmp_path),
    )  # fmt: skip
    header, signal = tmp_path / "rec.hea", tmp_path / "rec.dat"
    if stored_as != written_as:
        values = stored.astype(">i2") if stored_as == "61" else (stored + 2**15).astype("<u2")
        signal.write_bytes(values.tobytes())
        no_checksums = re.sub(r"(?m)^(\S+) 16 (.*) -?\d+ 0 (\w+)$", rf"\1 {stored_as} \2 0 0 \3", header.read_text())
        header.write_text(no_checksums)
    expected = wfdb.rdrecord(str(tmp_path / "rec")).p_signal[:, :12]
    np.testing.assert_allclose(read_wfdb(header).signal_mv, expected, rtol=0, atol=1e-6)
    assert np.isnan(expected).sum() == np.isnan(expected[17, 3]) == 1


def test_leads_by_many_names() -> None:
    names = "DI dii LEAD_III aVR[mV] ECG:AVL Lead-avf 'V1' v2(uV) MDC_ECG_LEAD_V3 V-4 'V 5' ekg.V6.mV"
    cleaned = [name.strip("'") for name in names.replace("V 5", "V~5").split()]
    assert tuple(lead_of(name.replace("~", " ")) for name in cleaned) == STANDARD_LEADS
    assert lead_of("Lead I (Einthoven)") == "I"
    for other in ("MLII", "-aVR", "ECG -I", "I-II", "V7", "V3R", "V", "", "time", "resp", "1", "IV", "V12", "VI"):
        assert lead_of(other) is None, other


def test_units_by_many_names() -> None:
    for text, unit in {"mV": "mV", "\u00b5V": "uV", "\u03bcv": "uV", "UV": "uV", "V": "V", "millivolts": "mV"}.items():
        assert unit_named(text) == unit_named(f"V1 ({text})") == unit_named(f"I_{text}") == unit
    for text in ("", "V1", "I", "aVR", "mmHg", "time", "MLII"):
        assert unit_named(text) is None, text


def test_limb_leads_are_derived_and_told() -> None:
    keep = [0, 1, *range(6, 12)]
    leads = [STANDARD_LEADS[i] for i in keep]
    for sent in (wfdb_record(HEART[:, keep], leads=leads), csv_file(HEART[:, keep] * 1000, leads=leads)):
        recording = load_recording(sent)
        assert recording.derived == ("III", "aVR", "aVL", "aVF") == check_recording(recording).derived_leads
        np.testing.assert_allclose(recording.signal_mv, HEART, rtol=0, atol=2 * STEP_MV)
    no_avf = [i for i in range(12) if i != 5]
    recording = load_recording(edf_file(HEART[:, no_avf], leads=[STANDARD_LEADS[i] for i in no_avf]))
    assert recording.derived == ("aVF",)


@pytest.mark.parametrize("lost", [("V3",), ("I",), ("II", "V6"), STANDARD_LEADS[1:]])
def test_missing_leads_are_refused_by_name(lost: tuple[str, ...]) -> None:
    keep = [i for i, lead in enumerate(STANDARD_LEADS) if lead not in lost]
    leads = [STANDARD_LEADS[i] for i in keep]
    sent = [wfdb_record(HEART[:, keep], leads=leads), edf_file(HEART[:, keep], leads=leads)]
    sent += [dicom_file([dicom_group(HEART[:, keep], leads=leads)]), csv_file(HEART[:, keep], leads=leads)]
    for each in sent:
        with pytest.raises(WrongModality, match=rf"leads {', '.join(lost)} are missing \(found: {', '.join(leads)}\)"):
            load_recording(each)


def test_a_lead_without_a_single_value_is_missing() -> None:
    emptied = csv_file(HEART)[0][1].replace(b"\n0.0020,", b"\n0.0020,", 1).decode().splitlines()
    emptied = [emptied[0], *(",".join([*line.split(",")[:-1], ""]) for line in emptied[1:])]
    with pytest.raises(WrongModality, match="leads V6 are missing"):
        load_recording([("a", "\n".join(emptied).encode())])


def test_swapped_units_are_noticed() -> None:
    with pytest.raises(PoorQuality, match=r"amplitude is \d+ mV \(read as mV, which the file told\), at most 30"):
        load_recording(wfdb_record(HEART, unit="uV", stated_unit="mV"))
    with pytest.raises(PoorQuality, match=r"flat.* 0\.00\d+ mV \(read as uV, which the file told\).*at least 0\.02"):
        load_recording(wfdb_record(HEART, unit="mV", stated_unit="uV"))
    with pytest.raises(PoorQuality, match="flat"):
        load_recording(csv_file(HEART / 1000))  # volts that nobody told
    with pytest.raises(UnreadableInput, match="unit of lead I is 'mmHg'"):
        load_recording(wfdb_record(HEART, stated_unit="mmHg"))


# Real records


def test_real_records_at_both_rates_give_the_same_signal() -> None:
    with zipfile.ZipFile(real_archive("ptb-xl.zip")) as stored:
        headers = [name for name in stored.namelist() if name.endswith("_hr.hea")]
        assert len(headers) == 8
        for name in headers:
            signals = []
            for each in (name, name.replace("records500", "records100").replace("_hr", "_lr")):
                record = [(part, stored.read(part)) for part in (each, each.replace(".hea", ".dat"))]
                recording = load_recording(record)
                assert check_recording(recording).flat_leads == ()
                signals.append(network_signal(recording, INPUT))
            # The records at 500 Hz are constant in their last 0.15 s, those at 100 Hz are not.
            assert min(correlations(signals[0][:980], signals[1][:980])) > 0.98


def test_a_real_record_is_read_as_the_wfdb_package_reads_it(tmp_path: Path, wfdb: ModuleType) -> None:
    for ending in ("00001_lr", "00002_hr"):
        for part in (".hea", ".dat"):
            (tmp_path / f"{ending}{part}").write_bytes(real_member("ptb-xl.zip", f"{ending}{part}"))
        expected = wfdb.rdrecord(str(tmp_path / ending))
        recording = read_wfdb(tmp_path / f"{ending}.hea")
        np.testing.assert_allclose(recording.signal_mv, expected.p_signal, rtol=0, atol=1e-6)
        assert (recording.sampling_rate_hz, [n.upper() for n in STANDARD_LEADS]) == (expected.fs, expected.sig_name)


def test_a_real_dicom_waveform() -> None:
    recording = load_recording([("a", real_member("dicom.zip", "waveform_ecg.dcm"))])
    assert (recording.format, recording.unit, recording.signal_mv.shape) == ("DICOM", "uV", (10_000, 12))
    assert check_recording(recording).duration_s == 10
    # pydicom's own conversion of the first samples, in uV.
    first = [100, 112.5, 12.5, -106.25, 43.75, 62.5, 50, 18.75, -12.5, -25, -68.75, -50]
    np.testing.assert_allclose(recording.signal_mv[0] * 1000, first, rtol=1e-5)
    one, two, three = recording.signal_mv[:, :3].T
    np.testing.assert_allclose(three, two - one, rtol=0, atol=0.003)
