"""Fine-tuning that keeps what its start has learnt elsewhere: what learns how fast, and the weights between.

Fine-tuning fits the pictures at home better and distorts features that hold elsewhere (Kumar 2022). So layers near the
picture stay or learn slowly, weights are pulled towards their start (Li 2018), and what is kept in the end is chosen
among the points on the way from the start to the weights of each epoch (Wortsman 2022) and averages of such points.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from ml_model.training.models.image_classifier import FEATURES
from ml_model.training.recipe import Transfer

Weights = list[NDArray[np.float32]]
Figure = Callable[[keras.Model], float]
CHOICE = "chosen.json"


def hold_still(model: keras.Model, transfer: Transfer) -> None:
    """Layers and batch normalisations that the recipe freezes learn nothing. Raises ValueError for an unknown layer."""
    names = [layer.name for layer in model.layers]
    if transfer.frozen_until is not None and transfer.frozen_until not in names:
        raise ValueError(f"frozen_until: {model.name} has no layer {transfer.frozen_until!r}")
    still = names.index(transfer.frozen_until) + 1 if transfer.frozen_until else 0
    for index, layer in enumerate(model.layers):
        batch_norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = index >= still and not (batch_norm and transfer.frozen_batch_norm)


def layer_rates(model: keras.Model, decay: float) -> dict[str, float]:
    """Factor on the learning rate by path of the weight: `decay` for every halving of the resolution behind it."""
    last = model.get_layer(FEATURES).output.shape[1]
    rates: dict[str, float] = {}
    for layer in model.layers:
        shape = layer.output.shape
        halvings = round(math.log2(shape[1] / last)) if len(shape) == 4 else 0
        rates |= {variable.path: decay**halvings for variable in layer.trainable_variables}
    return rates


class Snapshots(keras.callbacks.Callback):
    """Keeps the weights of every epoch; behind SwapEMAWeights they are the averaged ones."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.model.save_weights(snapshot_file(self.folder, epoch))


def snapshot_file(folder: Path, epoch: int) -> Path:
    """Weights after an epoch, counted from 0."""
    return folder / f"epoch-{epoch:03}.weights.h5"


@dataclass(frozen=True)
class Point:
    """Weights on the way from the start (share 0) to those of an epoch (share 1), and their figure."""

    epoch: int
    share: float
    figure: float


def between(start: Weights, end: Weights, share: float) -> Weights:
    """start + share (end - start), weight by weight."""
    return [a + np.float32(share) * (b - a) for a, b in zip(start, end, strict=True)]


def choose_weights(
    model: keras.Model, start: Weights, snapshots: Sequence[Path], transfer: Transfer, figure: Figure
) -> list[Point]:
    """Give the model the weights with the largest figure, among all points and, with `soup`, averages of them.

    Returns the points that were averaged, one where none were; ties keep what comes first: start, then early epochs.
    """
    ends = []
    for path in snapshots:
        model.load_weights(path)
        ends.append([np.asarray(w, np.float32) for w in model.get_weights()])

    def weights(point: Point) -> Weights:
        return between(start, ends[point.epoch], point.share) if point.share else start

    def measured(values: Weights) -> float:
        model.set_weights(values)
        return figure(model)

    points = [Point(0, 0.0, measured(start))]
    for epoch in range(len(ends)):
        points += [Point(epoch, share, measured(weights(Point(epoch, share, 0.0)))) for share in transfer.shares]
    ranked = sorted(points, key=lambda point: -point.figure)
    kept, best = [ranked[0]], ranked[0].figure
    average = weights(ranked[0])
    for point in ranked[1:] if transfer.soup else ():
        tried = between(average, weights(point), 1 / (len(kept) + 1))
        if (reached := measured(tried)) > best:
            kept, average, best = [*kept, point], tried, reached
    model.set_weights(average)
    if snapshots:
        said = {"points": [vars(p) for p in points], "averaged": [vars(p) for p in kept], "figure": best}
        (snapshots[0].parent / CHOICE).write_text(json.dumps(said, indent=1))
    return kept
