"""The frame of a picture alone: found where the label is written there, at chance where it is only in the middle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from samples import image_task

from ml_model.tasks.registry import ImageTask
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.border_baseline import frame_features, frame_only

SOURCE = "adults"


def films(mark: slice) -> tuple[list[Sample], NDArray[np.uint8]]:
    """300 noisy films, a third of them for testing; those with pneumonia are brighter in the columns of `mark`."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(60, 120, (300, 64, 64, 3), dtype=np.uint8)
    samples = []
    for i in range(300):
        label = ("normal", "pneumonia")[i % 2]
        if i % 2:
            pixels[i, 20:44, mark] += 40
        view = {"view": ("AP", "PA")[i // 2 % 2], "sex": ("F", "M")[i % 3 % 2]}
        samples.append(Sample(Path("x"), SOURCE, label, (label,), f"p{i}", ("test", "train", "train")[i % 3], view))
    return samples, pixels


def xray() -> ImageTask:
    task = image_task("xray")
    dataset = task.datasets[0].model_copy(update={"name": SOURCE, "labels": {c: (c,) for c in task.codes}})
    return task.model_copy(update={"datasets": (dataset,)})


def auc(figures: dict[str, Any], name: str) -> float:
    return float(figures[name].macro_auc.value)


@pytest.mark.parametrize(("mark", "low", "high"), [(slice(0, 6), 0.99, 1.0), (slice(20, 44), 0.3, 0.7)])
def test_only_what_is_in_the_frame_is_told(mark: slice, low: float, high: float) -> None:
    figures: dict[str, Any] = frame_only(xray(), *films(mark))
    assert set(figures) == {SOURCE, f"{SOURCE}, view AP", f"{SOURCE}, view PA"}
    assert figures[SOURCE].count == 100
    assert low <= auc(figures, SOURCE) <= high
    assert low <= auc(figures, f"{SOURCE}, view AP") <= high


def test_the_middle_is_not_among_the_features() -> None:
    pixels = np.zeros((2, 320, 320, 3), np.uint8)
    pixels[1, 30:290, 30:290] = 255
    features = frame_features(pixels)
    assert features.shape == (2, (32 * 32 - 26 * 26) * 3)
    assert not features.any()


def test_a_source_without_a_class_in_its_test_pictures_is_left_out() -> None:
    samples, pixels = films(slice(0, 6))
    kept = [i for i, s in enumerate(samples) if s.split == "train" or s.label == "normal"]
    assert frame_only(xray(), [samples[i] for i in kept], pixels[kept]) == {}
