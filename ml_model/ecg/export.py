"""A recording as files that other programs read: CSV and WFDB."""

from __future__ import annotations

import numpy as np

from ml_model.ecg.recording import STANDARD_LEADS, EcgRecording

STEPS_PER_MV = 1000
NOT_RECORDED = -32768  # by the WFDB standard, of format 16


def as_csv(recording: EcgRecording) -> str:
    """One row per sample: time in seconds, then the leads in mV; empty where a lead was not seen."""
    rows = [",".join(["time_s", *STANDARD_LEADS])]
    for number, values in enumerate(recording.signal_mv):
        cells = ("" if np.isnan(v) else f"{v:.4f}" for v in values)
        rows.append(",".join([f"{number / recording.sampling_rate_hz:.4f}", *cells]))
    return "\n".join(rows) + "\n"


def as_wfdb(recording: EcgRecording, name: str) -> dict[str, bytes]:
    """`name.hea` and `name.dat`: format 16, a microvolt a step."""
    steps = np.rint(recording.signal_mv.astype(np.float64) * STEPS_PER_MV)
    kept = np.where(np.isnan(steps), NOT_RECORDED, np.clip(steps, NOT_RECORDED + 1, -NOT_RECORDED - 1)).astype("<i2")
    lines = [f"{name} {len(STANDARD_LEADS)} {recording.sampling_rate_hz:g} {len(kept)}"]
    for lead, column in zip(STANDARD_LEADS, kept.T, strict=True):
        checksum = int(column.sum(dtype=np.int64)) % 65536
        checksum -= 65536 * (checksum > 32767)
        lines.append(f"{name}.dat 16 {STEPS_PER_MV}(0)/mV 16 0 {column[0]} {checksum} 0 {lead}")
    return {f"{name}.hea": ("\n".join(lines) + "\n").encode("ascii"), f"{name}.dat": kept.tobytes()}
