"""Augmentation of 12-lead recordings: what electrodes, machines and printed pages do to them."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ml_model.training.augmentation.signal_devices import random_device, recorded_by
from ml_model.training.recipe import SignalAugmentation

Signal = NDArray[np.float32]
# Columns of the usual page layouts: each of them shows its share of the time, one after the other.
PAGE_COLUMNS = (2, 3, 4)
PAGE_SHARES = (0.25, 0.15, 0.6)
RHYTHM_LEADS = (1, 6, 10)  # II, V1, V5


def augment_signal(
    signal: NDArray[np.floating], settings: SignalAugmentation, sampling_rate_hz: float, rng: Generator
) -> Signal:
    """One random view of (time, 12) in mV."""
    count = len(signal)
    if rng.random() < settings.shift:
        signal = np.roll(signal, int(rng.integers(count)), axis=0)
    if settings.device and rng.random() < settings.device:
        signal = recorded_by(np.asarray(signal, np.float32), random_device(rng), sampling_rate_hz, rng)
    gains = np.exp(rng.uniform(-settings.gain, settings.gain)) * rng.uniform(
        1 - settings.lead_gain, 1 + settings.lead_gain, signal.shape[1]
    )
    signal = signal * gains.astype(np.float32)
    if rng.random() < 0.5:
        phase = 2 * np.pi * rng.uniform(0.05, 0.5) * np.arange(count) / sampling_rate_hz + rng.uniform(0, 2 * np.pi)
        signal = signal + np.sin(phase)[:, None] * rng.normal(0, settings.wander_mv, signal.shape[1])
    if rng.random() < 0.5:
        signal = signal + rng.normal(0, rng.uniform(0, settings.noise_mv), signal.shape)
    keep = np.ones(signal.shape, bool)
    if rng.random() < settings.crop:
        length = int(count * rng.uniform(settings.shortest, 1))
        start = int(rng.integers(count - length + 1))
        keep[:start], keep[start + length :] = False, False
    if rng.random() < settings.page:
        keep &= page_windows(count, signal.shape[1], rng)
    if rng.random() < settings.lead_off:
        off = rng.choice(signal.shape[1], int(rng.integers(1, settings.most_leads_off + 1)), replace=False)
        keep[:, off] = False
    return np.where(keep, signal, 0).astype(np.float32)


def page_windows(count: int, leads: int, rng: Generator) -> NDArray[np.bool_]:
    """(time, lead): what a page of a random layout shows, sometimes with rhythm strips."""
    columns = int(rng.choice(PAGE_COLUMNS, p=PAGE_SHARES))
    keep = windows_of(count, leads, columns, simultaneous=bool(rng.random() < 0.2))
    if rng.random() < 0.7:
        keep[:, RHYTHM_LEADS[0]] = True
    if rng.random() < 0.2:
        keep[:, list(RHYTHM_LEADS)] = True
    return keep


def windows_of(count: int, leads: int, columns: int, *, simultaneous: bool = False) -> NDArray[np.bool_]:
    """(time, lead): leads in standard order down the columns; column c shows the c-th share of the time."""
    keep = np.zeros((count, leads), bool)
    length, per_column = count // columns, leads // columns
    for lead in range(leads):
        start = 0 if simultaneous else lead // per_column * length
        keep[start : start + length, lead] = True
    return keep
