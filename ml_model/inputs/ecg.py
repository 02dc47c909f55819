"""ECG recordings: WFDB files to millivolts, leads in standard order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml_model.errors import UnreadableInput

STANDARD_LEADS = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")


@dataclass(frozen=True)
class EcgRecording:
    """A 12-lead recording."""

    signal_mv: NDArray[np.float32]  # (time, 12), leads in the order of STANDARD_LEADS
    sampling_rate_hz: float


def read_wfdb(header: Path) -> EcgRecording:
    """Read `<name>.hea` and the signal file beside it.

    Raises UnreadableInput when the files cannot be read, a lead is missing (named), or the
    unit is neither mV nor uV.
    """
    import wfdb

    try:
        record = wfdb.rdrecord(str(header.with_suffix("")))
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise UnreadableInput(f"{header.name}: not a readable WFDB record: {error}") from error
    if record.p_signal is None:
        raise UnreadableInput(f"{header.name}: the record holds no signal")
    columns = {name.upper(): i for i, name in enumerate(record.sig_name)}
    if missing := [lead for lead in STANDARD_LEADS if lead not in columns]:
        raise UnreadableInput(f"{header.name}: leads {', '.join(missing)} are missing; 12 leads are needed")
    order = [columns[lead] for lead in STANDARD_LEADS]
    scales = {"mv": 1.0, "uv": 1e-3}
    units = [record.units[i].lower() for i in order]
    if unknown := sorted(set(units) - set(scales)):
        raise UnreadableInput(f"{header.name}: unit {unknown[0]!r} is neither mV nor uV")
    signal = record.p_signal[:, order] * np.array([scales[u] for u in units])
    return EcgRecording(np.nan_to_num(signal).astype(np.float32), float(record.fs))
