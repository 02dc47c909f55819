"""How a page of ECG paper can look: layout, scales, grid, colours and what is printed beside the traces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.random import Generator

T = TypeVar("T")
Colour = tuple[int, int, int]
Layout = Literal["12x1", "6x2", "4x3", "3x4"]
Grid = Literal["pink", "grey", "orange", "green", "none"]

RECORD_S = 10.0  # of a standard recording; a page shows as much of it as fits
LAYOUTS: dict[Layout, tuple[int, int]] = {"12x1": (12, 1), "6x2": (6, 2), "4x3": (4, 3), "3x4": (3, 4)}
GRIDS: dict[Grid, tuple[Colour, Colour]] = {  # lines every 1 mm, every 5 mm
    "pink": ((250, 218, 216), (238, 168, 166)),
    "grey": ((224, 224, 224), (184, 184, 186)),
    "orange": ((252, 220, 192), (240, 170, 118)),
    "green": ((208, 232, 210), (146, 196, 152)),
    "none": ((255, 255, 255), (255, 255, 255)),
}
PAPERS: tuple[Colour, ...] = ((255, 251, 249), (255, 255, 255), (252, 248, 238), (246, 246, 244))
INKS: tuple[Colour, ...] = ((20, 20, 30), (0, 0, 0), (50, 50, 56), (28, 34, 92), (60, 30, 40))


@dataclass(frozen=True)
class PageStyle:
    """How a page looks. The defaults are the most usual one."""

    layout: Layout = "3x4"  # rows x columns of leads, in the order of STANDARD_LEADS down the columns
    rhythm_leads: tuple[str, ...] = ("II",)  # strips of full length below
    sequential: bool = True  # each column goes on where the one before ended; else all start at 0 s
    speed_mm_per_s: float = 25.0
    gain_mm_per_mv: float = 10.0
    px_per_mm: float = 5.0
    row_mm: float = 25.0
    row_centres_mm: tuple[float, ...] = ()  # of all rows, from their upper edge, where they are not evenly spaced
    trace_width_mm: float = 250.0  # of all columns together, at most
    column_gap_mm: float = 0.0
    margins_mm: tuple[float, float] = (6.0, 6.0)  # left and right, top and bottom
    baseline_jitter_mm: float = 0.0
    grid: Grid = "pink"
    grid_minor: Literal["lines", "dots", "none"] = "lines"
    grid_line_mm: float = 0.14
    grid_contrast: float = 1.0  # 0 hides the grid
    grid_bleed: bool = True  # to the edges of the page, from a phase of its own; else a frame around the traces
    line_width_px: float = 1.6
    ink: Colour = (20, 20, 30)
    paper: Colour = (255, 251, 249)
    labels: bool = True
    label_position: Literal["above", "below", "left"] = "above"
    label_height_mm: float = 3.0
    calibration_pulse: bool = True  # left of each row
    separators: bool = False
    header: bool = True  # invented text, no names
    seed: int = 0  # of baseline jitter, grid phase and header


DEFAULT_STYLE = PageStyle()


def _one_of(rng: Generator, shares: dict[T, float]) -> T:
    """A key of `shares`, drawn with its share."""
    return list(shares)[rng.choice(len(shares), p=list(shares.values()))]


def random_style(rng: Generator) -> PageStyle:
    """A look drawn from what recorders print, usual ones more often."""
    layouts: dict[Layout, float] = {"12x1": 0.18, "6x2": 0.27, "4x3": 0.12, "3x4": 0.43}
    layout = _one_of(rng, layouts)
    rhythms: dict[tuple[str, ...], float] = {(): 1.0}
    if layout in ("3x4", "4x3"):
        rhythms = {("II",): 0.5, (): 0.2, ("V1",): 0.1, ("V1", "II"): 0.1, ("V1", "II", "V5"): 0.1}
    # On twelve narrow rows nobody doubles the size: the traces could not be told apart.
    gains = {10.0: 0.8, 5.0: 0.2, 20.0: 0.0} if layout == "12x1" else {10.0: 0.84, 5.0: 0.08, 20.0: 0.08}
    fast = rng.random() < (0.12 if layout == "3x4" else 0.25)
    trace_width_mm = 500.0 if fast and rng.random() < 0.7 else 250.0
    px_per_mm = float(rng.uniform(3, 8 if trace_width_mm < 500 else 5))
    return PageStyle(
        layout=layout,
        rhythm_leads=_one_of(rng, rhythms),
        sequential=bool(rng.random() < 0.75),
        speed_mm_per_s=50.0 if fast else 25.0,
        gain_mm_per_mv=_one_of(rng, gains),
        px_per_mm=px_per_mm,
        row_mm=float(rng.uniform(15, 20 if layout == "12x1" else 30)),
        trace_width_mm=trace_width_mm,
        column_gap_mm=float(rng.choice((0, 0, rng.uniform(1, 6)))),
        margins_mm=(float(rng.uniform(2, 15)), float(rng.uniform(2, 15))),
        baseline_jitter_mm=float(rng.choice((0, rng.uniform(0, 3)))),
        grid=_one_of(rng, {"pink": 0.5, "grey": 0.16, "orange": 0.14, "green": 0.1, "none": 0.1}),
        grid_minor=_one_of(rng, {"lines": 0.75, "dots": 0.12, "none": 0.13}),
        grid_line_mm=float(rng.uniform(0.1, 0.25)),
        grid_contrast=float(rng.uniform(0.6, 1.6)),
        grid_bleed=bool(rng.random() < 0.6),
        line_width_px=float(rng.uniform(0.2, 0.5)) * px_per_mm,
        ink=INKS[rng.integers(len(INKS))],
        paper=PAPERS[rng.integers(len(PAPERS))],
        labels=bool(rng.random() < 0.95),
        label_position=_one_of(rng, {"above": 0.7, "below": 0.1, "left": 0.2}),
        label_height_mm=float(rng.uniform(max(2.2, 8 / px_per_mm), 4.5)),
        calibration_pulse=bool(rng.random() < 0.7),
        separators=bool(rng.random() < 0.35),
        header=bool(rng.random() < 0.6),
        seed=int(rng.integers(2**31)),
    )


def styles_for_record(index: int, count: int = 1, seed: int = 0) -> tuple[PageStyle, ...]:
    """The same `count` looks for record `index` in every evaluation."""
    rng = np.random.default_rng([seed, index])
    return tuple(random_style(rng) for _ in range(count))
