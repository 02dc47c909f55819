"""The figures of docs/ecg.md: how they are counted, kept (docs/ecg.json) and shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ml_model.diagnosis.measured import MeasuredEcg
from ml_model.ecg.leads import EcgRecording
from ml_model.training.evaluation.intervals import proportion, resampled

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
HEAD = ("| what | n | figure |", "|---|---|---|")


@dataclass(frozen=True)
class Stated:
    """One recording: what was stated of it, and what is measured."""

    statements: frozenset[str]
    group: str
    recording: EcgRecording
    measured: MeasuredEcg

    def value(self, code: str) -> float:
        """NaN where it could not be measured."""
        found = next(one.measurement.value for one in self.measured.judged if one.spec.code == code)
        return np.nan if found is None else found

    def flagged(self, code: str) -> bool:
        return any(finding.code == code for finding in self.measured.findings)

    @property
    def lowers_claim(self) -> bool:
        return any(finding.lowers_claim for finding in self.measured.findings)


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


def share(what: str, rows: Sequence[Stated], hit: Callable[[Stated], bool]) -> Figure:
    """How many rows are hits."""
    return counted(what, [hit(row) for row in rows], [row.group for row in rows])


def median(what: str, rows: Sequence[Stated], code: str) -> Figure:
    """The median of a measurement where it could be made."""
    measured = [row for row in rows if np.isfinite(row.value(code))]
    if not measured:
        return Figure(what, 0, None, None, None, 0)
    values = np.array([row.value(code) for row in measured])
    found = resampled(np.array([row.group for row in measured]), lambda at: float(np.median(values[at])))
    return Figure(what, len(measured), found.value, found.low, found.high, 0)


def write(figures: Sequence[Figure], page: Path) -> None:
    """The figures between the marks of a page, and as JSON beside it. Raises ValueError of a page without marks."""
    text = with_table(page.read_text("utf-8"), figures)
    page.write_text(text, encoding="utf-8")
    kept = json.dumps([asdict(one) for one in figures], indent=1)
    page.with_suffix(".json").write_text(f"{kept}\n", encoding="utf-8")


def kept_beside(page: Path) -> list[Figure]:
    """What `write` kept."""
    return [Figure(**one) for one in json.loads(page.with_suffix(".json").read_text("utf-8"))]


def with_table(page: str, figures: Sequence[Figure]) -> str:
    """The page with other lines between its marks."""
    before, rest = page.split(f"{BEGIN}\n", 1)
    return "\n".join((f"{before}{BEGIN}", *HEAD, *map(str, figures), f"{END}{rest.split(END, 1)[1]}"))
