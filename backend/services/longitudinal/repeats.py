"""How much region and map change between repeated pictures, as `benchmarks/scans/repeats.py` measured it, by model."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class Repeats:
    """ratio: of the regions, the larger to the smaller, at most. map_correlation: at least. Each in 95 of 100 pairs
    that lie on each other; None where those were too few."""

    ratio: float | None = None
    map_correlation: float | None = None


@functools.cache
def _measured() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return told


def repeats_of(task_id: str, model_sha256: str | None) -> Repeats:
    """Of a bundle of which it was not measured nothing is known."""
    told = _measured().get(task_id)
    if told is None or told["model_sha256"] != model_sha256:
        return Repeats()
    return Repeats(told["ratio"], told["map_correlation"])
