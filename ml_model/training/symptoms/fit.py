"""Fits and calibrates the naive Bayes of symptoms; every choice is made on validation lists."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_model.inference.measured_tabular import ByCount, ListFigures
from ml_model.tabular.symptom_model import NaiveBayes
from ml_model.training.evaluation.calibration_error import equal_mass_calibration_error
from ml_model.training.evaluation.intervals import proportion
from ml_model.training.symptoms.data import SymptomTable

Floats = NDArray[np.float32]
MAX_COUNT = 12
CUT_COUNTS = (1, 2, 3, 4, 5)
WEIGHTS = (1.0, 0.75, 0.5, 0.25, 0.0)
TEMPERATURES = tuple(np.round(np.geomspace(0.7, 2.4, 12), 3))
MIN_LISTS = 50
CALIBRATION_LISTS = 2500


@dataclass(frozen=True)
class Smoothing:
    """Pseudo-counts. `never` for a symptom unseen in a disease, `even` rows in which a seen one is present half
    the time (which steadies rare diseases), and the power to which the class frequencies are raised."""

    never: float
    even: float
    prior_power: float


GRID = tuple(Smoothing(*v) for v in product((0.003, 0.01), (0.0, 5.0, 20.0), (1.0, 0.8, 0.6)))
FLOOR = Smoothing(never=0.01, even=0.0, prior_power=1.0)


@dataclass(frozen=True)
class Lists:
    """Lists of symptoms (N, S) with their disease, and the symptom vector each was made from."""

    present: NDArray[np.bool_]
    disease: NDArray[np.int64]
    group: NDArray[np.int64]

    @property
    def count(self) -> NDArray[np.int64]:
        """Symptoms per list (N,), at most MAX_COUNT."""
        count: NDArray[np.int64] = np.minimum(self.present.sum(axis=1), MAX_COUNT).astype(np.int64)
        return count

    def where(self, keep: NDArray[Any]) -> Lists:
        """The lists of a mask or an index."""
        return Lists(self.present[keep], self.disease[keep], self.group[keep])


def lists_of(table: SymptomTable, rows: NDArray[np.bool_]) -> Lists:
    """Complete lists: the rows as they are."""
    return Lists(table.present[rows], table.disease[rows], table.group[rows])


def cut_short(lists: Lists, count: int, rng: np.random.Generator) -> Lists:
    """`count` symptoms drawn at random of every list that has more."""
    longer = lists.where(np.asarray(lists.present.sum(axis=1) > count))
    draw = rng.random(longer.present.shape, np.float32) * longer.present
    cut = -np.partition(-draw, count - 1, axis=1)[:, count - 1 : count]
    return Lists((draw >= cut) & longer.present, longer.disease, longer.group)


@dataclass(frozen=True)
class Counts:
    """Rows per disease (C,) and, of those, rows with each symptom (C, S): all that naive Bayes needs."""

    rows: NDArray[np.float64]
    seen: NDArray[np.float64]


def count_rows(lists: Lists, diseases: int) -> Counts:
    """Sufficient statistics of complete lists."""
    from scipy.sparse import csr_array

    order = np.arange(len(lists.disease))
    of_disease = csr_array((np.ones(len(order)), (lists.disease, order)), shape=(diseases, len(order)))
    seen = (of_disease @ csr_array(lists.present.astype(np.float64))).toarray()
    return Counts(np.bincount(lists.disease, minlength=diseases).astype(np.float64), seen)


def log_scores(model: NaiveBayes, lists: Lists, weight: float) -> Floats:
    """NaiveBayes.log_scores for one weight and many lists (N, C), by sparse products: lists are mostly empty."""
    from scipy.sparse import csr_array

    added = np.ascontiguousarray((model.log_present - np.float32(weight) * model.log_absent).T)
    start = model.log_prior + np.float32(weight) * model.log_absent.sum(axis=1)
    scores: Floats = csr_array(lists.present.astype(np.float32)) @ added
    scores += start
    return scores


def probabilities(model: NaiveBayes, lists: Lists) -> Floats:
    """NaiveBayes.probabilities for many lists (N, C)."""
    result = np.empty((len(lists.disease), len(model.log_prior)), np.float32)
    for weight in np.unique(model.absent_weight[1:]):
        rows = np.flatnonzero(model.absent_weight[lists.count] == weight)
        result[rows] = log_scores(model, lists.where(rows), float(weight))
    result /= model.temperature[lists.count][:, None]
    result -= result.max(axis=1, keepdims=True)
    np.exp(result, out=result)
    result /= result.sum(axis=1, keepdims=True)
    return result


def fit(counts: Counts, smoothing: Smoothing) -> NaiveBayes:
    """Closed-form naive Bayes, uncalibrated (w = 1, T = 1)."""
    rows, seen = counts.rows, counts.seen
    even = np.where(seen > 0, smoothing.even, 0.0)
    chance = (seen + even / 2 + smoothing.never) / (rows[:, None] + even + 2 * smoothing.never)
    prior = smoothing.prior_power * np.log(rows / rows.sum())
    return NaiveBayes(
        log_present=np.log(chance).astype(np.float32),
        log_absent=np.log1p(-chance).astype(np.float32),
        log_prior=(prior - np.log(np.exp(prior).sum())).astype(np.float32),
        absent_weight=np.ones(MAX_COUNT + 1, np.float32),
        temperature=np.ones(MAX_COUNT + 1, np.float32),
    )


def log_loss(scores: Floats, disease: NDArray[np.int64], temperature: float) -> Floats:
    """Negative log probability (N,) of the true disease."""
    scaled = scores / np.float32(temperature)
    top = scaled.max(axis=1)
    loss: Floats = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1)) - scaled[np.arange(len(disease)), disease]
    return loss


def choose_smoothing(counts: Counts, val: Lists) -> Smoothing:
    """The smoothing with the least log loss on complete validation lists (T = 1)."""

    def loss(smoothing: Smoothing) -> float:
        return float(log_loss(log_scores(fit(counts, smoothing), val, 1.0), val.disease, 1.0).mean())

    return min(GRID, key=loss)


def calibrate(model: NaiveBayes, val: Lists, rng: np.random.Generator, tolerance: float) -> NaiveBayes:
    """Choose w(k) and T(k) for each number k of symptoms.

    Half of the lists are thought complete and half cut short to one to five symptoms. w(k) has the least
    log loss on that mixture among the weights that lose at most `tolerance` of the first places on
    complete lists of k (for one symptom, where lists are hardly ever complete, among all).
    """
    weights, temperatures = [1.0], [1.0]
    for k in range(1, MAX_COUNT + 1):
        alike = val.count == k
        whole = val.where(alike if alike.sum() >= MIN_LISTS else val.count >= k - 1)
        if not len(whole.disease):
            weights.append(weights[-1])
            temperatures.append(temperatures[-1])
            continue
        parts = [_sample(whole, 1.0, rng)]
        if k in CUT_COUNTS:
            parts.append(_sample(cut_short(val, k, rng), 1 / len(CUT_COUNTS), rng))
        weight, temperature = _choose(model, parts, np.inf if k == 1 else tolerance, k in CUT_COUNTS)
        weights.append(weight)
        temperatures.append(temperature)
    return replace(model, absent_weight=np.array(weights, np.float32), temperature=np.array(temperatures, np.float32))


def _sample(lists: Lists, share: float, rng: np.random.Generator) -> tuple[Lists, float]:
    """At most CALIBRATION_LISTS of the lists, each standing for so many of a population with this share of them."""
    kept = rng.permutation(len(lists.disease))[:CALIBRATION_LISTS]
    return lists.where(kept), share * len(lists.disease) / max(1, len(kept))


def _choose(model: NaiveBayes, parts: list[tuple[Lists, float]], tolerance: float, free: bool) -> tuple[float, float]:
    """Weight and temperature with the least log loss over (lists, share); the first are the complete lists."""
    fewest_right, best = -np.inf, (np.inf, 1.0, 1.0)
    for weight in WEIGHTS if free else (1.0,):
        scored = [(log_scores(model, p, weight), p, share) for p, share in parts]
        right = float((scored[0][0].argmax(axis=1) == parts[0][0].disease).mean())
        if weight == 1.0:
            fewest_right = right - tolerance
        if right < fewest_right:
            continue
        for t in TEMPERATURES:
            loss = sum(share * float(log_loss(scores, p.disease, t).sum()) for scores, p, share in scored)
            best = min(best, (loss, weight, float(t)))
    return best[1], best[2]


def figures(probability: Floats, lists: Lists) -> ListFigures:
    """Top-1 and top-5 with 95 % intervals by symptom vector, calibration error (`ece`, equal-mass bins), log loss."""
    best = np.argsort(-probability, axis=1)[:, :5] if probability.shape[1] <= 5 else _top5(probability)
    chosen = probability.argmax(axis=1)
    top1 = chosen == lists.disease
    top5 = (best == lists.disease[:, None]).any(axis=1)
    true = probability[np.arange(len(lists.disease)), lists.disease]
    return ListFigures(
        lists=len(lists.disease),
        vectors=len(np.unique(lists.group)),
        top1=proportion(top1, lists.group),
        top5=proportion(top5, lists.group),
        ece=round(equal_mass_calibration_error(probability.max(axis=1).astype(np.float64), top1), 4),
        mean_confidence=round(float(probability.max(axis=1).mean()), 4),
        log_loss=round(float(-np.log(np.maximum(true, 1e-12)).mean()), 4),
    )


def _top5(probability: Floats) -> NDArray[np.int64]:
    return np.argpartition(-probability, 5, axis=1)[:, :5]


def evaluate(model: NaiveBayes, test: Lists, rng: np.random.Generator) -> dict[str, Any]:
    """Fields of a SymptomTest: on complete lists (as rows, and each vector once) and on lists cut short to 1..5."""
    first_of_vector = np.unique(test.group, return_index=True)[1]
    once = test.where(first_of_vector)
    by_count = {}
    for count in CUT_COUNTS:
        cut = cut_short(test, count, rng)
        whole = test.where(test.count == count)
        by_count[str(count)] = ByCount(
            cut_short=figures(probabilities(model, cut), cut) if len(cut.disease) else None,
            complete=figures(probabilities(model, whole), whole) if len(whole.disease) else None,
        )
    return {
        "complete_lists": figures(probabilities(model, test), test),
        "distinct_vectors": figures(probabilities(model, once), once),
        "by_symptoms_given": by_count,
    }
