"""Parts of a page in Markdown: figures, tables, lists, sections, as the cards and the README print them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ml_model.inference.interval import Interval, Measured

FIGURES = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc")
COMPARED = ("accuracy", "balanced_accuracy", "macro_auc")
INTERVALS = (
    "95 % intervals by group: of shares (accuracy, sensitivity, specificity, top-1)\n"
    "Clopper-Pearson at the effective number of cases, of all other figures by bootstrap"
)


def figure(interval: Interval | None) -> str:
    """`0.912 (0.890-0.931)`, or that it was not measured."""
    if interval is None:
        return "not measured"
    return f"{interval.value:.3f} ({interval.low:.3f}-{interval.high:.3f})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def figures_of(measured: Measured, names: Sequence[str]) -> list[str]:
    """The figures of these names, each as it is printed."""
    return [figure(getattr(measured, name)) for name in names]


def bullets(items: Iterable[str]) -> str:
    """A list, one item a line."""
    return "\n".join(f"- {item}" for item in items)


def joined(*blocks: str) -> str:
    """Blocks with an empty line between them; empty ones are left out."""
    return "\n\n".join(block for block in blocks if block)


def section(title: str, *blocks: str, level: int = 2) -> str:
    """A heading with what stands below it."""
    return f"{'#' * level} {title}\n{joined(*blocks)}"


def document(title: str, *blocks: str) -> str:
    """A whole file."""
    return joined(f"# {title}", *blocks) + "\n"
