"""A data set is left out of the training and measured: nothing of it is learnt, nothing of its test split read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from jobs import small_job

from ml_model.training.fit.cross_validation import HELD_OUT
from ml_model.training.fit.leave_source_out import RESULT, leave_sources_out, sources_left_out, without_source
from ml_model.training.job import Job
from ml_model.training.recipe import Phase
from ml_model.training.reports.source_sections import left_out_section

SMALL, LARGE = "BreakHis 100x", "IDC breast histology patches"


def job(tmp_path: Path, *left_out: str) -> Job:
    """Pictures of two sources of the task, a group of the first in its test split."""
    small = small_job(tmp_path, Phase("all", 3, 32, 1e-2, batch_size=8))
    named = {"small": SMALL, "large": LARGE}
    label = {SMALL: {"benign": "benign", "malignant": "malignant"}, LARGE: {"benign": "0", "malignant": "1"}}
    samples = [
        replace(s, source=named[s.source], label=label[named[s.source]][s.label], split=split)
        for s, split in zip(small.samples, ("test" if s.group == "s1" else s.split for s in small.samples), strict=True)
    ]
    return replace(small, samples=samples, recipe=replace(small.recipe, left_out=left_out))


def test_training_and_validation_pictures_are_held_out_and_the_test_split_stays(tmp_path: Path) -> None:
    one = without_source(job(tmp_path), SMALL)
    assert {s.source for s in one.pick("train")} == {s.source for s in one.pick("val")} == {LARGE}
    assert {s.group for s in one.pick(HELD_OUT)} == {f"s{n}" for n in range(10)} - {"s1"}
    assert {s.group for s in one.pick("test")} == {"s1"}
    assert one.out_dir == tmp_path / "without-breakhis_100x"
    with pytest.raises(ValueError, match="no pictures of elsewhere"):
        without_source(job(tmp_path), "elsewhere")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of TensorFlow
def test_each_source_is_measured_by_a_training_without_it(tmp_path: Path) -> None:
    figures = leave_sources_out(job(tmp_path, SMALL))
    assert list(figures) == [SMALL]
    assert figures[SMALL].count == 36
    assert figures[SMALL].macro_auc is not None
    assert figures[SMALL].macro_auc.value > 0.9  # brightness tells the classes in both
    assert sources_left_out(tmp_path) == figures
    assert (tmp_path / RESULT).is_file()
    shown = left_out_section(figures)
    assert f"| {SMALL} | 36 | {figures[SMALL].macro_auc.value:.3f} (" in shown
    assert left_out_section(None) == ""
    assert sources_left_out(tmp_path / "elsewhere") is None


def test_a_recipe_that_leaves_none_out_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="names no data set to leave out"):
        leave_sources_out(job(tmp_path))
