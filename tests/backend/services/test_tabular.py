"""What is answered to risk factors: how sure, how soon, and that too little is no answer."""

from __future__ import annotations

from typing import Any

import pytest
from samples import HEART_VALUES

from backend.app import Application
from ml_model.tasks.registry import RiskTask, load_task
from ml_model.tasks.triage_scale import LEVELS

TASK = load_task("heart-risk")
assert isinstance(TASK, RiskTask)


def asked(app: Application, values: dict[str, float]) -> dict[str, Any]:
    reply = app.test_client().post("/predict-heart", json=values)
    assert reply.status_code == 200
    return dict(reply.get_json())


def test_the_interval_holds_the_probability_and_what_is_missing_is_weighed(live_app: Application) -> None:
    answer = asked(live_app, HEART_VALUES)
    prediction = answer["prediction"]
    assert prediction["interval"]["low"] < prediction["probability"] < prediction["interval"]["high"]
    assert (prediction["abstain"], prediction["abstain_reasons"]) == (False, [])
    assert 0.9 < answer["information"] < 1
    assert [m["name"] for m in answer["missing_factors"]][0] == "oldpeak"
    assert {m["name"] for m in answer["missing_factors"]} == set(answer["missing"])
    triage = answer["triage"]
    assert triage["level"] == max((r["level"] for r in triage["reasons"]), key=LEVELS.index)
    assert triage["text"] == getattr(TASK.answer.levels, triage["level"])
    assert {"code", "level", "text"} == set(triage["reasons"][0])


def test_words_follow_contributions(live_app: Application) -> None:
    factors = asked(live_app, {**HEART_VALUES, "blood_pressure": 180})["risk_factors"]
    pressure, pain = factors["blood_pressure"], factors["chest_pain"]
    assert pressure["contribution"] == pytest.approx(0, abs=0.005)
    assert (pressure["risk"], pressure["value_level"], pressure["note"]) == ("normal", "high", None)
    assert (pain["value"], pain["risk"], pain["value_level"]) == (3, "moderate", None)
    assert "no sign of disease" in pain["note"]


def test_too_little_is_no_answer_and_says_what_to_give(live_app: Application) -> None:
    answer = asked(live_app, {"age": 40, "sex": 0})
    prediction = answer["prediction"]
    assert (prediction["abstain"], prediction["risk_level"]) == (True, "Undetermined")
    assert prediction["condition"] == TASK.answer.withheld.condition
    assert "Give next: type of chest pain." in prediction["abstain_reasons"][0]
    assert (answer["triage"]["level"], answer["severity"]) == ("soon", "moderate")
    assert answer["triage"]["reasons"][0] == {
        "code": "withheld", "level": "soon", "text": prediction["abstain_reasons"][0],
    }  # fmt: skip
    calm = {text for band in TASK.bands[:2] for text in band.recommendations}
    assert not calm & set(answer["recommendations"])


def test_the_example_of_demo_mode_has_the_same_shape_and_no_weight(demo_app: Application) -> None:
    found = asked(demo_app, {"age": 70, "sex": 1, "blood_pressure": 180})
    assert found["demo_mode"] is True
    assert found["information"] is None
    interval = found["prediction"]["interval"]
    assert interval["low"] < found["prediction"]["probability"] < interval["high"]
    assert {factor["risk"] for factor in found["risk_factors"].values()} == {"normal"}
    assert found["risk_factors"]["blood_pressure"]["value_level"] == "high"
    assert found["triage"]["reasons"][0]["code"] == "named"
