"""From the labels of data sets to targets over the classes of a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_model.tasks.registry import ImageTask
from ml_model.training.data.samples import Sample


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
    """The measured labels of the task, or of one of its data sets or external sets, as columns."""
    datasets = [d for d in task.datasets + (task.external if source else ()) if source in (None, d.name)]
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
