"""How soon a risk must be acted on, what withholds an answer, and the words for its factors."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import HEART_PERSON as PERSON

from ml_model.inference.bundle import Bundle
from ml_model.tabular.risk_model import HeartRiskModel, RiskAssessment, factors_of
from ml_model.tabular.risk_triage import band_of, percent, recommendations, risk_triage
from ml_model.tabular.risk_uncertainty import Uncertainty
from ml_model.tasks.registry import RiskTask, load_task
from ml_model.tasks.triage_scale import LEVELS, SEVERITIES, level_of, severity_of

TASK = load_task("heart-risk")
assert isinstance(TASK, RiskTask)
OPTIONAL = tuple(f.name for f in TASK.features if not f.required)
PEOPLE = st.fixed_dictionaries(
    {f.name: st.sampled_from([c.value for c in f.categories]) if f.categories else
     st.floats(f.minimum or 0, f.maximum or 0) for f in TASK.features}
)  # fmt: skip
CALM = {"age": 32.0, "sex": 0.0, "chest_pain": 1.0, "max_heart_rate": 185.0, "exercise_angina": 0.0, "oldpeak": 0.0}


@pytest.fixture(scope="module")
def model(heart_bundle: Bundle) -> HeartRiskModel:
    return HeartRiskModel.load(heart_bundle, TASK)


def test_severity_is_the_word_for_the_level() -> None:
    pairs = dict(zip(LEVELS, SEVERITIES, strict=True))
    assert pairs == {"none": "healthy", "routine": "low", "soon": "moderate", "urgent": "high", "emergency": "critical"}
    assert [level_of(severity_of(level)) for level in LEVELS] == list(LEVELS)


@given(PEOPLE, st.sets(st.sampled_from(OPTIONAL)))
@settings(max_examples=100, deadline=None)
def test_no_answer_is_calmer_than_its_own_evidence(
    model: HeartRiskModel, person: dict[str, float], hidden: set[str]
) -> None:
    found = model.assess({name: None if name in hidden else value for name, value in person.items()})
    level = LEVELS.index(found.triage.level)
    assert level == max(LEVELS.index(reason.level) for reason in found.triage.reasons)
    assert found.triage.severity == SEVERITIES[level]
    assert found.triage.text == getattr(TASK.answer.levels, found.triage.level)
    band, reached = (band_of(TASK, p) for p in (found.probability, found.uncertainty.high))
    least = SEVERITIES.index(band.severity), min(SEVERITIES.index(reached.severity), LEVELS.index("soon"))
    withheld = found.uncertainty.information < TASK.answer.minimum_information
    assert (found.withheld is not None) == withheld
    if withheld:
        assert level >= LEVELS.index("soon")
        assert (found.risk_level, found.condition) == ("Undetermined", TASK.answer.withheld.condition)
        assert found.triage.reasons[0].code == "withheld"
        assert not {"named", "in_question"} & {reason.code for reason in found.triage.reasons}
    else:
        assert level >= max(least)
        assert (found.risk_level, found.condition) == (band.risk_level, band.condition)
    if person["chest_pain"] == 0 and "chest_pain" not in hidden:
        assert level >= LEVELS.index("soon")
    check_words(found)


def check_words(found: RiskAssessment) -> None:
    """The word of each factor follows its contribution; no word is high for what adds nothing or lowers."""
    words = TASK.answer.factor_words
    for factor in found.factors:
        if factor.risk == "high":
            assert factor.contribution >= words.high_from
            assert (factor.name, factor.value) != ("chest_pain", 3)
        if factor.contribution < words.moderate_from:
            assert factor.risk == "normal"
        elif (factor.name, factor.value) != ("chest_pain", 3):
            assert factor.risk != "normal"


def test_age_and_sex_alone_are_no_answer_and_say_what_to_give(model: HeartRiskModel) -> None:
    found = model.assess({"age": 30, "sex": 0})
    assert found.probability < 0.35  # it would have been a calm band
    assert found.withheld == found.triage.reasons[0].text
    assert found.withheld == (
        "What was given carries 38 % of what all the measurements would tell; an estimate needs 50 %. "
        "Give next: type of chest pain."
    )
    assert (found.triage.level, found.triage.severity) == ("soon", "moderate")
    assert found.recommendations == TASK.answer.withheld.recommendations
    assert found.uncertainty.missing[0].name == "chest_pain"


def test_blood_tests_and_a_resting_trace_do_not_make_an_answer_but_one_complaint_does(model: HeartRiskModel) -> None:
    few = {"age": 50, "sex": 1, "blood_pressure": 120, "cholesterol": 180, "fasting_blood_sugar": 0, "resting_ecg": 0}
    assert model.assess(few).withheld is not None
    for name, value in (("chest_pain", 1), ("exercise_angina", 0), ("oldpeak", 0), ("max_heart_rate", 170)):
        assert model.assess({"age": 50, "sex": 1, name: value}).withheld is None


def test_a_calm_answer_stays_calm_and_an_interval_that_reaches_further_does_not(model: HeartRiskModel) -> None:
    calm = model.assess(CALM)
    assert (calm.risk_level, calm.triage.level, calm.triage.severity) == ("Low", "routine", "low")
    assert [r.code for r in calm.triage.reasons] == ["named"]
    assert calm.recommendations == TASK.bands[0].recommendations
    older = model.assess({**CALM, "age": 60.0, "sex": 1.0, "max_heart_rate": 140.0})
    assert older.probability < 0.35 < older.uncertainty.high
    assert (older.triage.level, older.triage.reasons[0].code) == ("soon", "in_question")
    assert older.recommendations == TASK.bands[2].recommendations
    assert percent(older.uncertainty.high) in older.triage.reasons[0].text


def test_typical_angina_counts_by_itself_and_its_absence_does_not(model: HeartRiskModel) -> None:
    pain = model.assess({**CALM, "chest_pain": 0.0})
    assert (pain.triage.level, pain.triage.reasons[0].code) == ("soon", "by_itself")
    assert pain.triage.reasons[0].text.startswith("Typical angina needs medical assessment")
    factor = next(f for f in pain.factors if f.name == "chest_pain")
    assert (factor.risk, factor.note) == ("normal", pain.triage.reasons[0].text)
    none = next(f for f in model.assess({**CALM, "chest_pain": 3.0}).factors if f.name == "chest_pain")
    assert none.contribution > TASK.answer.factor_words.high_from
    assert none.risk == "moderate"
    assert none.note is not None
    assert none.note.startswith("Having no chest pain is in itself no sign of disease.")


def test_what_is_certain_though_the_answer_is_withheld_is_said() -> None:
    sure = Uncertainty(low=0.85, high=0.99, information=0.2, missing=())
    found = risk_triage(TASK, 0.95, sure, {}, "too little", "limited")
    assert [(r.code, r.level) for r in found.reasons] == [("withheld", "soon"), ("at_least", "emergency")]
    assert "at least 85 %" in found.reasons[1].text
    assert recommendations(TASK, found, withheld=True) == (
        TASK.answer.withheld.recommendations[0], *TASK.bands[-1].recommendations,
    )  # fmt: skip


def test_a_model_that_was_not_shown_to_be_of_use_is_never_calm() -> None:
    sure = Uncertainty(low=0.01, high=0.05, information=1.0, missing=())
    assert risk_triage(TASK, 0.02, sure, {}, None, "limited").level == "routine"
    found = risk_triage(TASK, 0.02, sure, {}, None, "insufficient")
    assert (found.level, found.reasons[0].code) == ("soon", "insufficient_evidence")


@pytest.mark.parametrize(
    ("contribution", "word"),
    [(-2.0, "normal"), (0.0, "normal"), (0.19, "normal"), (0.2, "moderate"), (0.49, "moderate"), (0.5, "high")],
)
def test_the_word_follows_the_contribution(contribution: float, word: str) -> None:
    added = {feature.name: 0.0 for feature in TASK.features} | {"blood_pressure": contribution}
    pressure = factors_of(TASK, PERSON, added)[2]
    assert (pressure.name, pressure.risk, pressure.value_level) == ("blood_pressure", word, "high")


def test_percent_never_says_certain() -> None:
    assert [percent(p) for p in (0.0, 0.004, 0.126, 0.9999)] == ["1 %", "1 %", "13 %", "99 %"]
