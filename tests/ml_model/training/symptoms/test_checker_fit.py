"""What is chosen on vignettes, and that no choice has seen the diagnoses that it is measured on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_knowledge import PLAIN, case, condition, made_knowledge, made_vocabulary

from ml_model.symptoms.checker import Decisions
from ml_model.symptoms.inference import Posterior, SymptomNetwork
from ml_model.symptoms.red_flags import RedFlagRule
from ml_model.symptoms.urgency import Urgencies
from ml_model.tasks.triage_scale import TriageLevel
from ml_model.training.symptoms import checker_decisions as decisions
from ml_model.training.symptoms import checker_fit as fit
from ml_model.training.symptoms.checker_fit import FOLDS, NOWHERE, Chosen, Scored, Told

VOCABULARY = made_vocabulary("fever", "rash", "cough")
CONDITIONS = [
    condition("flu", usual=("fever",), often=("cough",), incidence="very_common"),
    condition("measles", usual=("rash",), often=("fever",), incidence="rare", urgency="emergency"),
]
KNOWLEDGE = made_knowledge(VOCABULARY, CONDITIONS)
FLU, MEASLES = Told(case("fever", "cough"), (0,), 0), Told(case("fever", "rash"), (1,), 1)


def posterior(*shares: float) -> Posterior:
    return Posterior(np.array(shares), 1 - sum(shares), (), np.zeros((0, len(shares))))


def test_all_vignettes_of_a_diagnosis_are_in_one_fold() -> None:
    diagnoses = [f"d{n % 17}" for n in range(85)] + [f"D{n}" for n in range(17)]
    folds = fit.fold_of(diagnoses)
    by_name: dict[str, set[int]] = {}
    for name, fold in zip(diagnoses, folds, strict=True):
        by_name.setdefault(name.lower(), set()).add(fold)
    assert all(len(own) == 1 for own in by_name.values())
    assert set(folds) == set(range(FOLDS))
    assert folds == fit.fold_of(diagnoses) != fit.fold_of(diagnoses, seed=1)


@pytest.mark.parametrize(("truth", "place"), [((0,), 1), ((1,), 0), ((2,), 2), ((0, 2), 1), ((), NOWHERE)])
def test_the_place_is_that_of_the_first_right_condition(truth: tuple[int, ...], place: int) -> None:
    assert fit.place_of(posterior(0.3, 0.5, 0.1), truth) == place


def test_the_aim_is_right_conditions_early_and_probable() -> None:
    rows = np.array([True, True, False])
    scored = Scored(np.array([0, 4, 0]), np.array([0.5, 0.1, 1.0]))
    assert fit.objective(scored, rows) == pytest.approx((1 + 0.5) / 2 + 0.1 * np.log([0.5, 0.1]).mean())
    unknown = Scored(np.array([0, NOWHERE, 0]), np.array([0.5, 0.0, 1.0]))
    assert fit.objective(unknown, rows) == pytest.approx(0.5 + 0.1 * np.log(0.5)), "an unknown one is missed"


@pytest.fixture
def small_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "GRID", {"prior_power": (0.1, 1.0), "temperature": (1.0, 3.0)})


BAD_START = replace(PLAIN, prior_power=1.0, temperature=3.0)


@pytest.mark.usefixtures("small_grid")
def test_what_is_chosen_is_better_than_the_start() -> None:
    told = [replace(one, fold=fold) for fold in range(FOLDS) for one in (FLU, MEASLES)]
    chosen = fit.cross_validated(KNOWLEDGE, told, BAD_START, rounds=2)
    every = np.ones(len(told), bool)
    start = fit.score(SymptomNetwork(VOCABULARY, CONDITIONS, BAD_START), told)
    best = fit.score(SymptomNetwork(VOCABULARY, CONDITIONS, chosen.fit), told)
    assert fit.objective(best, every) > fit.objective(start, every)
    assert fit.objective(chosen.apart, every) > fit.objective(start, every)
    assert chosen.fit.prior_power == 0.1


@pytest.mark.usefixtures("small_grid")
def test_a_choice_has_not_seen_the_fold_that_it_is_measured_on() -> None:
    # Fold 0 says the contrary of all the others: of what they choose, nothing may follow it.
    same = [replace(FLU, fold=fold) for fold in range(1, FOLDS)] + [replace(MEASLES, fold=f) for f in range(1, FOLDS)]
    contrary = [Told(case("fever", "rash"), (0,), 0)] * 30
    found = [fit.cross_validated(KNOWLEDGE, [*same, *apart], BAD_START, 2) for apart in ([FLU, MEASLES], contrary)]
    assert found[0].without_fold[0] == found[1].without_fold[0]
    assert found[0].fit != found[1].fit
    network = SymptomNetwork(VOCABULARY, CONDITIONS, found[1].without_fold[0])
    expected = fit.score(network, contrary)
    assert found[1].apart.probability[-30:] == pytest.approx(expected.probability)


def made(needed: float, floor: int = 0, *masses: float) -> Any:
    return decisions._Case(floor, True, np.array(masses or (1.0, 0, 0, 0, 0)), needed, np.array([0.6, 0.3, 0.05]))


def test_what_a_set_must_hold_is_what_stands_before_the_right_condition() -> None:
    assert decisions._needed(posterior(0.4, 0.3, 0.1), (1,)) == pytest.approx(0.4 / 0.8)
    assert decisions._needed(posterior(0.4, 0.3, 0.1), (0,)) == 0
    assert decisions._needed(posterior(0.4, 0.3, 0.1), (2, 1)) == pytest.approx(0.5)
    assert decisions._needed(posterior(0.4, 0.3, 0.1), ()) > 1


def test_the_mass_of_a_set_is_conformal() -> None:
    cases = [made(n / 20) for n in range(19)]
    every = np.ones(19, bool)
    # ceil(20 x 0.9) = the 18th smallest of 0, 0.05, ... is 0.85.
    assert decisions._set_mass(cases, every) == pytest.approx(0.851)
    assert decisions._set_mass(cases, np.arange(19) < 9) == pytest.approx(0.401), "of the rows asked for alone"
    assert decisions._set_mass([made(2.0)] * 10, every[:10]) == 0.99
    assert [decisions._size(made(0), mass) for mass in (0.1, 0.63, 0.64, 0.99)] == [1, 1, 2, 3]


@pytest.mark.parametrize(
    ("sent", "label", "cost"),
    [
        ("emergency", "emergency", 0),
        ("urgent", "emergency", 0.5),
        ("soon", "emergency", 1 + 12),
        ("emergency", "routine", 1.5 + 4 + 1.5),
        ("urgent", "none", 1.5 + 1.5),
        ("soon", "routine", 0.5),
        ("none", "soon", 1.0),
    ],
)
def test_what_a_mistake_costs(sent: str, label: str, cost: float) -> None:
    order = decisions.LEVELS
    assert decisions._cost(order.index(sent), order.index(label)) == cost  # type: ignore[arg-type]


def test_a_level_is_that_of_the_flags_or_of_what_its_conditions_reach() -> None:
    limits = Urgencies(emergency=0.3, urgent=0.4, soon=0.5, routine=0.6)
    assert decisions._level(made(0, 0, 1, 0.9, 0.45, 0.4, 0.29), limits) == 3
    assert decisions._level(made(0, 4, 1, 0.9, 0.45, 0.4, 0.29), limits) == 4
    assert decisions._level(made(0, 0, 1, 0.1, 0.1, 0.1, 0.1), limits) == 0


def test_limits_are_those_that_cost_least_and_flags_count() -> None:
    told = [replace(one, fold=fold) for fold in range(FOLDS) for one in (FLU, MEASLES)]
    network = replace(PLAIN, prior_power=0.1)
    chosen = Chosen(network, Scored(np.zeros(len(told), np.int64), np.ones(len(told))), (network,) * FOLDS)
    labels: list[TriageLevel] = ["soon", "emergency"] * FOLDS
    decided = decisions.choose_decisions(KNOWLEDGE, told, chosen, labels)
    assert decided.levels == tuple(labels)
    assert isinstance(decided.decisions, Decisions)
    assert decided.covered.all()
    rule = RedFlagRule.model_validate({"id": "r", "level": "emergency", "any": ("cough",), "message": "m"})
    flagged = decisions.choose_decisions(made_knowledge(VOCABULARY, CONDITIONS, [rule]), told, chosen, labels)
    assert set(flagged.levels) == {"emergency"}
    coverage, size, abstained = decisions.set_figures(decided)
    assert (coverage.value, abstained.value) == (1, 0)
    assert 1 <= size <= 2
