"""The interval of a risk and what missing inputs weigh: by hand, as properties, and on the shipped model."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import HEART_PERSON as PERSON

from ml_model.inference.bundle import Bundle
from ml_model.tabular.logistic_model import Column, LogisticModel, complete, model_from_json
from ml_model.tabular.risk_uncertainty import (
    Z_90,
    information,
    inputs_to_reach,
    logit_variance,
    remaining_variance,
    uncertainty,
)
from ml_model.tasks.registry import RiskTask, load_task

TASK = load_task("heart-risk")
assert isinstance(TASK, RiskTask)
OPTIONAL = tuple(f.name for f in TASK.features if not f.required)
HIDDEN = st.sets(st.sampled_from(OPTIONAL))
PEOPLE = st.fixed_dictionaries(
    {
        f.name: st.sampled_from([c.value for c in f.categories])
        if f.categories
        else st.floats(f.minimum or 0, f.maximum or 0)
        for f in TASK.features
    }
)


@pytest.fixture(scope="module")
def model(heart_bundle: Bundle) -> LogisticModel:
    return model_from_json(heart_bundle.file("model.json").read_text(encoding="utf-8"))


def without(person: dict[str, float], hidden: set[str]) -> dict[str, float | None]:
    return {name: None if name in hidden else value for name, value in person.items()}


def simple(weights_known: bool = True) -> LogisticModel:
    """Two correlated columns of weight 1 and 2; x1 is told in part by x0."""
    columns = (Column("age", low=-9, high=9), Column("oldpeak", low=-9, high=9))
    spread = np.zeros((3, 3)) if weights_known else np.diag([0.1, 0.2, 0.3])
    return LogisticModel(columns, 0.5, np.array([1.0, 2.0]), np.zeros(2), np.array([[1.0, 0.5], [0.5, 1.0]]), spread)


def test_interval_of_one_missing_column_is_that_counted_by_hand() -> None:
    found = uncertainty(simple(), {"age": 2.0, "oldpeak": None})
    logit, half = 0.5 + 2 + 2 * 1.0, Z_90 * math.sqrt(4 * 0.75)  # E[x1 | x0 = 2] = 1, with variance 1 - .5^2
    assert found.low == pytest.approx(1 / (1 + math.exp(-(logit - half))))
    assert found.high == pytest.approx(1 / (1 + math.exp(-(logit + half))))
    whole = 1 + 4 + 2 * 0.5 * 2
    assert found.information == pytest.approx(1 - 3 / whole)
    assert [m.name for m in found.missing] == ["oldpeak"]
    assert found.missing[0].information == pytest.approx(3 / whole)
    assert (found.missing[0].low, found.missing[0].high) == pytest.approx((found.low, found.high))


def test_unsure_weights_widen_the_interval_of_a_whole_row_and_count_for_missing_columns() -> None:
    row = {"age": 1.0, "oldpeak": -2.0}
    found = uncertainty(simple(), row)
    assert (found.low, found.high) == pytest.approx((simple().probability(row),) * 2, abs=1e-12)
    known = np.zeros(2, bool)
    assert logit_variance(simple(weights_known=False), np.array([1.0, -2.0]), known) == pytest.approx(0.1 + 0.2 + 1.2)
    missing = np.array([False, True])
    assert logit_variance(simple(weights_known=False), np.array([1.0, 0.5]), missing) == pytest.approx(
        3 + 0.1 + 0.2 + 0.3 * 0.25 + 0.3 * 0.75
    )


@given(PEOPLE, HIDDEN)
@settings(max_examples=60, deadline=None)
def test_the_interval_holds_the_probability_and_so_does_each_missing_input(
    model: LogisticModel, person: dict[str, float], hidden: set[str]
) -> None:
    values = without(person, hidden)
    found, probability = uncertainty(model, values), model.probability(values)
    assert 0 <= found.low <= probability <= found.high <= 1
    assert found.high > found.low
    assert {m.name for m in found.missing} == hidden
    for missing in found.missing:
        assert missing.low - 1e-9 <= probability <= missing.high + 1e-9
    weighed = [m.information for m in found.missing]
    assert weighed == sorted(weighed, reverse=True)


@given(HIDDEN, st.sampled_from(OPTIONAL))
@settings(max_examples=60, deadline=None)
def test_an_input_taken_away_never_lowers_the_remaining_variance(
    model: LogisticModel, hidden: set[str], other: str
) -> None:
    given_names = set(PERSON) - hidden
    more, fewer = remaining_variance(model, given_names), remaining_variance(model, given_names - {other})
    assert fewer >= more - 1e-12
    assert information(model, given_names - {other}) <= information(model, given_names) + 1e-12


def test_on_average_over_patients_every_input_taken_away_widens(model: LogisticModel) -> None:
    """Patients of the model's own Gaussian; of a single one the weights' part can shrink with an extreme value."""
    rows = np.random.default_rng(0).multivariate_normal(model.mean, model.covariance, 400)
    features = [column.feature for column in model.columns]

    def mean_variance(hidden: set[str]) -> float:
        missing = np.array([name in hidden for name in features])
        hidden_rows = np.where(missing, np.nan, rows)
        completed = [complete_row(model, row) for row in hidden_rows]
        return float(np.mean([logit_variance(model, row, missing) for row in completed]))

    hidden: set[str] = set()
    widths = [mean_variance(hidden)]
    for name in reversed(OPTIONAL):
        hidden = hidden | {name}
        widths.append(mean_variance(hidden))
    # 400 patients tell the mean of the weights' part to about .01.
    assert all(after > before - 0.02 for before, after in zip(widths, widths[1:], strict=False))
    assert widths[-1] > 3 * widths[0]


def complete_row(model: LogisticModel, row: np.ndarray) -> np.ndarray:
    return complete(row, model.mean, model.covariance, model.coefficients)[0]


def test_everything_carries_all_and_nothing_carries_none(model: LogisticModel) -> None:
    assert information(model, PERSON) == 1
    assert information(model, ()) == 0
    assert 0.3 < information(model, ("age", "sex")) < 0.5
    assert information(model, ("age", "sex", "chest_pain")) > information(model, ("age", "sex", "cholesterol")) + 0.2


def test_what_to_give_next_is_the_fewest_and_the_most_telling(model: LogisticModel) -> None:
    asked = inputs_to_reach(model, ("age", "sex"), OPTIONAL, 0.5)
    assert asked == ["chest_pain"]
    further = inputs_to_reach(model, ("age", "sex"), OPTIONAL, 0.9)
    assert further[0] == "chest_pain"
    assert information(model, ("age", "sex", *further)) >= 0.9 > information(model, ("age", "sex", *further[:-1]))
    assert inputs_to_reach(model, PERSON, (), 0.9) == []


def test_hospitals_that_differ_are_part_of_the_interval(model: LogisticModel) -> None:
    """Without them it is far too narrow at a hospital that training never saw."""
    served = uncertainty(model, PERSON)
    assert served.high - served.low > 0.1
    sure = replace(model, weight_covariance=np.zeros_like(model.weight_covariance))
    assert uncertainty(sure, PERSON).high == pytest.approx(model.probability(PERSON), abs=1e-12)
