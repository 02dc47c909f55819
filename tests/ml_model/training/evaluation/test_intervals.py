"""Intervals by group: resampled figures, and shares at their effective number of rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from ml_model.training.evaluation.intervals import effective_count, proportion, resampled


def test_any_figure_of_rows_is_resampled_by_group() -> None:
    values, groups = np.arange(12.0), np.repeat(["a", "b", "c"], 4)
    interval = resampled(groups, lambda rows: float(values[rows].mean()), draws=400)
    assert (interval.value, interval.low, interval.high) == (5.5, 1.5, 9.5)
    alone = resampled(np.array(["a"] * 12), lambda rows: float(values[rows].mean()), draws=20)
    assert alone.low == alone.value == alone.high == 5.5


@pytest.mark.parametrize(("hits", "rows"), [(0, 1), (1, 1), (0, 40), (40, 40), (1, 40), (17, 40), (250, 252)])
def test_without_groups_the_interval_is_the_exact_one_of_scipy(hits: int, rows: int) -> None:
    found = proportion(np.arange(rows) < hits, np.arange(rows))
    expected = binomtest(hits, rows).proportion_ci(method="exact")
    assert (found.value, found.low, found.high) == pytest.approx((hits / rows, *expected), abs=5e-5)


def test_a_share_of_one_is_not_certain() -> None:
    """67 of 67 pictures right said 1.000 (1.000-1.000)."""
    found = proportion(np.ones(67, bool), np.arange(67))
    assert (found.value, found.low, found.high) == (1.0, 0.9464, 1.0)
    nothing = proportion(np.zeros(67, bool), np.arange(67))
    assert (nothing.value, nothing.low, nothing.high) == (0.0, 0.0, 0.0536)


def test_rows_that_repeat_their_group_count_once() -> None:
    """Each of 30 patients five times, all five alike: as wide as 30 patients; the same rows apart: as 150."""
    ill = np.random.default_rng(0).random(30) < 0.7
    hits, patients = np.repeat(ill, 5), np.repeat(np.arange(30), 5)
    assert effective_count(hits, patients) == pytest.approx(30)
    assert effective_count(hits, np.arange(150)) == pytest.approx(150)
    assert effective_count(np.ones(150, bool), patients) == pytest.approx(30)
    together, apart = proportion(hits, patients), proportion(hits, np.arange(150))
    assert together.low < apart.low < together.value < apart.high < together.high


def test_groups_that_all_hold_the_same_share_tell_no_more_than_their_rows() -> None:
    hits = np.tile([True, False], 20)
    assert effective_count(hits, np.repeat(np.arange(20), 2)) == 40


def test_groups_of_unequal_size_are_worth_less_than_their_number() -> None:
    patients = np.array([0] * 97 + [1, 2, 3])
    assert effective_count(np.ones(100, bool), patients) == pytest.approx(100**2 / (97**2 + 3))
    assert proportion(np.ones(100, bool), np.zeros(100)).low == pytest.approx(0.025, abs=1e-4)


def test_the_interval_holds_the_truth_for_clustered_rows_about_as_often_as_it_says() -> None:
    """Patients whose shares differ (beta distribution), 40 of them with 1 to 9 pictures; 400 studies."""
    rng, held = np.random.default_rng(1), []
    for _ in range(400):
        sizes = rng.integers(1, 10, 40)
        hits = rng.random(sizes.sum()) < np.repeat(rng.beta(4.5, 0.5, 40), sizes)
        found = proportion(hits, np.repeat(np.arange(40), sizes))
        held.append(found.low <= 0.9 <= found.high)
    assert 0.93 <= np.mean(held) <= 1.0


def test_no_rows_no_figure() -> None:
    found = proportion(np.zeros(0, bool), np.zeros(0))
    assert np.isnan([found.value, found.low, found.high]).all()
