"""From the classes of a task to the labels of its data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ml_model.tasks.registry import ImageTask


def label_probabilities(probability: Mapping[str, float], labels: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """From the probability of each class, by code, to that of each label: the sum over its classes, at most 1."""
    return {label: min(1.0, sum(probability[code] for code in codes)) for label, codes in labels.items()}


def label_of(task: ImageTask, code: str) -> str:
    """The first label of the task's first data set that stands for a class."""
    return next(label for label, codes in task.datasets[0].labels.items() if code in codes)
