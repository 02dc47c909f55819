"""Bundles of risk factors: each with what it adds, and the risk in per cent, or why there is none."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from clients.fhir import noted, observed, read
from samples import HEART_VALUES

from backend.app import Application
from ml_model.tasks.registry import RiskTask, load_task

Bundle = Callable[..., str]


@pytest.fixture(scope="module")
def task() -> RiskTask:
    found = load_task("heart-risk")
    assert isinstance(found, RiskTask)
    return found


def asked(app: Application, body: dict[str, Any]) -> dict[str, Any]:
    reply = app.test_client().post("/predict-heart", json=body)
    assert reply.status_code == 200, reply.text
    return dict(reply.get_json())


def drawn(task: RiskTask, rng: random.Random) -> dict[str, Any]:
    """Some factors, each within its range."""
    body, left_out = dict[str, Any](), rng.choice([0.1, 0.9])
    for one in task.features:
        if not one.required and rng.random() < left_out:
            continue
        kinds = [category.value for category in one.categories]
        body[one.name] = rng.choice(kinds) if kinds else rng.randint(int(one.minimum or 0), int(one.maximum or 0))
    return body


def test_whatever_is_given_the_bundle_is_valid_and_says_what_the_answer_says(
    live_app: Application, bundle_text: Bundle, task: RiskTask
) -> None:
    rng, abstained = random.Random(6), set()
    for _ in range(25):
        answer = asked(live_app, drawn(task, rng))
        said = answer["prediction"]
        abstained.add(said["abstain"])
        found = read(bundle_text(answer, task))
        (assessment,) = found["RiskAssessment"]
        (told,) = assessment["prediction"]
        assert assessment["status"] == "preliminary"
        assert told["outcome"]["text"] == task.outcome
        assert told["outcome"]["coding"][0]["code"] == "53741008"
        assert told["qualitativeRisk"]["text"] == said["risk_level"]
        estimate = observed(found, "Estimate")
        if said["abstain"]:
            assert "probabilityDecimal" not in told
            assert told["_probabilityDecimal"]["extension"][0]["valueCode"] == "unknown"
            assert "valueCodeableConcept" not in estimate
            assert set(said["abstain_reasons"]) <= set(noted(estimate))
            assert not [one for one in found["Observation"] if one["code"]["text"] != "Triage" and "component" in one]
        else:
            assert told["probabilityDecimal"] == pytest.approx(100 * said["probability"], rel=1e-12)
            assert estimate["valueCodeableConcept"]["text"] == said["condition"]
        assert len(assessment["basis"]) == len(answer["risk_factors"])
        missing = [one["name"] for one in answer["missing_factors"]]
        labels = [one.label for one in task.features]
        named = [labels[[one.name for one in task.features].index(name)] for name in missing]
        assert all(any(label in text for text in noted(assessment)) for label in named)
    assert abstained == {True, False}


def test_a_factor_has_its_unit_or_its_word_and_what_it_adds(
    live_app: Application, bundle_text: Bundle, task: RiskTask
) -> None:
    answer = asked(live_app, HEART_VALUES)
    found = read(bundle_text(answer, task))
    pressure, angina = (observed(found, label) for label in ("Resting systolic blood pressure", "Type of chest pain"))
    assert pressure["valueQuantity"] == {
        "value": 130, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]",
    }  # fmt: skip
    assert pressure["code"]["coding"][0]["code"] == "271649006"
    (category,) = (c.label for one in task.features if one.name == "chest_pain" for c in one.categories if c.value == 3)
    assert angina["valueCodeableConcept"] == {"text": category}
    adds = angina["component"][0]["valueQuantity"]["value"]
    assert adds == pytest.approx(answer["risk_factors"]["chest_pain"]["contribution"])
    assert angina["interpretation"][0]["text"].startswith(answer["risk_factors"]["chest_pain"]["risk"])


@pytest.mark.parametrize(("age", "masked"), [(89, False), (90, True)])
def test_an_age_that_could_name_a_person_is_masked(
    live_app: Application, bundle_text: Bundle, task: RiskTask, age: int, masked: bool
) -> None:
    one = observed(read(bundle_text(asked(live_app, HEART_VALUES | {"age": age}), task)), "Age")
    assert ("valueQuantity" in one) is not masked
    assert ("component" in one) is not masked
    if masked:
        assert one["dataAbsentReason"]["coding"][0]["code"] == "masked"
