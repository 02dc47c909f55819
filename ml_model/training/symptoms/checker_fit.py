"""Chooses what the symptom checker's network leaves open, on vignettes, cross-validated by diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml_model.symptoms.inference import CaseFindings, Fit, Posterior, SymptomNetwork
from ml_model.symptoms.knowledge import SymptomKnowledge

FOLDS = 5
NOWHERE = 9999  # the place of a condition that is not known
GRID: dict[str, tuple[float, ...]] = {
    "prior_power": (0.2, 0.35, 0.5, 0.7),
    "unmentioned": (0.05, 0.15, 0.3, 0.5),
    "quality_share": (0.1, 0.3, 0.6),
    "temperature": (1.0, 1.4, 1.8, 2.4),
    "leak": (0.001, 0.003, 0.006, 0.012),
    "leak_share": (0.2, 0.4, 0.7, 1.0),
    "course": (0.2, 0.5, 0.9),
    "inherited": (0.3, 0.6, 0.9),
    "absent": (0.3, 0.6, 0.9),
    "quality": (0.4, 0.7, 1.0),
    "misread": (0.02, 0.05, 0.1, 0.2),
}


@dataclass(frozen=True)
class Told:
    """One vignette as it was understood. truth: rows of the conditions that are right; empty where none is known."""

    case: CaseFindings
    truth: tuple[int, ...]
    fold: int


@dataclass(frozen=True)
class Scored:
    """(vignettes,) place of the first right condition, from 0, and the probability of all right ones together."""

    place: NDArray[np.int64]
    probability: NDArray[np.float64]


def fold_of(diagnoses: Sequence[str], seed: int = 0) -> list[int]:
    """A fold for each vignette; all of one diagnosis are in the same."""
    names = sorted({d.lower() for d in diagnoses})
    order = np.random.default_rng(seed).permutation(len(names))
    where = {names[int(n)]: at % FOLDS for at, n in enumerate(order)}
    return [where[d.lower()] for d in diagnoses]


def score(network: SymptomNetwork, told: Sequence[Told]) -> Scored:
    """Where the right condition comes."""
    places, probabilities = [], []
    for one in told:
        posterior = network.posterior(one.case)
        places.append(place_of(posterior, one.truth))
        probabilities.append(float(posterior.probabilities[list(one.truth)].sum()) if one.truth else 0.0)
    return Scored(np.array(places), np.array(probabilities))


def place_of(posterior: Posterior, truth: Sequence[int]) -> int:
    """Of the first right condition, from 0; a large number where none is right."""
    if not truth:
        return NOWHERE
    best = posterior.probabilities[list(truth)].max()
    return int((posterior.probabilities > best).sum())


def objective(scored: Scored, rows: NDArray[np.bool_]) -> float:
    """To be large: right conditions early, with a probability that is not too small."""
    place, p = scored.place[rows], scored.probability[rows]
    known = place < NOWHERE
    found = 0.5 * (place == 0) + 0.5 * (place < 5)
    return float(found.mean() + 0.1 * np.log(np.maximum(p[known], 1e-4)).mean())


@dataclass(frozen=True)
class Chosen:
    """fit: chosen on all vignettes. apart: where conditions come by the fits of `without_fold`, each chosen without the
    vignettes that it is asked for."""

    fit: Fit
    apart: Scored
    without_fold: tuple[Fit, ...]


def cross_validated(knowledge: SymptomKnowledge, told: Sequence[Told], start: Fit, rounds: int) -> Chosen:
    """Climbs from `start`, one number of the grid at a time, `rounds` times at most."""
    known: dict[Fit, Scored] = {}

    def scored(fit: Fit) -> Scored:
        if fit not in known:
            known[fit] = score(SymptomNetwork(knowledge.vocabulary, knowledge.conditions, fit), told)
        return known[fit]

    folds = np.array([one.fold for one in told])

    def climb(rows: NDArray[np.bool_]) -> Fit:
        best = start
        for _ in range(rounds):
            before = best
            for name, values in GRID.items():
                best = max(
                    [best, *(replace(best, **{name: v}) for v in values)], key=lambda f: objective(scored(f), rows)
                )
            if best == before:
                break
        return best

    without = tuple(climb(folds != fold) for fold in range(FOLDS))
    place, probability = np.zeros(len(told), np.int64), np.zeros(len(told))
    for fold, fit in enumerate(without):
        apart = folds == fold
        place[apart], probability[apart] = scored(fit).place[apart], scored(fit).probability[apart]
    return Chosen(climb(np.ones(len(told), bool)), Scored(place, probability), without)
