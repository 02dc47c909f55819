"""Truth and score of the alerts that a task file declares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml_model.tasks.image_schema import AlertRule
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.samples import Sample


def alert_truth(
    rule: AlertRule, samples: Sequence[Sample], multi_label: bool
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(N,) whether the finding is there, and (N,) whether the label tells."""
    classes = set(rule.classes)
    there = [bool(classes & set(s.codes)) if multi_label else classes >= set(s.codes) for s in samples]
    told = [multi_label or t or not classes & set(s.codes) for t, s in zip(there, samples, strict=True)]
    return np.array(there, dtype=bool), np.array(told, dtype=bool)


def alert_scores(task: ImageTask, classes: Sequence[str], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N,) summed probability of the alert's classes."""
    return np.asarray(probabilities[:, [task.codes.index(c) for c in classes]].astype(np.float64).sum(axis=1))
