"""What the network takes of a recording, and which recordings are refused for their quality."""

from __future__ import annotations

import zipfile
from dataclasses import replace

import numpy as np
import pytest
from ecg_files import INPUT, correlations, heart, wfdb_record
from samples import real_archive

from ml_model.ecg.recording import EcgRecording, check_recording, examine_recording, load_recording, network_signal
from ml_model.errors import PoorQuality

HEART = heart()


def test_a_recording_at_the_networks_rate_is_only_centred() -> None:
    signal_mv = heart(100).astype(np.float32)
    taken = network_signal(EcgRecording(signal_mv, 100.0), INPUT)
    assert taken.shape == (1000, 12)
    assert taken.dtype == np.float32
    np.testing.assert_array_equal(taken, signal_mv - np.median(signal_mv, axis=0))


@pytest.mark.parametrize("rate_hz", [100, 128, 250, 257, 360, 499.5, 500, 1000, 4000, 9999])
def test_every_rate_gives_the_same_signal(rate_hz: float) -> None:
    expected = network_signal(EcgRecording(heart(100).astype(np.float32), 100.0), INPUT)
    # An offset, as electrodes have: at the ends it must not look like a step.
    taken = network_signal(EcgRecording(heart(rate_hz).astype(np.float32) + 2, float(rate_hz)), INPUT)
    assert min(correlations(taken, expected)) > 0.999
    np.testing.assert_allclose(taken, expected, rtol=0, atol=0.005)


def test_the_first_seconds_are_taken_and_short_recordings_padded() -> None:
    for rate_hz in (100, 500):
        long, short = heart(rate_hz, 30), heart(rate_hz, 4)
        taken = network_signal(EcgRecording(long.astype(np.float32), float(rate_hz)), INPUT)
        changed = np.concatenate([long[: 11 * rate_hz], long[11 * rate_hz :] * 50]).astype(np.float32)
        np.testing.assert_array_equal(network_signal(EcgRecording(changed, float(rate_hz)), INPUT), taken)
        padded = network_signal(EcgRecording(short.astype(np.float32), float(rate_hz)), INPUT)
        assert (padded[400:] == 0).all()
        assert min(correlations(padded[20:380], taken[20:380])) > 0.999


def test_what_was_not_seen_is_zero_and_changes_nothing_else() -> None:
    for rate_hz in (100, 500):
        whole = heart(rate_hz).astype(np.float32) + 2  # an offset, so that a filled gap would be seen
        masked = whole.copy()
        masked[: 5 * rate_hz, 3] = np.nan
        masked[:, 7] = np.nan
        taken, expected = (network_signal(EcgRecording(x, float(rate_hz)), INPUT) for x in (masked, whole))
        assert (taken[:500, 3] == 0).all()
        assert (taken[:, 7] == 0).all()
        assert np.median(taken[500:, 3]) == pytest.approx(0, abs=1e-6)
        others = [i for i in range(12) if i not in (3, 7)]
        np.testing.assert_array_equal(taken[:, others], expected[:, others])
        shift = np.median(expected[500:, 3])
        np.testing.assert_allclose(taken[505:, 3], expected[505:, 3] - shift, rtol=0, atol=0.01)
    nothing = np.full((500, 12), np.nan, np.float32)
    assert (network_signal(EcgRecording(nothing, 500.0), INPUT) == 0).all()


# Quality


def test_what_a_good_recording_is_like() -> None:
    check = check_recording(load_recording(wfdb_record(HEART)))
    assert (check.duration_s, check.sampling_rate_hz, check.unit, check.unit_told_by) == (10, 500, "mV", "file")
    assert (check.derived_leads, check.flat_leads, check.faults) == ((), (), ())


def test_short_recordings_are_refused() -> None:
    with pytest.raises(PoorQuality, match=r"lasts 2\.49 s, at least 2\.5 s"):
        check_recording(load_recording(wfdb_record(HEART[:1245])))
    assert check_recording(load_recording(wfdb_record(HEART[:1250]))).duration_s == 2.5


