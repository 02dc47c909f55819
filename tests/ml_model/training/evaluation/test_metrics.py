"""Figures of merit against values worked out by hand or by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from ml_model.training.evaluation import metrics
from ml_model.training.evaluation.calibration_error import brier_score
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
    assert np.array(metrics.confusion(scored)).tolist() == reference.confusion_matrix(truth, predicted).tolist()


def test_a_class_that_does_not_occur_is_left_out_of_the_means(scored: Scored) -> None:
    some = scored.rows(~scored.truth[:, 2])
    assert np.isnan(metrics.class_auc(some, 2))
    expected = np.mean([metrics.sensitivity(some, 0), metrics.sensitivity(some, 1)])
    assert metrics.balanced_accuracy(some) == pytest.approx(expected)


def test_bootstrap_resamples_groups_not_pictures(scored: Scored) -> None:
    interval = metrics.bootstrap(scored, metrics.macro_auc, draws=400)
    assert interval.low < interval.value < interval.high
    one_group = Scored(scored.truth, scored.predicted, scored.probabilities, np.array(["all"] * 200))
    alone = metrics.bootstrap(one_group, metrics.macro_auc, draws=20)
    assert alone.low == alone.value == alone.high


@pytest.mark.parametrize("multi_label", [False, True])
def test_figures_are_those_of_their_formulas_with_ties_and_missing_classes(multi_label: bool) -> None:
    rng = np.random.default_rng(3)
    for count in (1, 2, 7, 60):
        p = rng.integers(0, 5, (count, 4)) / 4  # ties everywhere
        p = p if multi_label else (p + 0.25) / (p + 0.25).sum(axis=1, keepdims=True)
        truth = rng.random((count, 4)) < 0.3 if multi_label else np.eye(4, dtype=bool)[rng.integers(0, 3, count)]
        s = Scored(truth, metrics.called(p, multi_label), p, np.arange(count).astype(str))
        hits, total = (truth & s.predicted).sum(axis=0), truth.sum(axis=0) + s.predicted.sum(axis=0)
        assert metrics.macro_f1(s) == pytest.approx(np.mean(2 * hits / np.maximum(total, 1)), abs=1e-12)
        assert brier_score(s) == pytest.approx(((p - truth) ** 2).sum(axis=1).mean(), abs=1e-12)
        for index in range(4):
            there, away = p[truth[:, index], index], p[~truth[:, index], index]
            pairs = np.sign(there[:, None] - away).ravel() / 2 + 0.5  # of one with the class and one without
            expected = pairs.mean() if len(pairs) else np.nan
            assert metrics.class_auc(s, index) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_a_sum_of_probabilities_that_rounds_beyond_one_has_a_brier_score() -> None:
    p = np.array([[1 + 1e-7, 0.0], [0.5, 0.5]])
    truth = np.eye(2, dtype=bool)
    assert brier_score(Scored(truth, truth, p, np.array(["a", "b"]))) == pytest.approx(0.25, abs=1e-6)


def test_threshold_keeps_the_asked_sensitivity_and_is_the_highest_that_does() -> None:
    positive = np.array([True] * 20 + [False] * 5)
    scores = np.concatenate([np.linspace(0.05, 1, 20), np.zeros(5)])
    threshold = metrics.threshold_for_sensitivity(positive, scores, 0.95)
    assert threshold == pytest.approx(0.10)
    assert np.mean(scores[positive] >= threshold) == pytest.approx(0.95)
    with pytest.raises(ValueError, match="no positive samples"):
        metrics.threshold_for_sensitivity(np.zeros(3, bool), np.zeros(3), 0.9)
