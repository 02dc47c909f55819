"""Which findings are still in question: class-conditional conformal prediction. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ml_model.tasks.labels import label_probabilities
from ml_model.tasks.registry import ImageTask


def labels_in_question(
    task: ImageTask, probabilities: Mapping[str, float], thresholds: Mapping[str, float]
) -> tuple[str, ...]:
    """The labels whose probability reaches their threshold, in output order; probabilities by class code."""
    totals = label_probabilities(probabilities, task.measured_labels)
    return tuple(name for name, p in totals.items() if p >= thresholds[name])
