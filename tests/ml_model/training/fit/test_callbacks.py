"""The loop over epochs that every trainer uses: the best epoch is kept, patience counts over sittings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from ml_model.training.fit.callbacks import WATCHED, run_epochs
from ml_model.training.fit.checkpoints import Stage, open_checkpoints
from ml_model.training.fit.optimizer import warm_adamw

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
FIGURES = (0.5, 0.9, 0.6, 0.7, 0.8, 0.85, 0.9, 0.99)  # the second epoch is the best for a while


class Numbers(keras.utils.PyDataset):
    """Two batches of the same numbers; the epochs that it was told."""

    batch_size = 4

    def __init__(self) -> None:
        super().__init__(workers=1)
        self.epoch = -1

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return np.ones((4, 2), np.float32), np.full((4, 1), self.epoch, np.float32)


class Told:
    """The figure of each epoch in turn, and the weights that were validated; a power cut before `cut`."""

    def __init__(self, batches: Numbers, cut: int | None = None) -> None:
        self.batches, self.cut = batches, cut
        self.seen: dict[int, NDArray[np.float32]] = {}

    def __call__(self, model: keras.Model) -> Mapping[str, float]:
        if self.batches.epoch == self.cut:
            raise KeyboardInterrupt
        self.seen[self.batches.epoch] = model.get_weights()[0].copy()
        return {WATCHED: FIGURES[self.batches.epoch]}


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(warm_adamw(0.1, 16, warm_up=1, weight_decay=0.0, ema_momentum=0.5), "mse", jit_compile=False)
    return model


def sitting(tmp_path: Path, *, patience: int | None, cut: int | None = None) -> tuple[keras.Model, Told]:
    batches, model = Numbers(), network()
    stage = Stage(open_checkpoints(tmp_path, resume=True), "phase0", {})
    told = Told(batches, cut)
    run_epochs(
        model, batches, told, stage=stage, name="phase", log=tmp_path / "log.csv", epochs=len(FIGURES),
        patience_epochs=patience,
    )  # fmt: skip
    return model, told


def test_it_stops_after_the_patience_and_the_best_epoch_is_kept(tmp_path: Path) -> None:
    model, told = sitting(tmp_path, patience=4)
    assert sorted(told.seen) == [0, 1, 2, 3, 4, 5]
    assert np.array_equal(model.get_weights()[0], told.seen[1])
    assert not np.array_equal(told.seen[1], told.seen[5])


def test_without_patience_the_last_epoch_is_kept(tmp_path: Path) -> None:
    model, told = sitting(tmp_path, patience=None)
    assert sorted(told.seen) == list(range(8))
    assert np.array_equal(model.get_weights()[0], told.seen[7])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Keras leaves the log open
def test_patience_and_the_best_weights_outlive_a_power_cut(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        sitting(tmp_path, patience=4, cut=4)
    model, told = sitting(tmp_path, patience=4)
    assert sorted(told.seen) == [5]  # the state after the fifth epoch was kept before it was validated
    whole, all_told = sitting(tmp_path / "whole", patience=4)
    assert np.array_equal(model.get_weights()[0], whole.get_weights()[0])
    assert np.allclose(told.seen[5], all_told.seen[5])
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "0", "1", "2", "3", "5"]
