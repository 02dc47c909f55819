"""The rule that derives categories from pixels: known features, the last step reached, and what a bad rule says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from samples import image_task

from ml_model.tasks.image_schema import CategoryRule, DatasetSpec
from ml_model.training.data.pixel_derived_labels import derived_category, pixel_features, refine_labels
from ml_model.training.data.samples import Sample

RULE = CategoryRule.model_validate(
    {
        "dark_below": 40,
        "bright_from": 180,
        "labels": {
            "ill": [
                {"code": "a"},
                {"code": "b", "min_dark_share": 0.25, "min_texture": 50},
                {"code": "c", "min_dark_share": 0.45, "min_texture": 50},
            ]
        },
    }
)


def halves(dark_share: float, dark: int = 0, bright: int = 200) -> NDArray[np.uint8]:
    picture = np.full((100, 100, 3), bright, np.uint8)
    picture[: round(100 * dark_share)] = dark
    return picture


def test_features_are_those_of_the_grey_levels() -> None:
    features = pixel_features(halves(0.25), RULE)
    assert features.mean_level == pytest.approx(150)
    assert features.texture == pytest.approx(200 * np.sqrt(0.25 * 0.75))
    assert (features.dark_share, features.bright_share) == (0.25, 0.75)


@pytest.mark.parametrize(
    ("dark_share", "dark", "code"),
    [(0.1, 0, "a"), (0.25, 0, "b"), (0.45, 0, "c"), (0.45, 39, "c"), (0.45, 40, "a"), (0.24, 0, "a")],
)
def test_the_last_step_that_is_reached_names_the_category(dark_share: float, dark: int, code: str) -> None:
    assert derived_category(halves(dark_share, dark), "ill", RULE) == code


def test_a_label_without_steps_stays_as_it_is() -> None:
    assert derived_category(halves(0.5), "well", RULE) is None


def test_only_the_data_set_with_a_rule_is_refined() -> None:
    task = image_task("breast")
    dataset = task.datasets[0]
    samples = [Sample(Path("x"), dataset.name, k, v, "g", "train") for k, v in dataset.labels.items()]
    dark_and_rough = np.stack([halves(0.45)] * 3)
    assert [s.codes for s in refine_labels(task, samples, dark_and_rough)] == [
        ("birads_1",),
        ("birads_3",),
        ("birads_6",),
    ]
    plain = task.model_copy(update={"datasets": (dataset.model_copy(update={"category_rule": None}),)})
    assert refine_labels(plain, samples, dark_and_rough) == samples


def test_a_rule_must_give_the_classes_of_its_label() -> None:
    fields = {"name": "d", "folder": "f", "group_key": "g", "population": "p", "licence": "l", "citation": "c"}
    with pytest.raises(ValidationError, match=r"category_rule\.labels\.ill: gives a, b, c; the label stands for a, b"):
        DatasetSpec(**fields, labels={"ill": ("a", "b")}, category_rule=RULE)
    with pytest.raises(ValidationError, match=r"gives a, b, c; the label stands for nothing"):
        DatasetSpec(**fields, labels={"well": ("a",)}, category_rule=RULE)
