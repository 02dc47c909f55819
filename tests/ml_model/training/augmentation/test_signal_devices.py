"""Recordings as other electrocardiographs would deliver them."""

from __future__ import annotations

import numpy as np
import pytest
from beats import twelve_leads

from ml_model.training.augmentation.signal_devices import (
    SIMULATED_DEVICES,
    SignalDevice,
    random_device,
    recorded_by,
)

RATE_HZ = 100.0


def delivered(name: str) -> tuple[np.ndarray, np.ndarray]:
    signal = twelve_leads()
    return signal, recorded_by(signal, SIMULATED_DEVICES[name], RATE_HZ, np.random.default_rng(0))


@pytest.mark.parametrize("name", SIMULATED_DEVICES)
def test_each_device_delivers_another_recording_of_the_same_length(name: str) -> None:
    signal, found = delivered(name)
    assert found.shape == signal.shape
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert 0.001 < np.abs(found - signal).max() < 4
    assert np.array_equal(found, delivered(name)[1])


def test_a_device_without_properties_changes_nothing() -> None:
    signal = twelve_leads()
    assert np.array_equal(recorded_by(signal, SignalDevice(), RATE_HZ, np.random.default_rng(0)), signal)


def test_devices_do_what_their_properties_say() -> None:
    signal, high = delivered("high gain")
    assert np.allclose(high, 1.25 * signal, atol=1e-6)
    assert not delivered("two leads off")[1][:, [8, 11]].any()
    steps = delivered("coarse steps")[1] / 0.04
    assert np.abs(steps - np.round(steps)).max() < 1e-3
    assert (delivered("muscle noise")[1] - signal).std() == pytest.approx(0.04, rel=0.05)
    slow = delivered("slow clock")[1][:, 1]
    at = np.arange(400)
    assert np.abs(np.interp(at * 1.03, np.arange(1000), signal[:, 1]) - slow[at]).mean() < 0.1 * signal[:, 1].std()


def test_the_coupling_takes_away_what_is_slow_and_the_filter_what_is_fast() -> None:
    seconds = np.arange(1000) / RATE_HZ
    slow, fast = (np.repeat(np.sin(2 * np.pi * hz * seconds)[:, None], 12, axis=1) for hz in (0.1, 45))
    rng = np.random.default_rng(0)
    left = [recorded_by(s.astype(np.float32), SIMULATED_DEVICES["monitor filter"], RATE_HZ, rng) for s in (slow, fast)]
    assert left[0][300:].std() < 0.3 * slow.std()
    assert left[1].std() < 0.5 * fast.std()


def test_random_devices_keep_a_recording_recognisable() -> None:
    signal, rng = twelve_leads(), np.random.default_rng(1)
    for _ in range(20):
        found = recorded_by(signal, random_device(rng), RATE_HZ, rng)
        assert found.shape == signal.shape
        assert 0.2 * signal.std() < found.std() < 2 * signal.std()
