"""Batches for training: balanced draws, augmentation, targets as masks over the classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from ml_model.tasks.registry import ImageTask
from ml_model.training.augmentation.images import Augmentation, augment
from ml_model.training.data.readers import Sample


def target_masks(samples: Sequence[Sample], codes: Sequence[str]) -> NDArray[np.float32]:
    """(N, classes): 1 at every class the sample's label can stand for."""
    column = {code: i for i, code in enumerate(codes)}
    masks = np.zeros((len(samples), len(codes)), np.float32)
    for row, sample in enumerate(samples):
        masks[row, [column[code] for code in sample.codes]] = 1
    return masks


@dataclass(frozen=True)
class LabelSpace:
    """The labels that can be measured: the task's classes, or sums of them where data sets are coarser."""

    names: tuple[str, ...]
    projection: NDArray[np.float32]  # (classes, labels), 1 where the class counts towards the label


def label_space(task: ImageTask, source: str | None = None) -> LabelSpace:
    """The measured labels of the task, or of one of its data sets, as columns."""
    datasets = [d for d in task.datasets if source in (None, d.name)]
    labels = task.labels_measured_by(datasets)
    projection = np.zeros((len(task.codes), len(labels)), np.float32)
    for column, codes in enumerate(labels.values()):
        projection[[task.codes.index(code) for code in codes], column] = 1
    return LabelSpace(tuple(labels), projection)


def fully_labelled(task: ImageTask, samples: Sequence[Sample]) -> NDArray[np.bool_]:
    """(N,): whether a sample's label is one that the task as a whole measures, not a coarser one (a partial label)."""
    if task.multi_label:
        return np.ones(len(samples), bool)
    truth = target_masks(samples, task.codes) @ label_space(task).projection > 0
    settled: NDArray[np.bool_] = truth.sum(axis=1) == 1
    return settled


def sampling_weights(
    samples: Sequence[Sample], power: float, source_power: float = 0.0, group_power: float = 0.0
) -> NDArray[np.float64]:
    """Probability of drawing each sample.

    power 0 draws as the data are, 1 draws every class of a source equally often, so that the source
    can't be used as the answer; source_power 0 leaves each source its share, 1 draws all equally often;
    group_power does the same for the patients of a class, so that none with many pictures outweighs the others.
    """
    weights = np.ones(len(samples))
    for exponent, keys in (
        (group_power, [(s.source, s.label, s.group) for s in samples]),
        (power, [(s.source, s.label) for s in samples]),
        (source_power, [s.source for s in samples]),
    ):
        weights = _shared_out(weights, keys, exponent)
    return weights / weights.sum()


def _shared_out(weights: NDArray[np.float64], keys: Sequence[Hashable], power: float) -> NDArray[np.float64]:
    """The weights scaled so that those of each key sum up to the number of its samples to the power 1 - `power`."""
    counts, totals = Counter(keys), Counter[Hashable]()
    for key, weight in zip(keys, weights, strict=True):
        totals[key] += weight
    return weights * np.array([counts[key] ** (1 - power) / totals[key] for key in keys])


def class_prior(masks: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of each class in what the sampler draws, (classes,), summing to 1."""
    spread = masks / masks.sum(axis=1, keepdims=True)
    prior: NDArray[np.float64] = weights @ spread
    return prior / prior.sum()


class AugmentedBatches(keras.utils.PyDataset):
    """Batches of augmented pictures (B, size_px, size_px, 3) uint8 and masks (B, classes).

    Without a size_px the pictures are the whole rows of `pixels`, as they are.

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
        window_px: int | None = None,
        batch_size: int,
        seed: int,
        pictures: int | None = None,
        workers: int = 2,
    ) -> None:
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=8)
        self.pixels, self.rows, self.masks = pixels, rows, masks
        self.weights, self.augmentation = weights, augmentation
        self.size_px, self.batch_size, self.seed = size_px, batch_size, seed
        self.window_px = window_px
        self.pictures = pictures or len(rows)
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
        pictures = [augment(p, self.augmentation, self.size_px, rng, self.window_px) for p in originals]
        return np.stack(pictures), self.masks[chosen]
