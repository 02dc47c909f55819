"""What is measured of recordings whose rate, rhythm, waves and leads are known because they were made so."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from beats import ectopic_beats, made_beats, page_of

from ml_model.ecg.electrodes import Exchange, with_limbs_exchanged
from ml_model.ecg.leads import STANDARD_LEADS, EcgRecording
from ml_model.ecg.measurements import (
    OF_TYPICAL_BEAT,
    TOO_FEW_BEATS,
    TOO_FEW_RR,
    MeasuredSignal,
    measure,
)


def values(measured: MeasuredSignal, lead: str | None = None) -> dict[str, float | None]:
    return {one.code: one.value for one in measured.measurements if one.lead == lead}


def near(value: float | None, expected: float, tolerance: float) -> bool:
    return value is not None and abs(value - expected) <= tolerance


@pytest.mark.parametrize("rate_hz", [100.0, 257.0, 500.0])
@pytest.mark.parametrize(("pr", "qrs", "qt", "rate"), [(160, 90, 400, 60), (240, 90, 360, 75), (140, 150, 440, 70)])
def test_the_intervals_are_those_that_were_made(pr: int, qrs: int, qt: int, rate: int, rate_hz: float) -> None:
    found = values(measure(made_beats(pr_ms=pr, qrs_ms=qrs, qt_ms=qt, beats_per_minute=rate, rate_hz=rate_hz)))
    assert near(found["heart_rate"], rate, 0.5)
    assert near(found["pr"], pr, 15)
    assert near(found["qrs"], qrs, 15)
    assert near(found["qt"], qt, 20)
    told, rr_s = found["qt"] or math.nan, 60 / rate
    assert near(found["qtc_bazett"], told / rr_s**0.5, 2)
    assert near(found["qtc_fridericia"], told / rr_s ** (1 / 3), 2)
    assert found["p_wave"] == 1
    assert near(found["rr_spread"], 0, 0.01)


@pytest.mark.parametrize("rate", [35, 50, 75, 110, 150, 190])
def test_slow_and_fast_hearts_are_counted(rate: int) -> None:
    qt = min(400, 0.55 * 60000 / rate)
    found = values(measure(made_beats(pr_ms=120, qrs_ms=80, qt_ms=qt, beats_per_minute=rate)))
    assert near(found["heart_rate"], rate, 1)


@pytest.mark.parametrize("axis", [-60, 0, 45, 100, 170])
def test_the_axis_is_the_one_that_was_made(axis: int) -> None:
    assert near(values(measure(made_beats(axis_degrees=axis)))["axis"], axis, 5)


def test_the_st_level_is_told_lead_by_lead() -> None:
    level = dict.fromkeys(STANDARD_LEADS, 0.0) | {"V2": 0.3, "V5": -0.2}
    recording = made_beats(st_mv=tuple(level.values()), wander_mv=0.4)
    measured = measure(recording)
    for lead, expected in level.items():
        assert near(values(measured, lead)["st_level"], expected, 0.03), lead


def test_beats_that_come_at_random_without_p_waves_are_irregular() -> None:
    found = values(measure(made_beats(rr_spread=0.2, p_mv=0.0, seed=3)))
    assert (found["rr_spread"] or 0) > 0.1
    assert near(found["irregularity"], 2 * (found["rr_spread"] or 0), 0.002)
    assert found["pr"] is None
    assert found["p_wave"] == 0
    assert (found["atrial_fibrillation"] or 0) > 0.9
    assert found["premature_beats"] is found["premature_wide_beats"] is None


@pytest.mark.parametrize("rate", [50, 75, 100])
def test_a_steady_rhythm_with_p_waves_has_no_signs_of_fibrillation(rate: int) -> None:
    found = values(measure(made_beats(beats_per_minute=rate, pr_ms=120, qt_ms=min(400, 33000 / rate))))
    assert found["atrial_fibrillation"] is not None
    assert 0 <= found["atrial_fibrillation"] < 0.02
    assert found["premature_beats"] == found["premature_wide_beats"] == 0


def test_a_steady_rhythm_without_p_waves_as_in_a_flutter_has_signs_of_it() -> None:
    slow, fast = (values(measure(made_beats(p_mv=0.0, beats_per_minute=rate))) for rate in (50, 100))
    assert 0.05 < (slow["atrial_fibrillation"] or 0) < (fast["atrial_fibrillation"] or 0)


def test_beats_that_come_early_and_look_different_are_counted() -> None:
    recording = ectopic_beats()
    for shown in (recording, replace(recording, signal_mv=2 * recording.signal_mv)):
        found = values(measure(shown))
        assert found["premature_beats"] == found["premature_wide_beats"] == 2
        assert (found["atrial_fibrillation"] or 0) < 0.5


def test_single_extra_beats_are_not_an_irregular_rhythm_and_change_no_interval() -> None:
    plain, extra = values(measure(made_beats())), values(measure(ectopic_beats()))
    assert near(extra["rr_spread"], 0, 0.05)
    assert near(extra["qrs"], plain["qrs"] or 0, 6)
    assert near(extra["pr"], plain["pr"] or 0, 10)


def test_what_cannot_be_measured_has_a_reason_and_no_number() -> None:
    flat = EcgRecording(np.zeros((1000, 12), np.float32), 100.0)
    short = EcgRecording(made_beats().signal_mv[:150], 500.0)
    nothing = EcgRecording(np.full((1000, 12), np.nan, np.float32), 100.0)
    one_sample = EcgRecording(np.zeros((1, 12), np.float32), 100.0)
    for recording in (flat, short, nothing, one_sample):
        measured = measure(recording)
        assert [one.value for one in measured.measurements] == [None] * len(measured.measurements)
        told = {one.code: one.reason for one in measured.measurements}
        assert told["heart_rate"] == TOO_FEW_BEATS
        assert told["rr_spread"] == told["irregularity"] == TOO_FEW_RR
        assert all(told[code] == TOO_FEW_BEATS for code in OF_TYPICAL_BEAT)
        assert measured.exchanged is None


def test_noise_has_neither_intervals_nor_a_steady_p_wave() -> None:
    noise = np.random.default_rng(5).normal(0, 0.3, (5000, 12)).astype(np.float32)
    found = values(measure(EcgRecording(noise, 500.0)))
    assert found["pr"] is None
    assert found["qt"] is None


def test_a_lead_that_is_not_seen_or_only_noise_is_of_no_quality() -> None:
    recording = made_beats()
    signal = recording.signal_mv.copy()
    signal[:, 7] = np.nan
    signal[:, 9] = np.random.default_rng(1).normal(0, 0.5, len(signal))
    measured = measure(EcgRecording(signal, recording.sampling_rate_hz))
    assert values(measured, "V2")["lead_quality"] is None
    assert values(measured, "V2")["st_level"] is None
    assert (values(measured, "V4")["lead_quality"] or 0) < 0.3
    assert (values(measured, "II")["lead_quality"] or 0) > 0.9
    assert near(values(measured)["qrs"], values(measure(recording))["qrs"] or 0, 10)


def test_a_page_is_measured_like_the_recording_that_it_shows() -> None:
    recording = made_beats(beats_per_minute=75)
    whole, page = values(measure(recording)), values(measure(page_of(recording)))
    assert near(page["heart_rate"], 75, 1)
    assert near(page["qrs"], whole["qrs"] or 0, 12)
    assert near(page["qt"], whole["qt"] or 0, 20)


def test_columns_that_all_begin_with_the_recording_are_not_taken_for_further_beats() -> None:
    recording = made_beats(beats_per_minute=67, qrs_ms=90)
    measured = measure(page_of(recording, in_step=False))
    page = values(measured)
    assert near(page["heart_rate"], 67, 1)
    assert near(page["rr_spread"], 0, 0.02)
    assert near(page["qrs"], 90, 20)
    assert values(measured, "V5")["st_level"] is None
    signal = page_of(recording, in_step=False).signal_mv
    signal[:, 1] = np.where(np.isnan(signal[:, 0]), np.nan, signal[:, 1])
    without_strip = values(measure(EcgRecording(signal, recording.sampling_rate_hz)))
    assert near(without_strip["heart_rate"], 67, 1)


@pytest.mark.parametrize("exchange", ["arms", "right arm and leg"])
def test_exchanged_electrodes_are_told_and_exchanged_back(exchange: Exchange) -> None:
    recording = made_beats(axis_degrees=50)
    assert measure(recording).exchanged is None
    swapped = with_limbs_exchanged(recording, exchange)
    found = measure(swapped).exchanged
    assert found is not None
    assert found.exchange == exchange
    assert np.array_equal(with_limbs_exchanged(swapped, exchange).signal_mv, recording.signal_mv)
    einthoven = swapped.signal_mv[:, 0] + swapped.signal_mv[:, 2] - swapped.signal_mv[:, 1]
    assert np.abs(einthoven).max() < 1e-5


@pytest.mark.parametrize(
    ("flat", "misplaced"),
    [(0, "both arms and both legs"), (1, "right arm and right leg"), (2, "left arm and right leg")],
)
def test_a_limb_lead_between_two_legs_is_flat(flat: int, misplaced: str) -> None:
    right = made_beats(axis_degrees=50)
    signal = right.signal_mv.copy()
    hidden = 0.02 * signal[:, flat]
    one, two = {0: (hidden, signal[:, 1]), 1: (-signal[:, 2], hidden), 2: (signal[:, 1], signal[:, 1] + hidden)}[flat]
    signal[:, :6] = np.stack([one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2], axis=1)
    found = measure(EcgRecording(signal, right.sampling_rate_hz)).exchanged
    assert found is not None
    assert (found.exchange, found.certain) == (misplaced, False)
    torn_off = right.signal_mv.copy()
    torn_off[:, flat] = 0.0  # a lead that was not recorded: the others do not agree with it
    other = measure(EcgRecording(torn_off, right.sampling_rate_hz)).exchanged
    assert other is None or other.exchange != misplaced


def test_electrodes_are_not_judged_where_a_lead_is_missing() -> None:
    swapped = with_limbs_exchanged(made_beats(axis_degrees=50), "arms")
    signal = swapped.signal_mv.copy()
    signal[:, 10] = np.nan
    assert measure(EcgRecording(signal, swapped.sampling_rate_hz)).exchanged is None
