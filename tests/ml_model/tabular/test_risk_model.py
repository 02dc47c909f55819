"""Heart risk: the additive model, its inputs, and the shipped bundle."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import HEART_PERSON as PERSON

from ml_model.errors import BundleInvalid, OutOfRange
from ml_model.inference.bundle import Bundle, load_bundle
from ml_model.tabular.logistic_model import Column, LogisticModel, complete, model_from_json, model_to_json
from ml_model.tabular.risk_model import HeartRiskModel
from ml_model.tasks.registry import RiskTask, load_task
from ml_model.training.evaluation.intervals import evidence_level

TASK = load_task("heart-risk")
assert isinstance(TASK, RiskTask)


@pytest.fixture(scope="module")
def model(heart_bundle: Bundle) -> HeartRiskModel:
    return HeartRiskModel.load(heart_bundle, TASK)


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_contributions_sum_to_the_logit(model: HeartRiskModel) -> None:
    result = model.assess(PERSON)
    assert result.missing == ()
    assert result.imputed_log_odds == 0
    total = result.baseline_log_odds + sum(f.contribution for f in result.factors)
    assert total == pytest.approx(logit(result.probability), abs=1e-9)
    assert [f.name for f in result.factors] == [f.name for f in TASK.features]
    pressure = result.factors[2]
    assert (pressure.value, pressure.unit, pressure.risk, pressure.value_level) == (140, "mmHg", "normal", "high")


@given(st.sets(st.sampled_from([f.name for f in TASK.features if not f.required])))
@settings(max_examples=40, deadline=None)
def test_sum_holds_whatever_is_missing(model: HeartRiskModel, hidden: set[str]) -> None:
    result = model.assess({k: None if k in hidden else v for k, v in PERSON.items()})
    assert set(result.missing) == hidden
    assert {f.name for f in result.factors} == set(PERSON) - hidden
    total = result.baseline_log_odds + sum(f.contribution for f in result.factors) + result.imputed_log_odds
    assert total == pytest.approx(logit(result.probability), abs=1e-9)


def test_conditional_mean_and_its_spread() -> None:
    covariance = np.array([[1.0, 0.6], [0.6, 2.0]])
    row, variance = complete(np.array([2.0, np.nan]), np.array([1.0, 5.0]), covariance, np.array([0.0, 3.0]))
    assert row == pytest.approx([2.0, 5.6])
    assert variance == pytest.approx(9 * (2 - 0.36))
    row, variance = complete(np.full(2, np.nan), np.array([1.0, 5.0]), covariance, np.array([0.0, 3.0]))
    assert row == pytest.approx([1.0, 5.0])
    assert variance == pytest.approx(18)


def test_missing_values_make_the_estimate_less_extreme() -> None:
    column = Column("age", low=0, high=100, centre=50, scale=10)
    second = Column("oldpeak", low=-3, high=10, centre=0, scale=1)
    plain = LogisticModel((column, second), 0.0, np.array([1.0, 1.0]), np.zeros(2), np.eye(2), np.zeros((3, 3)))
    certain = plain.probability({"age": 70, "oldpeak": 0})
    unsure = plain.probability({"age": 70, "oldpeak": None})
    assert logit(certain) == pytest.approx(2)
    assert logit(unsure) == pytest.approx(2 / math.sqrt(1 + math.pi / 8))


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        ("age", 40, 70), ("sex", 0, 1), ("cholesterol", 180, 300), ("exercise_angina", 0, 1), ("oldpeak", 0, 3),
        ("fasting_blood_sugar", 0, 1), ("chest_pain", 1, 3),
    ],
)  # fmt: skip
def test_risk_rises_with_what_raises_it(model: HeartRiskModel, field: str, low: float, high: float) -> None:
    assert model.assess({**PERSON, field: high}).probability > model.assess({**PERSON, field: low}).probability + 0.01


def test_risk_falls_with_a_higher_heart_rate_and_never_with_pressure(model: HeartRiskModel) -> None:
    rates = [model.assess({**PERSON, "max_heart_rate": v}).probability for v in (90, 120, 150, 180)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] - rates[-1] > 0.03
    pressures = [model.assess({**PERSON, "blood_pressure": v}).probability for v in (100, 130, 160, 190)]
    assert pressures == sorted(pressures)


def test_age_beyond_the_data_is_held_at_its_edge(model: HeartRiskModel) -> None:
    assert model.assess({**PERSON, "age": 110}).probability == model.assess({**PERSON, "age": 77}).probability
    assert model.assess({**PERSON, "age": 60}).probability < model.assess({**PERSON, "age": 77}).probability


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"age": 400}, "age: received 400 years, allowed is 18 to 110 years"),
        ({"blood_pressure": 0}, "blood_pressure: received 0 mmHg, allowed is 60 to 260 mmHg"),
        ({"chest_pain": 4}, r"chest_pain: received 4, allowed are 0 \(typical angina\)"),
        ({"sex": 0.5}, "sex: received 0.5"),
        ({"cholesterol": math.nan}, "cholesterol: received nan"),
        ({"max_heart_rate": math.inf}, "max_heart_rate: received inf"),
        ({"age": None}, "age: required"),
        ({"sex": None}, "sex: required"),
        ({"weight": 80}, "weight: unknown field"),
    ],
)
def test_values_out_of_range_are_refused(model: HeartRiskModel, change: dict[str, float | None], message: str) -> None:
    with pytest.raises(OutOfRange, match=message):
        model.assess({**PERSON, **change})


@given(st.dictionaries(st.sampled_from([f.name for f in TASK.features]), st.none() | st.floats(), max_size=10))
@settings(max_examples=80, deadline=None)
def test_any_numbers_are_assessed_or_refused(model: HeartRiskModel, values: dict[str, float | None]) -> None:
    try:
        result = model.assess({**PERSON, **values})
    except OutOfRange:
        return
    assert 0 < result.probability < 1


def test_level_follows_the_probability(model: HeartRiskModel) -> None:
    young = {"age": 32, "sex": 0, "chest_pain": 1, "max_heart_rate": 185, "exercise_angina": 0, "oldpeak": 0}
    low, high = model.assess(young), model.assess({**PERSON, "oldpeak": 3, "age": 70})
    assert low.probability < 0.15
    assert (low.risk_level, low.triage.severity) == ("Low", "low")
    assert high.probability > 0.8
    assert (high.risk_level, high.triage.severity) == ("High", "critical")
    assert low.recommendations == TASK.bands[0].recommendations
    assert low.missing == ("blood_pressure", "cholesterol", "fasting_blood_sugar", "resting_ecg")


@pytest.mark.parametrize(
    ("name", "value", "level"),
    [
        ("blood_pressure", 120, "normal"), ("blood_pressure", 130, "moderate"), ("blood_pressure", 140, "high"),
        ("max_heart_rate", 160, "normal"), ("max_heart_rate", 140, "moderate"), ("max_heart_rate", 119, "high"),
        ("exercise_angina", 1, None), ("sex", 0, None),
    ],
)  # fmt: skip
def test_values_are_sorted_into_their_own_range(name: str, value: float, level: str | None) -> None:
    feature = next(f for f in TASK.features if f.name == name)
    assert feature.value_level(value) == level


def test_model_survives_its_file_and_a_wrong_one_is_refused(model: HeartRiskModel) -> None:
    text = model_to_json(model._model)
    assert model_from_json(text).probability(PERSON) == model._model.probability(PERSON)
    broken = json.loads(text)
    broken["coefficients"].pop()
    with pytest.raises(BundleInvalid, match="do not fit"):
        model_from_json(json.dumps(broken))
    with pytest.raises(BundleInvalid, match="model.json"):
        model_from_json("{}")


def test_bundle_of_other_inputs_does_not_load(heart_bundle: Bundle) -> None:
    content = TASK.model_dump(mode="json")
    content["features"][0], content["features"][1] = content["features"][1], content["features"][0]
    reordered = RiskTask.model_validate(content)
    with pytest.raises(BundleInvalid, match="train it again"):
        load_bundle(heart_bundle.path, task="heart-risk", contract_sha256=reordered.contract_sha256)
    content["bands"][0]["condition"] = "Other words"
    assert RiskTask.model_validate(content).contract_sha256 == reordered.contract_sha256


def test_shipped_figures_meet_the_bars(heart_bundle: Bundle) -> None:
    test = heart_bundle.manifest.metrics.test
    assert test.ten_fold["seven_inputs"].auc.value >= 0.86
    # In 15 bins of equal mass; answers of 780 patients that hold exactly as often as they claim read .024 to .054.
    assert test.ten_fold["seven_inputs"].ece <= 0.055
    assert set(test.leave_one_site_out["seven_inputs"].by_site) == {"cleveland", "hungarian", "switzerland", "va"}
    pooled = test.leave_one_site_out["seven_inputs"].pooled.auc
    assert pooled.value > test.compared["gradient_boosting_leave_one_site_out"].pooled.auc.value
    assert heart_bundle.manifest.evidence == evidence_level(pooled.low)


def test_serving_imports_no_training_library() -> None:
    code = (
        "import sys; from ml_model.tabular.risk_model import HeartRiskModel;"
        "from ml_model.inference.bundle import load_bundle, MODELS_DIR; from ml_model.tasks.registry import load_task;"
        "t = load_task('heart-risk');"
        "b = load_bundle(MODELS_DIR / t.id, task=t.id, contract_sha256=t.contract_sha256); HeartRiskModel.load(b, t);"
        "sys.exit(' '.join({'sklearn', 'scipy', 'pandas', 'tensorflow', 'ml_model.training'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, "")
