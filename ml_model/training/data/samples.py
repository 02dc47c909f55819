"""What is known of one case of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DRAWN = "drawn: "  # what the source of a picture that was drawn for the input gate begins with


@dataclass(frozen=True)
class Sample:
    """One image file or ECG record. `codes`: the classes its label can stand for; of a multi-label task, all it has.

    look: of an ECG record that is drawn, the seed of the page's look; photographed: the page seen by a camera.
    """

    path: Path
    source: str
    label: str
    codes: tuple[str, ...]
    group: str
    split: str
    attributes: dict[str, str] = field(default_factory=dict)
    look: int = 0
    photographed: bool = False


def cases_of(samples: Sequence[Sample]) -> list[list[int]]:
    """Row numbers of each case: the pictures that one request may hold, those of a side of a patient. Every page that
    is drawn of a record is one of its own."""
    keys = [
        f"{s.group}/{s.attributes.get('side', '')}" if s.attributes.get("side") else f"{s.path} {s.look}"
        for s in samples
    ]
    rows: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    return list(rows.values())


def ages_years(samples: Sequence[Sample]) -> NDArray[np.float64]:
    """(N,) ages by the data set's `age`, NaN where it says none."""
    return np.array([_years(s.attributes.get("age", "")) for s in samples])


def _years(age: str) -> float:
    try:
        return float(age)
    except ValueError:
        return float("nan")
