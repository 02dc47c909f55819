"""12-lead recordings as another electrocardiograph would deliver them: filters, rate, clock, steps, gain, noise."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, resample_poly, sosfiltfilt

Signal = NDArray[np.float32]

WANDER_HZ = 0.3


@dataclass(frozen=True)
class SignalDevice:
    """How a device records.

    high_pass_hz: corner of a coupling of first order, in one direction, as amplifiers have it; it bends the ST segment.
    low_pass_hz: corner of a filter of second order, in both directions. rate_hz: of the file; 0 is that of the
    recording. clock: seconds that the device takes for one. step_mv: of its numbers. noise_mv: deviation of muscle
    noise. wander_mv: of the baseline, with the breath. leads_off: columns that are flat.
    """

    gain: float = 1.0
    high_pass_hz: float = 0.0
    low_pass_hz: float = 0.0
    rate_hz: float = 0.0
    clock: float = 1.0
    step_mv: float = 0.0
    noise_mv: float = 0.0
    wander_mv: float = 0.0
    leads_off: tuple[int, ...] = ()


# The yardstick: fixed before the first training, never changed with a candidate in view (docs/training.md).
SIMULATED_DEVICES: dict[str, SignalDevice] = {
    "monitor filter": SignalDevice(high_pass_hz=0.5, low_pass_hz=40),
    "muscle filter": SignalDevice(low_pass_hz=25),
    "strong coupling": SignalDevice(high_pass_hz=1.0),
    "low gain": SignalDevice(gain=0.8),
    "high gain": SignalDevice(gain=1.25),
    "slow clock": SignalDevice(clock=1.03),
    "fast clock": SignalDevice(clock=0.97),
    "low rate": SignalDevice(rate_hz=62.5, step_mv=0.01),
    "coarse steps": SignalDevice(step_mv=0.04),
    "muscle noise": SignalDevice(noise_mv=0.04),
    "wandering": SignalDevice(wander_mv=0.2),
    "two leads off": SignalDevice(leads_off=(8, 11)),  # V3, V6
}


def random_device(rng: Generator) -> SignalDevice:
    """A device as there may be one; noise, wander, gain and missing leads are `augment_signal`'s."""

    def sometimes(share: float, low: float, high: float) -> float:
        return float(rng.uniform(low, high)) if rng.random() < share else 0.0

    return SignalDevice(
        high_pass_hz=sometimes(0.5, 0.05, 1.0),
        low_pass_hz=sometimes(0.5, 20, 45),
        rate_hz=sometimes(0.2, 60, 250),
        clock=float(rng.uniform(0.96, 1.04)),
        step_mv=sometimes(0.3, 0.002, 0.04),
    )


def recorded_by(signal: Signal, device: SignalDevice, sampling_rate_hz: float, rng: Generator) -> Signal:
    """`signal` (time, 12) in mV as the device would deliver it, at the same rate and of the same length; rng: noise."""
    count, found = len(signal), signal.astype(np.float64)
    if device.clock != 1.0:
        found = _resampled(found, 1 / device.clock, count)
    if device.high_pass_hz:
        found = found - lfilter(*_smoothing(device.high_pass_hz, sampling_rate_hz), found - found[:1], axis=0)
    if device.low_pass_hz:
        found = sosfiltfilt(butter(2, device.low_pass_hz, fs=sampling_rate_hz, output="sos"), found, axis=0)
    found = device.gain * found
    if device.wander_mv:
        phase = 2 * np.pi * (WANDER_HZ * np.arange(count) / sampling_rate_hz + rng.random())
        found = found + device.wander_mv * np.sin(phase)[:, None]
    if device.noise_mv:
        found = found + rng.normal(0, device.noise_mv, found.shape)
    if device.rate_hz:
        ratio = device.rate_hz / sampling_rate_hz
        found = _resampled(_resampled(found, ratio, round(count * ratio)), 1 / ratio, count)
    if device.step_mv:
        found = np.round(found / device.step_mv) * device.step_mv
    found[:, list(device.leads_off)] = 0
    return found.astype(np.float32)


def _smoothing(corner_hz: float, rate_hz: float) -> tuple[list[float], list[float]]:
    """Coefficients of the first-order low-pass filter whose rest is the high-pass one."""
    kept = float(np.exp(-2 * np.pi * corner_hz / rate_hz))
    return [1 - kept], [1, -kept]


def _resampled(signal: NDArray[np.float64], ratio: float, count: int) -> NDArray[np.float64]:
    """`ratio` times as many samples, of which the first `count` are kept; the last is held where there are fewer."""
    exact = Fraction(ratio).limit_denominator(200)
    found = resample_poly(signal, exact.numerator, exact.denominator, axis=0, padtype="line")[:count]
    return np.pad(found, ((0, count - len(found)), (0, 0)), mode="edge")
