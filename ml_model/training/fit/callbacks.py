"""Callbacks: validation with the figures that matter, the best weights kept, progress with an estimate of the end."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ml_model.training.data.batches import AugmentedBatches
from ml_model.training.evaluation.metrics import Scored, balanced_accuracy, called, macro_auc, probabilities_of


class KeepBest(keras.callbacks.Callback):
    """After each epoch: validate, keep the best weights on disk, stop when nothing improves, restore the best.

    The figure watched is the mean of balanced accuracy and macro AUC on validation. It must come
    after SwapEMAWeights, so that what is validated and kept are the averaged weights.
    """

    def __init__(
        self,
        batches: AugmentedBatches,
        pictures: NDArray[np.uint8],
        truth: NDArray[np.bool_],
        projection: NDArray[np.float32],
        *,
        multi_label: bool,
        patience_epochs: int,
        path: Path,
    ) -> None:
        super().__init__()
        self.batches, self.pictures, self.truth, self.projection = batches, pictures, truth, projection
        self.multi_label, self.patience_epochs = multi_label, patience_epochs
        self.weights_path = path.with_suffix(".weights.h5")
        self.state_path = path.with_suffix(".json")
        self.best, self.best_epoch = -np.inf, -1
        if self.state_path.is_file():
            state = json.loads(self.state_path.read_text())
            self.best, self.best_epoch = state["figure"], state["epoch"]

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.batches.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logits = np.asarray(self.model.predict(self.pictures, batch_size=64, verbose=0))
        probabilities = probabilities_of(logits, self.multi_label) @ self.projection
        groups = np.arange(len(self.truth)).astype(str)
        scored = Scored(self.truth, called(probabilities, self.multi_label), probabilities, groups)
        figures = {"val_balanced_accuracy": balanced_accuracy(scored), "val_macro_auc": macro_auc(scored)}
        if logs is not None:
            logs.update(figures)
        figure = float(np.mean(list(figures.values())))
        if figure > self.best:
            self.best, self.best_epoch = figure, epoch
            self.model.save_weights(self.weights_path)
            self.state_path.write_text(json.dumps({"figure": figure, "epoch": epoch, **figures}))
        elif epoch - self.best_epoch >= self.patience_epochs:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.weights_path.is_file():
            self.model.load_weights(self.weights_path)


class Progress(keras.callbacks.Callback):
    """One tqdm bar per phase, in pictures, with the time that is left; a line per epoch with its figures."""

    def __init__(self, name: str, epochs: int, pictures_per_epoch: int, batch_size: int) -> None:
        super().__init__()
        self.name, self.epochs = name, epochs
        self.pictures_per_epoch, self.batch_size = pictures_per_epoch, batch_size

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        total = self.epochs * self.pictures_per_epoch
        self.bar = tqdm(total=total, desc=self.name, unit="img", mininterval=10, dynamic_ncols=True)
        self.began = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.bar.n = epoch * self.pictures_per_epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.bar.update(self.batch_size)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        figures = "  ".join(f"{name} {float(value):.4f}" for name, value in (logs or {}).items())
        minutes = (time.monotonic() - self.began) / 60
        self.bar.write(f"{self.name} epoch {epoch + 1}/{self.epochs}  {figures}  ({minutes:.1f} min)")

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.bar.close()
