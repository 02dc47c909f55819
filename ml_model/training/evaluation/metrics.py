"""Figures of merit from probabilities, with 95 % intervals by group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ml_model.inference.interval import Interval
from ml_model.inference.measured import Detection, Summary
from ml_model.training.evaluation.intervals import proportion, resampled

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Scored:
    """Model outputs beside the truth, for N pictures; one column per class, several true ones if multi-label."""

    truth: NDArray[np.bool_]  # (N, classes)
    predicted: NDArray[np.bool_]  # (N, classes), by operating point or argmax
    probabilities: Floats  # (N, classes)
    groups: NDArray[np.str_]  # (N,) lesion or patient

    def rows(self, index: NDArray[np.integer] | NDArray[np.bool_]) -> Scored:
        """The same for some rows only."""
        return Scored(self.truth[index], self.predicted[index], self.probabilities[index], self.groups[index])


def accuracy(s: Scored) -> float:
    """Share of pictures with every class right."""
    return float(np.mean(_all_right(s)))


def accuracy_interval(s: Scored) -> Interval:
    """`accuracy` as a proportion."""
    return proportion(_all_right(s), s.groups)


def _all_right(s: Scored) -> NDArray[np.bool_]:
    return np.asarray((s.truth == s.predicted).all(axis=1))


def auc(truth: NDArray[np.bool_], score: Floats) -> float:
    """Area under the ROC curve, ties counted half; NaN where only one side occurs.

    By ranks (Mann-Whitney): intervals ask for it thousands of times, and scikit-learn takes twenty times as long.
    """
    positive, negative = int(truth.sum()), int((~truth).sum())
    if not positive or not negative:
        return float("nan")
    ranks = rankdata(score)[truth].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * negative))


def class_auc(s: Scored, index: int) -> float:
    """`auc` of one class against the rest."""
    return auc(s.truth[:, index], s.probabilities[:, index])


def macro_auc(s: Scored) -> float:
    """Mean of the classes' one-against-rest AUCs, over the classes that occur; NaN where there are none."""
    values = [value for i in range(s.truth.shape[1]) if not np.isnan(value := class_auc(s, i))]
    return float(np.mean(values)) if values else float("nan")


def sensitivity(s: Scored, index: int) -> float:
    """Share of the class's pictures that are called it; NaN where there are none."""
    is_class = s.truth[:, index]
    return float(np.mean(s.predicted[is_class, index])) if is_class.any() else float("nan")


def specificity(s: Scored, index: int) -> float:
    """Share of the other pictures that are not called it; NaN where there are none."""
    other = ~s.truth[:, index]
    return float(np.mean(~s.predicted[other, index])) if other.any() else float("nan")


def sensitivity_interval(s: Scored, index: int) -> Interval:
    """`sensitivity` as a proportion."""
    is_class = s.truth[:, index]
    return proportion(s.predicted[is_class, index], s.groups[is_class])


def specificity_interval(s: Scored, index: int) -> Interval:
    """`specificity` as a proportion."""
    other = ~s.truth[:, index]
    return proportion(~s.predicted[other, index], s.groups[other])


def balanced_accuracy(s: Scored) -> float:
    """Mean of the sensitivities of the classes that occur."""
    present = np.flatnonzero(s.truth.any(axis=0))
    return float(np.mean([sensitivity(s, int(i)) for i in present]))


def macro_f1(s: Scored) -> float:
    """Mean F1 over the classes; a class neither true nor predicted counts as 0.

    By counts: intervals ask for it hundreds of times, and scikit-learn takes 25 times as long.
    """
    twice_hit, named = 2 * (s.truth & s.predicted).sum(axis=0), s.truth.sum(axis=0) + s.predicted.sum(axis=0)
    return float(np.mean(twice_hit / np.maximum(named, 1)))


def confusion(s: Scored) -> tuple[tuple[int, ...], ...]:
    """Rows are the truth, columns the prediction (for multi-label, each true class beside each predicted one)."""
    return tuple(tuple(row) for row in (s.truth.astype(int).T @ s.predicted.astype(int)).tolist())


def bootstrap(s: Scored, figure: Callable[[Scored], float], *, draws: int = 500, seed: int = 0) -> Interval:
    """`figure` with the 2.5 and 97.5 percentiles over resampled groups."""
    return resampled(s.groups, lambda rows: figure(s.rows(rows)), draws=draws, seed=seed)


def threshold_for_sensitivity(positive: NDArray[np.bool_], probability: Floats, target: float) -> float:
    """Highest threshold at which at least `target` of the positives reach it. Raises ValueError without positives."""
    if not positive.any():
        raise ValueError("no positive samples to choose a threshold on")
    scores = np.sort(probability[positive])[::-1]
    needed = int(np.ceil(target * len(scores) - 1e-9))
    return float(scores[needed - 1])


def detection(s: Scored, index: int, *, draws: int) -> Detection:
    """One class against the rest."""
    return Detection(
        count=int(s.truth[:, index].sum()),
        auc=bootstrap(s, lambda r: class_auc(r, index), draws=draws),
        sensitivity=sensitivity_interval(s, index),
        specificity=specificity_interval(s, index),
    )


def summarise(s: Scored, codes: Sequence[str], *, draws: int = 500) -> Summary:
    """Every figure for one set of pictures."""
    return Summary(
        count=len(s.truth),
        groups=len(np.unique(s.groups)),
        accuracy=accuracy_interval(s),
        balanced_accuracy=bootstrap(s, balanced_accuracy, draws=draws),
        macro_f1=bootstrap(s, macro_f1, draws=draws),
        macro_auc=bootstrap(s, macro_auc, draws=draws),
        per_class={code: detection(s, i, draws=draws) for i, code in enumerate(codes) if s.truth[:, i].any()},
        confusion_matrix=confusion(s),
    )


def probabilities_of(logits: NDArray[np.floating], multi_label: bool) -> NDArray[np.floating]:
    """Softmax, or a sigmoid per class."""
    logits = logits.astype(np.float64)
    if multi_label:
        return np.asarray(1 / (1 + np.exp(-logits)))
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: NDArray[np.floating] = exp / exp.sum(axis=1, keepdims=True)
    return result


def called(probabilities: NDArray[np.floating], multi_label: bool) -> NDArray[np.bool_]:
    """Predicted classes as a matrix: at least 0.5 for multi-label, else the most probable."""
    if multi_label:
        return np.asarray(probabilities >= 0.5)
    return np.asarray(np.eye(probabilities.shape[1], dtype=bool)[probabilities.argmax(axis=1)])
