"""One loop over epochs for every trainer: validation, the best weights kept, resuming, progress with an estimate."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ml_model.training.evaluation.metrics import Scored, balanced_accuracy, called, macro_auc, probabilities_of
from ml_model.training.fit.checkpoints import Stage

WATCHED = "val_mean"


class EpochBatches(Protocol):
    """Batches that are a function of the epoch, to be told before each."""

    epoch: int
    batch_size: int

    def __len__(self) -> int: ...


Figures = Callable[[keras.Model], Mapping[str, float]]


@dataclass(frozen=True)
class PictureFigures:
    """Balanced accuracy, macro AUC and their mean on validation pictures (N, H, W, 3); truth is (N, labels)."""

    pictures: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    projection: NDArray[np.float32]
    multi_label: bool

    def scored(self, model: keras.Model, pictures: NDArray[np.uint8]) -> Scored:
        """The model's answers to `pictures` of the same truth."""
        logits = np.asarray(model.predict(pictures, batch_size=64, verbose=0))
        probabilities = probabilities_of(logits, self.multi_label) @ self.projection
        groups = np.arange(len(self.truth)).astype(str)
        return Scored(self.truth, called(probabilities, self.multi_label), probabilities, groups)

    def __call__(self, model: keras.Model) -> dict[str, float]:
        scored = self.scored(model, self.pictures)
        figures = {"val_balanced_accuracy": balanced_accuracy(scored), "val_macro_auc": macro_auc(scored)}
        return {**figures, WATCHED: float(np.mean(list(figures.values())))}


class Validation(keras.callbacks.Callback):
    """Tells the batches which epoch it is, and puts the figures on validation into the logs.

    It must come after SwapEMAWeights, so that what is validated are the averaged weights.
    """

    def __init__(self, batches: EpochBatches, figures: Figures) -> None:
        super().__init__()
        self.batches, self.figures = batches, figures

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.batches.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs.update(self.figures(self.model))


class Patience(keras.callbacks.EarlyStopping):
    """EarlyStopping that remembers the sittings before: the best figure so far and its epoch, -1 for none."""

    def __init__(self, best: float, best_epoch: int, **options: Any) -> None:
        super().__init__(**options)
        self.before = best, best_epoch

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        self.best, self.best_epoch = self.before

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.wait = epoch - 1 - self.best_epoch


def run_epochs(
    model: keras.Model, batches: EpochBatches, figures: Figures, *, stage: Stage, name: str, log: Path, epochs: int,
    patience_epochs: int | None = None, watching: Sequence[keras.callbacks.Callback] = (),
) -> None:  # fmt: skip
    """Fit a compiled model, going on after the last epoch of a run that was interrupted.

    patience_epochs: keep the weights of the best epoch, and stop after so many without a better one; None keeps those
    of the last. watching: further callbacks, which see the averaged weights at the end of an epoch.
    """
    resumed, best = stage.backup.exists(), stage.best.with_suffix(".weights.h5")
    keeping = [] if patience_epochs is None else _keep_best(best, log if resumed else None, patience_epochs)
    model.fit(
        batches,
        epochs=epochs,
        verbose=0,
        callbacks=[
            keras.callbacks.BackupAndRestore(str(stage.backup), delete_checkpoint=False),
            keras.callbacks.SwapEMAWeights(swap_on_epoch=True),
            Validation(batches, figures),
            *keeping,
            *watching,
            keras.callbacks.CSVLogger(str(log), append=resumed),
            Progress(name, epochs, len(batches) * batches.batch_size, batches.batch_size),
        ],
    )
    if best.is_file():
        model.load_weights(best)


def _keep_best(path: Path, log: Path | None, patience_epochs: int) -> list[keras.callbacks.Callback]:
    """The best weights on disk, and an end to what no longer improves; log: of the sittings before."""
    best, best_epoch = _best_logged(log) if log else (-np.inf, -1)
    watched: dict[str, Any] = {"monitor": WATCHED, "mode": "max"}
    saved = keras.callbacks.ModelCheckpoint(
        str(path), save_best_only=True, save_weights_only=True, initial_value_threshold=best, **watched
    )
    return [saved, Patience(best, best_epoch, patience=patience_epochs, **watched)]


def _best_logged(log: Path) -> tuple[float, int]:
    """The best figure of the sittings before and its epoch, by their log; its last line may have been cut off."""
    best, best_epoch = -np.inf, -1
    if log.is_file():
        with log.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                if row.get(WATCHED) and float(row[WATCHED]) > best:
                    best, best_epoch = float(row[WATCHED]), int(row["epoch"])
    return best, best_epoch


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
