"""Refines labels that are coarser than the classes by simple features of the pixels, as the task file's rule says.

Nobody read these categories off the pictures: they are a convention on grey levels, and a model
trained on them reproduces the convention. What can be measured against a doctor is the label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ml_model.tasks.image_schema import CategoryRule, CategoryStep
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.samples import Sample


@dataclass(frozen=True)
class PixelFeatures:
    """Of the grey levels, 0-255: mean, standard deviation (`texture`), shares of dark and of bright pixels (0-1)."""

    mean_level: float
    texture: float
    dark_share: float
    bright_share: float

    def reach(self, step: CategoryStep) -> bool:
        """Whether every minimum of the step is reached."""
        return (
            self.mean_level >= step.min_mean_level
            and self.texture >= step.min_texture
            and self.dark_share >= step.min_dark_share
            and self.bright_share >= step.min_bright_share
        )


def pixel_features(pixels: NDArray[np.uint8], rule: CategoryRule) -> PixelFeatures:
    """Features of one picture, uint8 RGB (H, W, 3)."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    dark, bright = (grey < rule.dark_below).mean(), (grey >= rule.bright_from).mean()
    return PixelFeatures(float(grey.mean()), float(grey.std()), float(dark), float(bright))


def derived_category(pixels: NDArray[np.uint8], label: str, rule: CategoryRule) -> str | None:
    """Class code of a picture with this label: the last step that its pixels reach; None for a label without steps."""
    features = pixel_features(pixels, rule)
    reached = [step.code for step in rule.labels.get(label, ()) if features.reach(step)]
    return reached[-1] if reached else None


def refine_labels(task: ImageTask, samples: Sequence[Sample], pixels: NDArray[np.uint8]) -> list[Sample]:
    """`samples` with the one class that the rule of their data set gives, where it has a rule for their label."""
    rules = {d.name: d.category_rule for d in task.datasets}
    refined = []
    for sample, picture in zip(samples, pixels, strict=True):
        rule = rules[sample.source]
        code = derived_category(picture, sample.label, rule) if rule else None
        refined.append(replace(sample, codes=(code,)) if code else sample)
    return refined
