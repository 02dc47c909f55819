"""Chooses on vignettes what the checker decides by: the mass of a prediction set, and how probable grave conditions
must be for a case to be seen sooner. Each is chosen without the fold that it is measured on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ml_model.inference.interval import Interval
from ml_model.symptoms.checker import Decisions, abstain_reasons
from ml_model.symptoms.inference import Posterior, SymptomNetwork
from ml_model.symptoms.knowledge import SymptomKnowledge
from ml_model.symptoms.red_flags import red_flags
from ml_model.symptoms.urgency import SOUNDS_GRAVE, ConditionLevels, Urgencies, level_masses, of_the_named
from ml_model.tasks.triage_scale import LEVELS, TriageLevel
from ml_model.training.evaluation.intervals import proportion
from ml_model.training.symptoms.checker_fit import FOLDS, Chosen, Told

COVERAGE = 0.9
MASSES = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
ABSTAIN_BELOW = 0.12
# What a mistake costs: an emergency that is not seen today, a harmless case that is sent in, any other step.
MISSED, SENT_IN, SENT_TODAY, STEP = 12.0, 4.0, 1.5, 0.5


@dataclass(frozen=True)
class Decided:
    """levels: how soon each vignette is sent to be seen. covered, sizes, abstained: of prediction sets. All of them by
    what was chosen without the vignette's fold."""

    decisions: Decisions
    levels: tuple[TriageLevel, ...]
    covered: NDArray[np.bool_]
    sizes: NDArray[np.int64]
    abstained: NDArray[np.bool_]


@dataclass(frozen=True)
class _Case:
    """floor: the gravest level of its red flags and of the condition that is named. named: whether one is. masses:
    (levels,) probability of that level or a graver one. needed: the mass at which its set holds the right condition;
    above 1 where none does."""

    floor: int
    named: bool
    masses: NDArray[np.float64]
    needed: float
    ranked: NDArray[np.float64]


def choose_decisions(
    knowledge: SymptomKnowledge, told: Sequence[Told], chosen: Chosen, labels: Sequence[TriageLevel]
) -> Decided:
    """labels: how soon each should be seen."""
    by_fold = [SymptomNetwork(knowledge.vocabulary, knowledge.conditions, fit) for fit in chosen.without_fold]
    levels = ConditionLevels(knowledge.conditions)
    cases = [_case(by_fold[one.fold], knowledge, levels, one) for one in told]
    truth, folds = np.array([LEVELS.index(level) for level in labels]), np.array([one.fold for one in told])
    limits = [_urgencies(cases, truth, folds != fold) for fold in range(FOLDS)]
    masses = [_set_mass(cases, folds != fold) for fold in range(FOLDS)]
    everything = np.ones(len(cases), bool)
    sizes = np.array([_size(case, masses[fold]) for case, fold in zip(cases, folds, strict=True)])
    return Decided(
        Decisions(_set_mass(cases, everything), ABSTAIN_BELOW, _urgencies(cases, truth, everything)),
        tuple(LEVELS[_level(case, limits[fold])] for case, fold in zip(cases, folds, strict=True)),
        np.array([case.needed <= masses[fold] for case, fold in zip(cases, folds, strict=True)]),
        sizes,
        np.array([not case.named for case in cases]),
    )


def set_figures(decided: Decided) -> tuple[Interval, float, Interval]:
    """Coverage of the prediction sets, their mean size, and how often nothing is named."""
    rows = np.arange(len(decided.covered))
    return proportion(decided.covered, rows), float(decided.sizes.mean()), proportion(decided.abstained, rows)


def _case(network: SymptomNetwork, knowledge: SymptomKnowledge, levels_of: ConditionLevels, one: Told) -> _Case:
    posterior, vocabulary = network.posterior(one.case), knowledge.vocabulary
    probabilities, levels = posterior.probabilities, levels_of(vocabulary.with_implied(one.case.present))
    abstains = abstain_reasons(posterior, ABSTAIN_BELOW, 0)
    flags = red_flags(knowledge.red_flags, one.case, vocabulary)
    named = of_the_named(knowledge.conditions, probabilities, levels, abstains)
    return _Case(
        max(
            map(LEVELS.index, [named.level, *(flag.level for flag in flags), *([SOUNDS_GRAVE] * one.case.sounds_grave)])
        ),
        not abstains,
        level_masses(probabilities, levels),
        _needed(posterior, one.truth),
        np.sort(probabilities)[::-1],
    )


def _needed(posterior: Posterior, truth: Sequence[int]) -> float:
    """Share of the conditions' mass that a set must hold to hold a right one."""
    if not truth:
        return 2.0
    best = posterior.probabilities[list(truth)].max()
    return float(posterior.probabilities[posterior.probabilities > best].sum() / (1 - posterior.something_else))


def _set_mass(cases: Sequence[_Case], rows: NDArray[np.bool_]) -> float:
    """So that sets hold the right condition in COVERAGE of cases, conformally; 0.99 where that is out of reach."""
    needed = np.sort([case.needed for case, own in zip(cases, rows, strict=True) if own])
    at = int(np.ceil((len(needed) + 1) * COVERAGE)) - 1
    return round(min(0.99, float(needed[min(at, len(needed) - 1)]) + 1e-3), 4)


def _size(case: _Case, mass: float) -> int:
    return int((np.cumsum(case.ranked) < mass * case.ranked.sum()).sum()) + 1


def _urgencies(cases: Sequence[_Case], truth: NDArray[np.int64], rows: NDArray[np.bool_]) -> Urgencies:
    own = [(case, int(t)) for case, t, there in zip(cases, truth, rows, strict=True) if there]

    def cost(limits: Urgencies) -> float:
        return sum(_cost(_level(case, limits), label) for case, label in own)

    return min(_grid(), key=cost)


def _grid() -> Iterator[Urgencies]:
    for emergency, urgent in product(MASSES, MASSES):
        for soon, routine in product((0.3, 0.5, 0.7), (0.3, 0.5, 0.7)):
            yield Urgencies(emergency, urgent, soon, routine)


def _cost(sent: int, label: int) -> float:
    emergency, urgent, routine = (LEVELS.index(level) for level in ("emergency", "urgent", "routine"))
    cost = STEP * abs(sent - label)
    if label == emergency and sent < urgent:
        cost += MISSED
    if label <= routine and sent == emergency:
        cost += SENT_IN
    if label <= routine and sent >= urgent:
        cost += SENT_TODAY
    return cost


def _level(case: _Case, limits: Urgencies) -> int:
    wanted = asdict(limits)
    reached = [n for n, level in enumerate(LEVELS) if level == "none" or case.masses[n] >= wanted[level]]
    return max(case.floor, *reached)
