"""Figures of merit against values worked out by hand or by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from ml_model.training.evaluation import metrics
from ml_model.training.evaluation.metrics import Scored


@pytest.fixture
def scored() -> Scored:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 200)
    logits = rng.normal(size=(200, 3))
    logits[np.arange(200), truth] += 1
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    one_hot = np.eye(3, dtype=bool)
    return Scored(
        one_hot[truth], one_hot[probabilities.argmax(axis=1)], probabilities, (np.arange(200) // 4).astype(str)
    )


def test_figures_agree_with_scikit_learn(scored: Scored) -> None:
    truth, predicted = scored.truth.argmax(axis=1), scored.predicted.argmax(axis=1)
    assert metrics.accuracy(scored) == pytest.approx(reference.accuracy_score(truth, predicted))
    assert metrics.balanced_accuracy(scored) == pytest.approx(reference.balanced_accuracy_score(truth, predicted))
    assert metrics.macro_f1(scored) == pytest.approx(reference.f1_score(truth, predicted, average="macro"))
    auc = reference.roc_auc_score(truth, scored.probabilities, multi_class="ovr")
    assert metrics.macro_auc(scored) == pytest.approx(auc)
    assert metrics.confusion(scored) == reference.confusion_matrix(truth, predicted).tolist()


def test_a_class_that_does_not_occur_is_left_out_of_the_means(scored: Scored) -> None:
    some = scored.rows(~scored.truth[:, 2])
    assert np.isnan(metrics.class_auc(some, 2))
    expected = np.mean([metrics.sensitivity(some, 0), metrics.sensitivity(some, 1)])
    assert metrics.balanced_accuracy(some) == pytest.approx(expected)


def test_bootstrap_resamples_groups_not_pictures(scored: Scored) -> None:
    interval = metrics.bootstrap(scored, metrics.accuracy, draws=400)
    assert interval.low < interval.value < interval.high
    one_group = Scored(scored.truth, scored.predicted, scored.probabilities, np.array(["all"] * 200))
    alone = metrics.bootstrap(one_group, metrics.accuracy, draws=20)
    assert alone.low == alone.value == alone.high


def test_threshold_keeps_the_asked_sensitivity_and_is_the_highest_that_does() -> None:
    positive = np.array([True] * 20 + [False] * 5)
    scores = np.concatenate([np.linspace(0.05, 1, 20), np.zeros(5)])
    threshold = metrics.threshold_for_sensitivity(positive, scores, 0.95)
    assert threshold == pytest.approx(0.10)
    assert np.mean(scores[positive] >= threshold) == pytest.approx(0.95)
    with pytest.raises(ValueError, match="no positive samples"):
        metrics.threshold_for_sensitivity(np.zeros(3, bool), np.zeros(3), 0.9)


def test_any_figure_of_rows_is_resampled_by_group() -> None:
    values, groups = np.arange(12.0), np.repeat(["a", "b", "c"], 4)
    interval = metrics.resampled(groups, lambda rows: float(values[rows].mean()), draws=400)
    assert (interval.value, interval.low, interval.high) == (5.5, 1.5, 9.5)
    alone = metrics.resampled(np.array(["a"] * 12), lambda rows: float(values[rows].mean()), draws=20)
    assert alone.low == alone.value == alone.high == 5.5
