"""The test recordings as other devices would deliver them and as printed pages show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.signal import resample_poly

from ml_model.ecg.recording import STANDARD_LEADS, EcgRecording
from ml_model.training.augmentation.signals import RHYTHM_LEADS, windows_of

RecordingChange = Callable[[EcgRecording], EcgRecording]
NOISE_MV = 0.05
WANDER_MV, WANDER_HZ = 0.3, 0.3


def resampled(recording: EcgRecording, factor: int) -> EcgRecording:
    """At `factor` times the sampling rate."""
    signal = resample_poly(np.nan_to_num(recording.signal_mv), factor, 1, axis=0).astype(np.float32)
    return replace(recording, signal_mv=signal, sampling_rate_hz=recording.sampling_rate_hz * factor)


def first_seconds(recording: EcgRecording, seconds: float) -> EcgRecording:
    """Cut short."""
    return replace(recording, signal_mv=recording.signal_mv[: int(seconds * recording.sampling_rate_hz)])


def noisy(recording: EcgRecording) -> EcgRecording:
    """White noise on every lead, the same for all recordings of a length."""
    noise = np.random.default_rng(0).normal(0, NOISE_MV, recording.signal_mv.shape)
    return replace(recording, signal_mv=(recording.signal_mv + noise).astype(np.float32))


def wandering(recording: EcgRecording) -> EcgRecording:
    """The baseline of every lead goes up and down with the breath."""
    seconds = np.arange(len(recording.signal_mv)) / recording.sampling_rate_hz
    wander = WANDER_MV * np.sin(2 * np.pi * WANDER_HZ * seconds)[:, None]
    return replace(recording, signal_mv=(recording.signal_mv + wander).astype(np.float32))


def lead_off(recording: EcgRecording, lead: int) -> EcgRecording:
    """One lead was not recorded."""
    signal = recording.signal_mv.copy()
    signal[:, lead] = np.nan
    return replace(recording, signal_mv=signal)


def on_a_page(recording: EcgRecording, columns: int, *, rhythm: bool) -> EcgRecording:
    """What a printed page of so many columns shows, drawn and read without any loss."""
    keep = windows_of(len(recording.signal_mv), len(STANDARD_LEADS), columns)
    if rhythm:
        keep[:, RHYTHM_LEADS[0]] = True
    return replace(recording, signal_mv=np.where(keep, recording.signal_mv, np.nan).astype(np.float32))


RECORDING_CHANGES: dict[str, dict[str, RecordingChange]] = {
    "variants": {
        "five_times_the_rate": partial(resampled, factor=5),
        "first_5_seconds": partial(first_seconds, seconds=5.0),
        "page_of_6_by_2": partial(on_a_page, columns=2, rhythm=False),
        "page_of_3_by_4_with_rhythm_strip": partial(on_a_page, columns=4, rhythm=True),
        "page_of_3_by_4": partial(on_a_page, columns=4, rhythm=False),
    },
    "corruptions": {
        "noise": noisy,
        "wandering_baseline": wandering,
        "lead_V1_off": partial(lead_off, lead=STANDARD_LEADS.index("V1")),
    },
}
