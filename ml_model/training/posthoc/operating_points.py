"""What is settled on validation before the test split is read: thresholds, and the calibration for screening."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ml_model.diagnosis.population import view_key
from ml_model.inference.bundle import OperatingPoint, ScreeningCalibration
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.labels import label_space
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.metrics import Scored, threshold_for_sensitivity

LEAST_SLOPE = 1e-3  # of Platt's logistic: a model of one trial epoch may rank the films the wrong way round


def choose_operating_point(task: ImageTask, validation: Scored) -> OperatingPoint | None:
    """The task's rule applied to validation answers; None where the task names no rule."""
    rule = task.operating_point
    if rule is None:
        return None
    names = label_space(task).names
    positive = names.index(rule.positive)
    chosen = chosen_threshold(
        validation.truth[:, positive], validation.probabilities[:, positive], rule.min_sensitivity
    )
    return OperatingPoint(positive=rule.positive, negative=rule.negative, **chosen)


def chosen_threshold(truth: NDArray[np.bool_], scores: NDArray[np.floating], min_sensitivity: float) -> dict[str, Any]:
    """Fields of a threshold on `scores` (N,), 0-1, of validation samples that have the finding or not (N,)."""
    threshold = min(1.0, threshold_for_sensitivity(truth, scores, min_sensitivity))
    reached = scores >= threshold
    return {
        "threshold": threshold,
        "rule": f"highest threshold with sensitivity >= {min_sensitivity} on validation",
        "validation_sensitivity": round(float(reached[truth].mean()), 4),
        "validation_specificity": round(float((~reached[~truth]).mean()), 4),
    }


def screening_calibration(task: ImageTask, validation: Scored) -> ScreeningCalibration | None:
    """Platt's two parameters on validation for a task with screening bands; None for the others.

    Of a model that does no better than chance everybody gets the share of positives.
    """
    if task.screening_bands is None:
        return None
    column = label_space(task).names.index(task.screening_bands.positive)
    p = np.clip(validation.probabilities[:, column], 1e-6, 1 - 1e-6)
    truth = validation.truth[:, column]
    fitted = LogisticRegression(C=1e6).fit(np.log(p / (1 - p))[:, None], truth)
    slope, intercept, prevalence = float(fitted.coef_[0, 0]), float(fitted.intercept_[0]), float(truth.mean())
    if slope < LEAST_SLOPE:
        slope, intercept = LEAST_SLOPE, float(np.log(prevalence / (1 - prevalence)))
    return ScreeningCalibration(slope=slope, intercept=intercept, prevalence=prevalence)


def population_operating_points(
    task: ImageTask, samples: Sequence[Sample], validation: Scored
) -> dict[str, OperatingPoint]:
    """The rule applied within each data set that names its ages, where there is more than one, and within its views."""
    named = [d for d in task.datasets if d.ages_years is not None]
    points = {}
    for dataset in named if len(named) > 1 else ():
        of_set = np.array([task.population_of(s.source) == dataset.name for s in samples])
        rows_of = {dataset.name: of_set}
        if dataset.views_judged_apart:
            views = np.array([s.attributes.get("view", "") for s in samples])
            rows_of |= {view_key(dataset.name, v): of_set & (views == v) for v in sorted(set(views[of_set]) - {""})}
        for name, rows in rows_of.items():
            part = validation.rows(rows)
            if part.truth.any(axis=0).all() and (point := choose_operating_point(task, part)):
                points[name] = point
    return points
