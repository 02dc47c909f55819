"""Calibration of a screening task's probabilities, on validation, so that they can be carried to another prevalence."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from ml_model.inference.bundle import ScreeningCalibration
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.labels import label_space
from ml_model.training.evaluation.metrics import Scored

LEAST_SLOPE = 1e-3  # of Platt's logistic: a model of one trial epoch may rank the films the wrong way round


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
