"""Prediction sets by class-conditional split conformal prediction, chosen on validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ml_model.inference.bundle import PredictionSets
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.labels import label_space
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.metrics import Scored

Array = NDArray[np.floating]
COVERAGE = 0.9
FEWEST_OF_A_LABEL = 10  # validation cases within a population; with fewer the thresholds for all serve


def prediction_sets(
    task: ImageTask, samples: Sequence[Sample], validation: Scored, populations: Sequence[str]
) -> PredictionSets:
    """Class-conditional split conformal prediction: of each label's cases COVERAGE reach its threshold."""
    names = label_space(task).names
    sources = np.array([s.source for s in samples])
    by_population = {}
    for name in populations:
        part = validation.rows(sources == name)
        if (part.truth.sum(axis=0) >= FEWEST_OF_A_LABEL).all():
            by_population[name] = _thresholds(part, names)
    return PredictionSets(coverage=COVERAGE, thresholds=_thresholds(validation, names), by_population=by_population)


def _thresholds(s: Scored, names: Sequence[str]) -> dict[str, float]:
    return {name: conformal_threshold(s.probabilities[s.truth[:, i], i]) for i, name in enumerate(names)}


def conformal_threshold(probabilities: Array) -> float:
    """The largest threshold that a new case reaches with probability COVERAGE or more, by as many exchangeable
    cases as are given (N,); 0 where they are too few to tell."""
    rank = int(np.ceil((len(probabilities) + 1) * COVERAGE - 1e-9))
    return float(np.sort(probabilities)[::-1][rank - 1]) if rank <= len(probabilities) else 0.0


def rescaled_weights(
    weights: Mapping[str, float], slope: Sequence[float], intercept: Sequence[float]
) -> dict[str, float]:
    """Weights of a balanced decision that name the same classes on calibrated probabilities as `weights` on the
    model's own; in output order."""
    scaled = np.array(list(weights.values())) ** np.array(slope) * np.exp(-np.array(intercept))
    return {code: round(float(w), 6) for code, w in zip(weights, scaled / scaled.max(), strict=True)}
