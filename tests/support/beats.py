"""Synthetic 12-lead recordings: Gaussian P, QRS and T waves along a heart axis, so that Einthoven's law holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.export import as_wfdb
from ml_model.ecg.recording import EcgRecording

WAVES = ((-0.17, 0.025, 0.12), (-0.025, 0.008, -0.1), (0.0, 0.011, 1.0), (0.03, 0.009, -0.2), (0.25, 0.045, 0.28))
CHEST = np.array([[-0.4, 0.5], [0.1, 0.8], [0.5, 0.9], [0.9, 0.8], [1.0, 0.5], [0.8, 0.3]])


def twelve_leads(
    *, seconds: float = 10.0, rate_hz: float = 100.0, beats_per_minute: float = 66.0, st_mv: float = 0.0, seed: int = 0
) -> NDArray[np.float32]:
    """(time, 12) in mV, standard order. st_mv raises everything between S and T."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    axes = np.zeros((2, len(t)))
    for beat in np.arange(rng.uniform(0.3, 0.6), seconds + 1, 60 / beats_per_minute):
        for at, width, size in WAVES:
            wave = size * np.exp(-0.5 * ((t - beat - at) / width) ** 2)
            axes += np.outer((0.8, 0.6), wave)
        axes += np.outer((0.7, 0.7), st_mv * ((t > beat + 0.05) & (t < beat + 0.2)))
    axes += rng.normal(0, 0.004, axes.shape)
    one, two = axes[0], 0.5 * axes[0] + 0.8 * axes[1]
    limbs = np.stack([one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2], axis=1)
    return np.concatenate([limbs, axes.T @ CHEST.T], axis=1).astype(np.float32)


def write_ptb_xl(folder: Path, records: int = 40) -> Path:
    """A data set in the layout of PTB-XL: every other record has raised ST segments, folds in turn."""
    root = folder / "ptb-xl"
    (root / "records100" / "00000").mkdir(parents=True)
    rows = ["ecg_id,patient_id,age,sex,scp_codes,strat_fold,filename_lr"]
    codes = ("NORM", "IMI", "STTC_", "LBBB", "LVH")
    for n in range(records):
        name = f"{n:05}_lr"
        signal = twelve_leads(st_mv=0.4 * (n % 5 == 1), beats_per_minute=55 + 10 * (n % 5), seed=n)
        for file, content in as_wfdb(EcgRecording(signal, 100.0), name).items():
            (root / "records100" / "00000" / file).write_bytes(content)
        code = f"\"{{'{codes[n % 5]}': 100.0}}\""
        rows.append(f"{n},{n},{40 + n % 50},{n % 2},{code},{n // 5 % 10 + 1},records100/00000/{name}")
    (root / "ptbxl_database.csv").write_text("\n".join(rows) + "\n")
    statements = [",diagnostic,diagnostic_class"]
    statements += [f"{c},1.0,{k}" for c, k in zip(codes, ("NORM", "MI", "STTC", "CD", "HYP"), strict=True)]
    (root / "scp_statements.csv").write_text("\n".join(statements) + "\n")
    return root


def made_beats(
    *,
    pr_ms: float = 160,
    qrs_ms: float = 90,
    qt_ms: float = 390,
    beats_per_minute: float = 66,
    axis_degrees: float = 45,
    rr_spread: float = 0.0,
    p_mv: float = 0.15,
    st_mv: tuple[float, ...] = (0.0,) * 12,
    wander_mv: float = 0.0,
    rate_hz: float = 500.0,
    seed: int = 0,
) -> EcgRecording:
    """Ten seconds of beats whose waves begin and end where they are told: raised cosines, three to a QRS complex. The
    limb leads lie along `axis_degrees`. rr_spread: of the times between beats, as a share. st_mv: of each lead."""
    rng, t = np.random.default_rng(seed), np.arange(round(10 * rate_hz)) / rate_hz
    chest = np.array([-0.7, -0.3, 0.5, 1.1, 1.3, 1.0])
    angles = np.radians(axis_degrees - np.array([0, 60, 120, -150, -30, 90]))
    scale = np.array([1, 1, 1, 3**0.5 / 2, 3**0.5 / 2, 3**0.5 / 2])
    leads = np.concatenate([np.cos(angles) * scale, chest])
    signal, onset = np.zeros((len(t), 12)), 0.35
    while onset < 11:
        qrs = onset, qrs_ms / 1000
        waves = (
            (onset - pr_ms / 1000, 0.1, p_mv),
            (onset, 0.36 * qrs[1], -0.12),
            (onset + 0.2 * qrs[1], 0.5 * qrs[1], 1.2),
        )
        waves += ((onset + 0.6 * qrs[1], 0.4 * qrs[1], -0.3), (onset + (qt_ms - 180) / 1000, 0.18, 0.35))
        for begin, long_s, high_mv in waves:
            signal += np.outer(_raised_cosine(t, begin, long_s) * high_mv, leads)
        st = (t > onset + qrs[1]) & (t < onset + (qt_ms - 120) / 1000)
        signal += np.outer(st, st_mv)
        onset += 60 / beats_per_minute * (1 + rr_spread * rng.normal() if rr_spread else 1)
    signal += wander_mv * np.sin(2 * np.pi * 0.25 * t)[:, None] + rng.normal(0, 0.003, signal.shape)
    signal[:, 2] = signal[:, 1] - signal[:, 0]
    return EcgRecording(signal.astype(np.float32), rate_hz)


def _raised_cosine(t: NDArray[np.float64], begin_s: float, long_s: float) -> NDArray[np.float64]:
    inside = (t >= begin_s) & (t <= begin_s + long_s)
    return np.where(inside, 0.5 - 0.5 * np.cos(2 * np.pi * (t - begin_s) / long_s), 0.0)


def ectopic_beats() -> EcgRecording:
    """The beats of `made_beats`, two of them 120 ms wide, upside down and 0.25 s early."""
    plain = made_beats()
    signal, rate_hz = plain.signal_mv.copy(), plain.sampling_rate_hz
    for beat in (3, 8):
        onset = 0.35 + beat * 60 / 66
        begin, end = (round((onset + side) * rate_hz) for side in (-0.2, 0.5))
        signal[begin:end] = 0.0
        t = np.arange(len(signal)) / rate_hz
        signal += np.outer(_raised_cosine(t, onset - 0.25, 0.16) * -1.4, np.ones(12)).astype(np.float32)
    return EcgRecording(signal, rate_hz)


def page_of(recording: EcgRecording, *, in_step: bool = True) -> EcgRecording:
    """What a page of 3x4 leads and a strip of lead II shows of ten seconds: each lead for its quarter; where not in
    step, all columns show the first quarter."""
    signal, quarter = np.full_like(recording.signal_mv, np.nan), len(recording.signal_mv) // 4
    for lead in range(12):
        column = slice(lead // 3 * quarter, (lead // 3 + 1) * quarter)
        signal[column, lead] = recording.signal_mv[column if in_step else slice(quarter), lead]
    signal[:, 1] = recording.signal_mv[:, 1]
    return EcgRecording(signal, recording.sampling_rate_hz, format="page")
