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