def test_flat_leads_are_told_and_three_are_refused() -> None:
    flat = HEART.astype(np.float32)
    flat[:, [4, 9]] = 0.3
    flat[::2, 9] += 0.002
    check = check_recording(EcgRecording(flat, 500.0))
    assert check.flat_leads == ("aVL", "V4")
    assert [str(fault) for fault in check.faults] == [
        "aVL is flat: its standard deviation is 0 mV, at least 0.005 mV is needed",
        "V4 is flat: its standard deviation is 0.001 mV, at least 0.005 mV is needed",
    ]
    flat[:, 10] += np.nan
    flat[:400, 10] = HEART[:400, 10]  # less than a second is no lead
    with pytest.raises(
        PoorQuality,
        match=r"^3 leads cannot be used, at most 2 may be so: aVL is flat: .*; V4 is flat: .*; "
        r"V5 was recorded for 0\.8 s, at least 1 s are needed; check the electrodes",
    ):
        check_recording(EcgRecording(flat, 500.0))
    assert examine_recording(EcgRecording(flat, 500.0)).flat_leads == ("aVL", "V4", "V5")


@pytest.mark.parametrize("rate_hz", [100, 500])
def test_a_lead_that_stands_still_is_told_by_name(rate_hz: int) -> None:
    still = heart(rate_hz).astype(np.float32)
    # Sample k and the n after it are the same: n + 1 in a row. Two seconds pass, one sample more does not.
    still[rate_hz : 3 * rate_hz, 7] = still[rate_hz, 7]
    assert check_recording(EcgRecording(still, float(rate_hz))).faults == ()
    still[3 * rate_hz, 7] = still[rate_hz, 7]
    (fault,) = check_recording(EcgRecording(still, float(rate_hz))).faults
    assert (fault.lead, fault.fault, fault.limit) == ("V2", "still", 2.0)
    assert fault.value == pytest.approx(2 + 1 / rate_hz)
    still[4 * rate_hz : 9 * rate_hz, 7] = 1.5
    assert str(examine_recording(EcgRecording(still, float(rate_hz))).faults[0]) == (
        "V2 keeps one value for 5 s, at most 2 s are plausible"
    )


def test_clipped_leads_are_told_and_three_are_refused() -> None:
    cut = HEART.astype(np.float32)
    for lead, share in ((1, 0.045), (6, 0.08), (11, 0.15)):  # of the samples at each end
        cut[:, lead] = np.clip(cut[:, lead], *np.quantile(cut[:, lead], (share, 1 - share)))
    check = check_recording(EcgRecording(cut, 500.0))
    assert [(f.lead, f.fault) for f in check.faults] == [("V1", "clipped"), ("V6", "clipped")]
    assert [f.value for f in check.faults] == pytest.approx([0.16, 0.3], abs=0.01)
    assert check.flat_leads == ()
    message = r"V1 is clipped: 16% of its samples lie at its highest or lowest value, at most 10% may"
    cut[:, 0] = np.minimum(cut[:, 0], np.quantile(cut[:, 0], 0.85))  # at one end only
    with pytest.raises(PoorQuality, match=rf"^3 leads cannot .*: I is clipped: 15% .*; {message}; V6 is clipped: 30%"):
        check_recording(EcgRecording(cut, 500.0))


def test_what_was_not_recorded_is_no_sign_of_clipping() -> None:
    seen = HEART.astype(np.float32)
    seen[1250:, 3] = np.nan
    assert check_recording(EcgRecording(seen, 500.0)).faults == ()


def test_real_recordings_have_no_faulty_lead() -> None:
    with zipfile.ZipFile(real_archive("ptb-xl.zip")) as stored:
        headers = sorted(name for name in stored.namelist() if name.endswith(".hea"))[::40]
        records = [[(n, stored.read(n)) for n in (name, name[:-4] + ".dat")] for name in headers]
    assert len(records) >= 40
    for record in records:
        recording = load_recording(record)
        assert check_recording(recording).faults == (), record[0][0]
        # A recorder of coarse steps, 0.02 mV, is not clipped either.
        coarse = np.round(recording.signal_mv / np.float32(0.02)) * np.float32(0.02)
        assert check_recording(replace(recording, signal_mv=coarse)).faults == (), record[0][0]
