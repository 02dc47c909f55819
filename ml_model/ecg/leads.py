"""Names of leads, units of voltage, and the data classes of recordings: of files as they are, and in standard order."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_model.errors import InputTooLarge, OutOfRange, UnreadableInput

STANDARD_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
MV_PER_UNIT = {"mV": 1.0, "uV": 1e-3, "V": 1e3}
MIN_RATE_HZ, MAX_RATE_HZ = 40.0, 10_000.0

_LEADS = {lead.lower(): lead for lead in STANDARD_LEADS} | {"di": "I", "dii": "II", "diii": "III"}
_NOISE = frozenset({"lead", "leads", "ecg", "ekg", "mdc", "channel", "einthoven", "goldberger", "wilson"})
_OPPOSITE = re.compile(r"(^|\s)-\s*\w")  # -aVR of the Cabrera circle is not aVR
# The micro sign, the Greek letter and plain u.
_UNIT = r"(?P<prefix>[mu\u00b5\u03bc]|milli|micro)?v(?:olts?)?"
_WHOLE_UNIT = re.compile(_UNIT, re.IGNORECASE)
_NAME_WITH_UNIT = re.compile(rf"(?P<name>.*[^\s_(\[/,.])[\s_(\[/,.]+{_UNIT}[)\]]?", re.IGNORECASE)
_MAX_NAME_CHARACTERS = 200  # of a channel; longer texts are not looked at
_UNITS = {"": "V", "m": "mV", "milli": "mV"}


@dataclass(frozen=True)
class EcgRecording:
    """A 12-lead recording."""

    signal_mv: NDArray[np.float32]
    """(time, 12) in mV, leads in the order of STANDARD_LEADS; NaN where a lead was not recorded or not seen."""
    sampling_rate_hz: float
    format: str = "WFDB"
    """WFDB, CSV, DICOM, EDF, or page: traced from a picture."""
    unit: str = "mV"
    """The unit that the file is in: mV, uV or V."""
    unit_told_by: str = "file"
    """file, or amplitude: guessed because the file does not say."""
    derived: tuple[str, ...] = ()
    """Limb leads that the file does not hold, computed from I and II."""


@dataclass(frozen=True)
class RecordingLimits:
    """Beyond these a file is refused before it is read."""

    max_bytes: int = 32 * 2**20  # of one file
    max_samples: int = 5_000_000  # of one lead
    max_channels: int = 64


@dataclass(frozen=True)
class LeadSignal:
    """One lead as a file holds it."""

    values: NDArray[np.float32]  # (time,), in `unit`; NaN where nothing was recorded
    unit: str | None  # mV, uV or V; None where the file does not say


@dataclass(frozen=True)
class FileSignals:
    """The standard leads that a file holds, in any order and all of one length."""

    format: str
    sampling_rate_hz: float
    leads: dict[str, LeadSignal]


def lead_of(name: str) -> str | None:
    """The standard lead that a channel's name means ("lead I", "DII", "avr [mV]"), or None for any other."""
    if len(name) > _MAX_NAME_CHARACTERS:
        return None
    with_unit = _NAME_WITH_UNIT.fullmatch(name.strip())
    bare = with_unit["name"] if with_unit else name
    if _OPPOSITE.search(bare):
        return None
    # "V 1" and "V-1" are V1; other parts are never joined: I-II is not III.
    bare = re.sub(r"(?i)\bv[\s_-]+(?=\d$)", "v", bare.strip())
    words = [word for word in re.split(r"[\W_]+", bare.lower()) if word and word not in _NOISE]
    return _LEADS.get(words[0]) if len(words) == 1 else None


def unit_named(text: str) -> str | None:
    """The unit in a column's name ("V1 (uV)", "lead_I_mV"), or that the text is; None where there is none."""
    if len(text) > _MAX_NAME_CHARACTERS:
        return None
    found = _WHOLE_UNIT.fullmatch(text.strip()) or _NAME_WITH_UNIT.fullmatch(text.strip())
    return _UNITS.get((found["prefix"] or "").lower(), "uV") if found else None


def required_unit(text: str, lead: str) -> str:
    """The unit of a format that always says it. Raises UnreadableInput for one that is no voltage."""
    if _WHOLE_UNIT.fullmatch(text.strip()) and (unit := unit_named(text)):
        return unit
    raise UnreadableInput(
        f"the unit of lead {lead} is {text.strip()[:8]!r}; voltages in mV, uV or V are read: export it in one of them"
    )


def require_size(channels: int, samples: int, limits: RecordingLimits) -> None:
    """Raises UnreadableInput for an empty recording, InputTooLarge for more than the limits."""
    if channels < 1 or samples < 1:
        raise UnreadableInput(f"the recording holds {channels} channels of {samples} samples; send one that has both")
    if channels > limits.max_channels or samples > limits.max_samples:
        raise InputTooLarge(
            f"the recording holds {channels} channels of {samples} samples, allowed are {limits.max_channels} "
            f"of {limits.max_samples}; send the 12 leads of one resting ECG"
        )


def require_rate(rate_hz: float) -> float:
    """`rate_hz` itself. Raises OutOfRange when no ECG is recorded so slowly or so fast, or it is no number."""
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise OutOfRange(
            f"the sampling rate is {rate_hz:g} Hz, allowed is {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} Hz; "
            "check the header or the time column"
        )
    return rate_hz


def finite_number(text: str, what: str, corrupt: Callable[[str], UnreadableInput], most: float = math.inf) -> float:
    """A number in a file's header, at most `most` in size. Raises what `corrupt` makes of a sentence about `what`."""
    try:
        number = float(text)
    except ValueError:
        raise corrupt(f"{what} is no number") from None
    if not (math.isfinite(number) and abs(number) <= most):
        raise corrupt(f"{what} is not finite")
    return number
