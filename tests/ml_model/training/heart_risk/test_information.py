"""What an answer is worth by what its inputs carry: the fast figures are the served ones, and hold what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ml_model.inference.bundle import Bundle
from ml_model.tabular.logistic_model import LogisticModel, model_from_json, sigmoid
from ml_model.tabular.risk_uncertainty import uncertainty
from ml_model.tasks.registry import RiskTask, load_task
from ml_model.training.heart_risk import information as risk_information
from ml_model.training.heart_risk.data import RiskTable

TASK = load_task("heart-risk")
assert isinstance(TASK, RiskTask)


@pytest.fixture(scope="module")
def model(heart_bundle: Bundle) -> LogisticModel:
    return model_from_json(heart_bundle.file("model.json").read_text(encoding="utf-8"))


def drawn(patients: int) -> RiskTable:
    """Patients with values anywhere in their ranges, a third of the optional ones missing."""
    rng = np.random.default_rng(3)
    columns = [
        rng.choice([c.value for c in f.categories], patients) if f.categories
        else rng.uniform(f.minimum or 0, f.maximum or 0, patients)
        for f in TASK.features
    ]  # fmt: skip
    values = np.stack(columns, axis=1).astype(float)
    values[:, 2:][rng.random((patients, 8)) < 0.3] = np.nan
    names = tuple(f.name for f in TASK.features)
    return RiskTable(names, values, rng.random(patients) < 0.5, np.full(patients, "a"))


def test_the_fast_figures_are_the_served_ones(model: LogisticModel) -> None:
    table = drawn(40)
    held = risk_information.HeldOut(model, np.arange(40), risk_information.design(model.columns, table))
    given = ("age", "sex", "chest_pain", "oldpeak", "cholesterol")
    found = risk_information.spread(model, risk_information.shown(held, given))
    for row in range(40):
        values = {
            n: None if math.isnan(v) or n not in given else float(v)
            for n, v in zip(table.features, table.values[row], strict=True)
        }
        assert sigmoid(found.served[row]) == pytest.approx(model.probability(values), abs=1e-12)
        unsure = uncertainty(model, values)
        assert sigmoid(found.logit[row] - found.half[row]) == pytest.approx(unsure.low, abs=1e-12)
        assert sigmoid(found.logit[row] + found.half[row]) == pytest.approx(unsure.high, abs=1e-12)
    rows = [{n: float(v) for n, v in zip(table.features, r, strict=True)} for r in table.values]
    expected = np.array([model.probability(row) for row in rows])
    assert risk_information.served([held], table) == pytest.approx(expected)


def test_every_combination_is_measured_once() -> None:
    found = list(risk_information.all_combinations(TASK))
    assert len(set(found)) == len(found) == 2**8
    assert found[0] == ("age", "sex")
    assert set(found[-1]) == {feature.name for feature in TASK.features}


def test_shipped_figures_argue_for_the_minimum_and_the_interval_holds(heart_bundle: Bundle) -> None:
    """From the minimum on, and only from there, a hospital never seen is told apart and low means low."""
    parts = heart_bundle.manifest.metrics.test.by_information
    assert sum(part.combinations for part in parts) == 2**8
    minimum, low = TASK.answer.minimum_information, TASK.bands[0].below
    assert minimum in {part.at_least for part in parts}
    for part in parts:
        enough = part.auc_site_left_out.low > 0.70 and part.low_with_outcome < low
        assert enough == (part.at_least >= minimum)
        assert part.covered_ten_fold >= 0.90
        assert part.covered_site_left_out >= 0.90
    widths = [part.interval_width for part in parts]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 1.5 * widths[-1]


def test_shipped_answers_are_calm_to_few_of_the_sick(heart_bundle: Bundle) -> None:
    calm = heart_bundle.manifest.metrics.test.calm
    assert calm["a_site_left_out_age_and_sex_only"].withheld == 1
    for name in ("seven_inputs", "all_inputs"):
        for way in ("ten_fold", "a_site_left_out"):
            figures = calm[f"{way}_{name}"]
            assert figures.withheld <= 0.10
            assert figures.with_outcome.low <= 0.03
