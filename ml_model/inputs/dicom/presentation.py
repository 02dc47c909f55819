"""How a DICOM picture is asked to be shown: which of its frames, and through which window."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ml_model.errors import InvalidValue

# Centre and width in Hounsfield units, as radiologists set them.
WINDOWS_HU = {"lung": (-600.0, 1500.0), "bone": (480.0, 2500.0), "brain": (40.0, 80.0), "soft": (40.0, 400.0)}
# What a window may be called: a name, or centre and width; the width is 1 at least, as the linear function needs it.
WINDOW = r"^(lung|bone|brain|soft|-?[0-9]{1,6}(\.[0-9]{1,3})?,[1-9][0-9]{0,5}(\.[0-9]{1,3})?)$"
_WINDOW = re.compile(WINDOW)


@dataclass(frozen=True)
class Presentation:
    """frame: counted from 1, as DICOM does; None: the middle one. window: of `WINDOW`, the centre and width of figures
    in what the modality's rescale gives (of CT Hounsfield units), else in stored values; None: as the file says, and
    where it is silent as its modality is usually shown."""

    frame: int | None = None
    window: str | None = None


AS_STORED = Presentation()


def is_window(text: str) -> bool:
    return _WINDOW.fullmatch(text) is not None


def frame_of(asked: int | None, frames: int) -> int:
    """Which of `frames` is shown, from 1. Raises InvalidValue for one that there is not."""
    if asked is None:
        return (frames + 1) // 2
    if not 1 <= asked <= frames:
        held = "one frame: send frame=1, or leave it out" if frames == 1 else f"{frames} frames: send 1 to {frames}"
        raise InvalidValue(f"frame: received {asked}; the file holds {held}")
    return asked


def window_of(asked: str, modality: str | None, *, rescaled: bool) -> tuple[float, float]:
    """Centre and width. rescaled: whether the header says how stored values become Hounsfield units.

    Raises InvalidValue for what is no window, and for a name where values are not known to be Hounsfield units.
    """
    if not is_window(asked):
        raise InvalidValue(f"window: received {asked!r:.40}; send {', '.join(WINDOWS_HU)}, or centre,width in figures")
    if asked not in WINDOWS_HU:
        centre, width = asked.split(",")
        return float(centre), float(width)
    if modality != "CT" or not rescaled:
        found = f"modality {modality}" if modality != "CT" else "a CT file without RescaleSlope"
        raise InvalidValue(
            f"window: {asked} is in Hounsfield units, which CT files with a rescale have; this is {found}: send "
            "centre,width in its own values, or leave it out"
        )
    return WINDOWS_HU[asked]


def refuse_for(name: str, asked: Presentation) -> None:
    """Raises InvalidValue where a file of another format than DICOM is asked for what only DICOM has."""
    if asked.window is not None:
        raise InvalidValue(f"window: this is a {name} file, which has no values beside its levels; only DICOM files do")
    if asked.frame not in (None, 1):
        raise InvalidValue(
            f"frame: received {asked.frame}; of a {name} file only the first frame or page is read: send that one as a "
            "file of its own"
        )
