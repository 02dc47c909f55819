"""What lets an answer be trusted, chosen on validation: prediction sets, alerts, and what a familiar picture is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from ml_model.inference.bundle import AlertPoint, FamiliarityLimits, PredictionSets
from ml_model.inference.ood import Familiarity, of_length_one
from ml_model.tasks.image_schema import AlertRule
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.batches import label_space
from ml_model.training.data.readers import Sample
from ml_model.training.evaluation.metrics import Scored
from ml_model.training.posthoc.operating_points import chosen_threshold

Array = NDArray[np.floating]
COVERAGE = 0.9
FEWEST_OF_A_LABEL = 10  # validation cases within a population; with fewer the thresholds for all serve
COMPONENTS = 64
WARN_SHARE, REFUSE_SHARE = 0.02, 0.005  # of the validation pictures that lie further out


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


def alert_truth(
    rule: AlertRule, samples: Sequence[Sample], multi_label: bool
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(N,) whether the finding is there, and (N,) whether the label tells."""
    classes = set(rule.classes)
    there = [bool(classes & set(s.codes)) if multi_label else classes >= set(s.codes) for s in samples]
    told = [multi_label or t or not classes & set(s.codes) for t, s in zip(there, samples, strict=True)]
    return np.array(there, dtype=bool), np.array(told, dtype=bool)


def alert_scores(task: ImageTask, classes: Sequence[str], probabilities: Array) -> NDArray[np.float64]:
    """(N,) summed probability of the alert's classes."""
    return np.asarray(probabilities[:, [task.codes.index(c) for c in classes]].astype(np.float64).sum(axis=1))


def alert_points(task: ImageTask, samples: Sequence[Sample], probabilities: Array) -> dict[str, AlertPoint]:
    """Thresholds of the task's alerts; probabilities (N, classes) of the validation samples."""
    points = {}
    for rule in task.alerts:
        there, told = alert_truth(rule, samples, task.multi_label)
        scores = alert_scores(task, rule.classes, probabilities)
        chosen = chosen_threshold(there[told], scores[told], rule.min_sensitivity)
        points[rule.name] = AlertPoint(classes=rule.classes, **chosen)
    return points


def fit_familiarity(train: Array, validation: Array, seed: int) -> tuple[Familiarity, FamiliarityLimits]:
    """From embeddings (N, D) of training and validation pictures as they are served."""
    scaled = of_length_one(train)
    analysis = PCA(min(COMPONENTS, len(scaled) - 1, scaled.shape[1] // 2), random_state=seed).fit(scaled)
    # What is written, in half the bytes, is what the limits are for.
    familiarity = Familiarity(analysis.mean_.astype(np.float16), analysis.components_.T.astype(np.float16))
    distances = familiarity.distances(validation)
    warn_from, refuse_from = np.quantile(distances, (1 - WARN_SHARE, 1 - REFUSE_SHARE))
    # Room for the tail that so few validation pictures cannot show.
    refuse_from = max(refuse_from, warn_from) * 1.1
    rule = (
        f"warned of beyond {1 - WARN_SHARE:.3f} of the validation pictures, refused beyond {1 - REFUSE_SHARE:.3f} "
        "of them and a tenth more"
    )
    return familiarity, FamiliarityLimits(warn_from=float(warn_from), refuse_from=float(refuse_from), rule=rule)


def rescaled_weights(
    weights: Mapping[str, float], slope: Sequence[float], intercept: Sequence[float]
) -> dict[str, float]:
    """Weights of a balanced decision that name the same classes on calibrated probabilities as `weights` on the
    model's own; in output order."""
    scaled = np.array(list(weights.values())) ** np.array(slope) * np.exp(-np.array(intercept))
    return {code: round(float(w), 6) for code, w in zip(weights, scaled / scaled.max(), strict=True)}
