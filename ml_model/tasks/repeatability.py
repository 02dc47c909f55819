"""What change of a finding's score repeated pictures show, as measured; data beside this module, by model."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_suffix(".json")
_LEAST = 1e-6


@dataclass(frozen=True)
class Noise:
    """limit: of |change of the log odds| in 95 of 100 pairs. kind: which pairs."""

    limit: float
    pairs: int
    kind: str


def change_of(before: float, after: float) -> float:
    """Of the log odds, from one probability (0-1) to another."""
    first, then = (min(max(p, _LEAST), 1 - _LEAST) for p in (before, after))
    return math.log(then / (1 - then)) - math.log(first / (1 - first))


@functools.cache
def _measured() -> Mapping[str, Any]:
    told: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return told


def noise_of(task_id: str, model_sha256: str | None, finding: str) -> Noise | None:
    """None where it was not measured of that bundle. model_sha256: as answers tell it."""
    told = _measured().get(task_id)
    if told is None or told["model_sha256"] != model_sha256 or finding not in told["findings"]:
        return None
    return Noise(**told["findings"][finding])
