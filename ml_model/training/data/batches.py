"""Batches for training: balanced draws, augmentation, targets as masks over the classes."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ml_model.training.augmentation.images import augment
from ml_model.training.recipe import Augmentation


class AugmentedBatches(keras.utils.PyDataset):
    """Batches of augmented pictures (B, size_px, size_px, 3) uint8 and masks (B, classes).

    lesions: of the rows, (H, W) each, for what the augmentation shows of them. labels_alone: how often which masks are
    given in place of `masks`. Without a size_px the pictures are the whole rows of `pixels`, as they are.

    Every batch is a function of (seed, epoch, index), whatever the number of workers, so a
    resumed run sees what an uninterrupted one would have seen. Set `epoch` before each epoch.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        rows: NDArray[np.int64],
        masks: NDArray[np.float32],
        weights: NDArray[np.float64],
        *,
        augmentation: Augmentation,
        size_px: int | None,
        batch_size: int,
        seed: int,
        pictures: int | None = None,
        lesions: Sequence[NDArray[np.bool_] | None] | None = None,
        labels_alone: tuple[float, NDArray[np.float32]] | None = None,
        workers: int = 2,
    ) -> None:
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=8)
        self.pixels, self.rows, self.masks = pixels, rows, masks
        self.weights, self.augmentation = weights, augmentation
        self.size_px, self.batch_size, self.seed = size_px, batch_size, seed
        self.pictures = pictures or len(rows)
        self.lesions = lesions or [None] * len(rows)
        self.labels_alone = labels_alone
        self.epoch = 0

    def __len__(self) -> int:
        return max(1, self.pictures // self.batch_size)

    def _draws(self) -> NDArray[np.int64]:
        """Systematic sampling: each sample comes floor or ceil of its expected number of times."""
        rng = np.random.default_rng([self.seed, self.epoch])
        count = len(self) * self.batch_size
        order = rng.permutation(len(self.rows))
        edges = np.cumsum(self.weights[order]) * count
        points = np.arange(count) + rng.random()
        drawn = order[np.searchsorted(edges, np.minimum(points, edges[-1]), side="left").clip(max=len(order) - 1)]
        return rng.permutation(drawn)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        chosen = self._draws()[index * self.batch_size : (index + 1) * self.batch_size]
        rng = np.random.default_rng([self.seed, self.epoch, index])
        originals = self.pixels[self.rows[chosen]]
        if self.size_px is None:
            return originals, self.masks[chosen]
        pictures = [
            augment(p, self.augmentation, self.size_px, rng, self.lesions[row])
            for p, row in zip(originals, chosen, strict=True)
        ]
        return np.stack(pictures), self._masks(chosen, rng)

    def _masks(self, chosen: NDArray[np.int64], rng: Generator) -> NDArray[np.float32]:
        if self.labels_alone is None:
            return self.masks[chosen]
        share, masks = self.labels_alone
        alone = rng.random(len(chosen)) < share
        return np.where(alone[:, None], masks[chosen], self.masks[chosen])
