"""Our calibration and our prediction sets against those of scikit-learn and crepes, on the same scores."""

from __future__ import annotations

import numpy as np
import pytest
from crepes import ConformalClassifier
from numpy.typing import NDArray
from scipy.stats import binom
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from ml_model.inference.calibration import calibrated
from ml_model.training.posthoc.calibration import fit_calibration
from ml_model.training.posthoc.conformal import CONFIDENCE, COVERAGE, conformal_threshold
from ml_model.training.posthoc.findings import Weighted

CLASSES = 4


class Given(ClassifierMixin, BaseEstimator):
    """Answers with the probabilities that it is given."""

    classes_ = np.arange(CLASSES)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, x: NDArray[np.float64], y: NDArray[np.int64]) -> Given:
        return self

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.int64]:
        return x.argmax(axis=1)

    def predict_proba(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return x


def drawn(count: int, sharpness: float, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities that claim logits `sharpness` times too large, and labels drawn from the right ones."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (count, CLASSES))
    right, claimed = np.exp(logits), np.exp(sharpness * logits)
    right /= right.sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(CLASSES, p=p) for p in right])
    return claimed / claimed.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("sharpness", [0.4, 1.5, 2.0])
def test_the_temperature_is_that_of_scikit_learn(sharpness: float) -> None:
    """Of scores within what we tell apart: ours begin at 1e-7, where a logarithm is held."""
    p, labels = drawn(1500, sharpness, seed=0)
    ours = fit_calibration(p, np.eye(CLASSES)[labels], [str(i) for i in range(1500)], multi_label=False)
    theirs = CalibratedClassifierCV(FrozenEstimator(Given()), method="temperature").fit(p, labels)
    (fitted,) = theirs.calibrated_classifiers_[0].calibrators
    assert ours.method == "temperature"
    assert ours.slope == pytest.approx((float(fitted.beta_),) * CLASSES, rel=2e-4)
    again, _ = drawn(200, sharpness, seed=1)
    assert calibrated(again, ours) == pytest.approx(theirs.predict_proba(again), abs=1e-4)


@pytest.mark.parametrize("count", [30, 79, 80, 199, 1000])
def test_a_set_holds_what_crepes_holds_and_little_more(count: int) -> None:
    """Class-conditional (Mondrian) conformal prediction of the hinge score; ties among the scores as well. crepes keeps
    the promise in expectation, we with confidence, which takes a lower threshold; the more cases, the nearer."""
    p, labels = drawn(count, 1.0, seed=2)
    new, _ = drawn(300, 1.0, seed=3)
    p, new = np.round(p, 2), np.round(new, 2)
    theirs = ConformalClassifier().fit(alphas=1 - p[np.arange(count), labels], bins=labels)
    for label in range(CLASSES):
        bins = np.full(len(new), label)
        beyond = theirs.predict_p(1 - new[:, [label]], bins=bins, smoothing=False).ravel() > 1 - COVERAGE + 1e-9
        own = p[labels == label, label]
        inside = new[:, label] >= conformal_threshold(Weighted(own, np.ones(len(own))))
        assert (inside >= beyond).all()
        if count == 1000:
            assert inside.mean() - beyond.mean() < 0.15


@pytest.mark.parametrize("count", [22, 50, 200, 1000])
def test_so_many_lie_below_as_the_binomial_distribution_allows(count: int) -> None:
    """The most misses m of n with P(Binomial(n, .1) <= m) <= .1: were a tenth left out, so few would be seen seldom."""
    scores = np.random.default_rng(4).permutation(np.arange(1, count + 1)) / (count + 1)
    misses = int(round(conformal_threshold(Weighted(scores, np.ones(count))) * (count + 1))) - 1
    assert binom.cdf(misses, count, 1 - COVERAGE) <= 1 - CONFIDENCE < binom.cdf(misses + 1, count, 1 - COVERAGE)
