"""Training curves and the confusion matrix as PNG."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

DPI = 80


def plot_confusion(matrix: Sequence[Sequence[int]], labels: Sequence[str], path: Path) -> None:
    """Rows are the truth; the colour is the share of the row, the number the count."""
    counts = np.array(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.2 + 0.55 * len(labels)
    figure, axes = plt.subplots(figsize=(side, side), dpi=DPI, layout="constrained")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel="predicted", ylabel="true", title="test split")
    figure.savefig(path)
    plt.close(figure)


def plot_curves(run_dir: Path, names: Sequence[str]) -> list[str]:
    """training_curves.png from the CSV logs of phases or members, one after the other; [] when nothing was logged."""
    rows: list[dict[str, str]] = []
    for name in names:
        log = run_dir / f"log-{name}.csv"
        if log.is_file():
            with log.open(newline="", encoding="utf-8") as stream:
                rows += list(csv.DictReader(stream))
    if not rows:
        return []
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), dpi=DPI, layout="constrained")
    epochs = range(1, len(rows) + 1)
    left.plot(epochs, [float(r["loss"]) for r in rows], marker="o")
    left.set(xlabel="epoch", title="training loss")
    for name in (n for n in ("val_balanced_accuracy", "val_macro_auc") if n in rows[0]):
        right.plot(epochs, [float(r[name]) for r in rows], marker="o", label=name.removeprefix("val_"))
    right.set(xlabel="epoch", title="validation")
    right.legend()
    figure.savefig(run_dir / "training_curves.png")
    plt.close(figure)
    return ["training_curves.png"]
