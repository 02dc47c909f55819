"""Training curves and the confusion matrix as PNG."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

from ml_model.inference.measured import ImageTest

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


def plot_curves(run_dir: Path, names: Sequence[str], path: Path) -> bool:
    """From the CSV logs of phases or members, one after the other; False, and no file, when nothing was logged."""
    rows: list[dict[str, str]] = []
    for name in names:
        log = run_dir / f"log-{name}.csv"
        if log.is_file():
            with log.open(newline="", encoding="utf-8") as stream:
                rows += list(csv.DictReader(stream))
    if not rows:
        return False
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), dpi=DPI, layout="constrained")
    epochs = range(1, len(rows) + 1)
    left.plot(epochs, [float(r["loss"]) for r in rows], marker="o")
    left.set(xlabel="epoch", title="training loss")
    for name in (n for n in ("val_balanced_accuracy", "val_macro_auc") if n in rows[0]):
        right.plot(epochs, [float(r[name]) for r in rows], marker="o", label=name.removeprefix("val_"))
    right.set(xlabel="epoch", title="validation")
    right.legend()
    figure.savefig(path)
    plt.close(figure)
    return True


def plot_trust(test: ImageTest, out_dir: Path) -> list[str]:
    """reliability.png and, where the model abstains, risk_coverage.png; their names."""
    bins = test.calibration.reliability if test.calibration else ()
    figure, axes = plt.subplots(figsize=(3.4, 3.4), dpi=DPI, layout="constrained")
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.scatter([b[0] for b in bins], [b[1] for b in bins], s=[4 + b[2] / 2 for b in bins])
    axes.set(xlabel="confidence", ylabel="share right", title="reliability", xlim=(0, 1.02), ylim=(0, 1.02))
    figure.savefig(out_dir / "reliability.png")
    plt.close(figure)
    if test.abstention is None:
        return ["reliability.png"]
    by_share = test.abstention.accuracy_by_share_answered
    figure, axes = plt.subplots(figsize=(3.4, 3.4), dpi=DPI, layout="constrained")
    axes.plot([float(s) for s in by_share], [1 - a for a in by_share.values()], marker="o")
    axes.set(xlabel="share answered, surest first", ylabel="share wrong", title="risk and coverage", ylim=(0, None))
    figure.savefig(out_dir / "risk_coverage.png")
    plt.close(figure)
    return ["reliability.png", "risk_coverage.png"]
