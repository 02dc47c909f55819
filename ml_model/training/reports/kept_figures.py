"""Measured figures of a page of docs: how they are counted, kept as JSON beside the page, and shown on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ml_model.training.evaluation.intervals import proportion

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
HEAD = ("| what | n | figure |", "|---|---|---|")


@dataclass(frozen=True)
class Figure:
    """One line: a share or a median of n rows, with its 95 % interval; None where there is nothing to count."""

    what: str
    n: int
    value: float | None
    low: float | None
    high: float | None
    digits: int

    def __str__(self) -> str:
        if self.value is None:
            return f"| {self.what} | {self.n} | not measured |"
        shown = (f"{one:.{self.digits}f}" for one in (self.value, self.low, self.high))
        return "| {} | {} | {} ({} to {}) |".format(self.what, self.n, *shown)


def counted(what: str, hits: Sequence[bool], groups: Sequence[str]) -> Figure:
    """The share of hits, with its interval by group."""
    if not hits:
        return Figure(what, 0, None, None, None, 3)
    found = proportion(np.array(hits, np.bool_), np.array(groups))
    return Figure(what, len(hits), found.value, found.low, found.high, 3)


def write(figures: Sequence[Figure], page: Path) -> None:
    """The figures between the marks of a page, and as JSON beside it. Raises ValueError of a page without marks."""
    text = with_table(page.read_text("utf-8"), figures)
    page.write_text(text, encoding="utf-8")
    kept = json.dumps([asdict(one) for one in figures], indent=1)
    page.with_suffix(".json").write_text(f"{kept}\n", encoding="utf-8")


def kept_beside(page: Path) -> list[Figure]:
    """What `write` kept; nothing where it was never called."""
    kept = page.with_suffix(".json")
    if not kept.is_file():
        return []
    return [Figure(**one) for one in json.loads(kept.read_text("utf-8"))]


def with_table(page: str, figures: Sequence[Figure]) -> str:
    """The page with other lines between its marks."""
    before, rest = page.split(f"{BEGIN}\n", 1)
    return "\n".join((f"{before}{BEGIN}", *HEAD, *map(str, figures), f"{END}{rest.split(END, 1)[1]}"))
