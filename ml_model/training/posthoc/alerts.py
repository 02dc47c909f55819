"""Thresholds of the alerts that a task file declares, chosen on validation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml_model.inference.bundle import AlertPoint
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.alerts import alert_scores, alert_truth
from ml_model.training.posthoc.operating_points import chosen_threshold


def alert_points(
    task: ImageTask, samples: Sequence[Sample], probabilities: NDArray[np.floating]
) -> dict[str, AlertPoint]:
    """Thresholds of the task's alerts; probabilities (N, classes) of the validation samples."""
    points = {}
    for rule in task.alerts:
        there, told = alert_truth(rule, samples, task.multi_label)
        scores = alert_scores(task, rule.classes, probabilities)
        chosen = chosen_threshold(there[told], scores[told], rule.min_sensitivity)
        points[rule.name] = AlertPoint(classes=rule.classes, **chosen)
    return points
