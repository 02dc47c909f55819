"""Figures that choose among epochs: each source counts alike, and home counts as much as the simulated sites."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jobs import sample, small_job
from numpy.typing import NDArray
from samples import image_task

from ml_model.training.augmentation.ultrasound_sites import SIMULATED_SITES
from ml_model.training.fit.callbacks import WATCHED, PictureFigures
from ml_model.training.fit.yardsticks import BySource, UltrasoundSites, at_simulated_sites, yardstick
from ml_model.training.job import Job
from ml_model.training.recipe import Phase, Recipe


class ByLevel:
    """Its logit of the second class is the mean level of the picture."""

    def predict(self, pictures: NDArray[np.uint8], **options: Any) -> NDArray[np.float32]:
        level = pictures.reshape(len(pictures), -1).mean(axis=1).astype(np.float32) / 64
        return np.stack([np.zeros_like(level), level], axis=1)


def levels(*values: int) -> NDArray[np.uint8]:
    return np.stack([np.full((8, 8, 3), v, np.uint8) for v in values])


def test_every_source_counts_alike_however_many_pictures_it_has() -> None:
    truth = np.eye(2, dtype=bool)[[0, 0, 0, 1, 1, 1, 0, 1]]
    pooled = PictureFigures(levels(1, 2, 3, 4, 5, 6, 9, 7), truth, np.eye(2, dtype=np.float32), multi_label=False)
    found = BySource(pooled, ["large"] * 6 + ["small"] * 2)(ByLevel())  # type: ignore[arg-type]
    assert found["val_auc large"] == 1.0
    assert found["val_auc small"] == 0.0
    assert found[WATCHED] == 0.5


def test_home_counts_as_much_as_all_simulated_sites_together() -> None:
    truth = np.eye(2, dtype=bool)[[0, 0, 1, 1]]
    pooled = PictureFigures(levels(1, 2, 3, 4), truth, np.eye(2, dtype=np.float32), multi_label=False)
    sites = [levels(1, 2, 3, 4), levels(4, 3, 2, 1), levels(2, 1, 1, 2)]
    found = UltrasoundSites(pooled, sites, np.array([False, True]))(ByLevel())  # type: ignore[arg-type]
    assert found["val_home"] == 1.0
    assert found["val_sites"] == pytest.approx((1 + 0 + 0.5) / 3)
    assert found["val_worst_site"] == 0.0
    assert found[WATCHED] == pytest.approx(0.75)


def test_the_recipe_says_which_yardstick_and_validation_alone_is_looked_at(tmp_path: Path) -> None:
    def shown(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return picture[:8, :8]

    job = small_job(tmp_path, Phase("all", 1, 32, 1e-3))
    by_source = yardstick(replace(job, recipe=replace(job.recipe, yardstick="sources")), shown)
    assert isinstance(by_source, BySource)
    assert len(by_source.sources) == len(by_source.pooled.pictures) == len(job.pick("val"))
    assert by_source.pooled.pictures.shape[1:] == (8, 8, 3)
    assert isinstance(yardstick(job, shown), PictureFigures)
    without = replace(job, task=job.task.model_copy(update={"findings": ()}))
    with pytest.raises(ValueError, match="simulated sites are judged by the task's first finding"):
        yardstick(replace(without, recipe=replace(job.recipe, yardstick="ultrasound_sites")), shown)


def test_simulated_sites_of_breast_ultrasound_are_judged_by_the_malignant_categories(tmp_path: Path) -> None:
    task = image_task("breast")
    labels = {"normal": ("birads_1",), "benign": ("birads_3",), "malignant": ("birads_5",)}
    samples = [sample("BUSI", name, f"{name}{n}", *codes, split="val") for name, codes in labels.items() for n in "ab"]
    pixels = np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3), dtype=np.uint8)
    job = Job(task, Recipe("breast", (), yardstick="ultrasound_sites"), samples, pixels, tmp_path)
    found = yardstick(job, lambda picture: picture)
    assert isinstance(found, UltrasoundSites)
    assert found.grave.tolist() == [False, False, True]
    assert len(found.at_sites) == len(SIMULATED_SITES)
    assert all(np.array_equal(a, b) for a, b in zip(found.at_sites, at_simulated_sites(pixels), strict=True))
