"""Bundles of symptoms: what was understood, what it may be, and no word of what was written."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from clients.fhir import Resource, noted, observed, read

from backend.app import Application
from ml_model.tasks.registry import load_task

ICD_10 = "http://hl7.org/fhir/sid/icd-10"
Bundle = Callable[..., str]
TOLD = "I am Anna Smith, 54, and have chest pain spreading to my left arm and sweating, no fever"


def asked(app: Application, **body: Any) -> dict[str, Any]:
    reply = app.test_client().post("/predict-disease", json=body)
    assert reply.status_code == 200, reply.text
    return dict(reply.get_json())


def _agrees(found: dict[str, list[Resource]], answer: dict[str, Any]) -> None:
    named = observed(found, "Most probable condition")
    if answer["abstain"] or not answer["top_predictions"]:
        assert "RiskAssessment" not in found
        assert "valueCodeableConcept" not in named
        assert named["dataAbsentReason"]["coding"][0]["code"] == "unknown"
        assert set(answer["abstain_reasons"]) <= set(noted(named))
        return
    assert named["valueCodeableConcept"]["text"] == answer["prediction"]["disease"]
    (assessment,) = found["RiskAssessment"]
    assert assessment["status"] == "preliminary"
    told = assessment["prediction"]
    for row, one in zip(answer["top_predictions"], told, strict=False):
        assert one["outcome"]["text"] == row["disease"]
        assert one["outcome"]["coding"] == [{"system": ICD_10, "code": row["icd10"]}]
        assert one["probabilityDecimal"] == pytest.approx(100 * row["probability"], rel=1e-12), "per cent"
    assert len(told) == len(answer["top_predictions"]) + 1
    assert told[-1]["probabilityDecimal"] == pytest.approx(100 * answer["something_else"], rel=1e-12)


def test_whatever_is_told_the_bundle_is_valid_and_says_what_the_answer_says(
    live_app: Application, bundle_text: Bundle
) -> None:
    names = [one["name"] for one in live_app.test_client().get("/symptoms").get_json()["symptoms"]]
    rng, task, abstained = random.Random(5), load_task("disease"), set()
    for _ in range(25):
        answer = asked(live_app, symptoms=rng.sample(names, rng.randint(1, 7)), age=rng.randint(1, 95))
        abstained.add(answer["abstain"])
        found = read(bundle_text(answer, task))
        _agrees(found, answer)
        present = {one["code"]["text"] for one in found["Observation"] if one.get("valueBoolean") is True}
        assert present == set(answer["symptoms_analyzed"])
        assert observed(found, "Triage")["valueCodeableConcept"]["text"] == answer["triage"]["level"]
    assert False in abstained


def test_what_is_said_not_to_be_there_is_false_and_a_red_flag_is_told(
    live_app: Application, bundle_text: Bundle
) -> None:
    answer = asked(live_app, description=TOLD)
    text = bundle_text(answer, load_task("disease"))
    found = read(text)
    _agrees(found, answer)
    for one in answer["understood"]:
        assert observed(found, one["name"])["valueBoolean"] is one["present"]
    assert observed(found, "fever")["valueBoolean"] is False
    assert answer["red_flags"]
    for flag in answer["red_flags"]:
        assert observed(found, f"Red flag: {flag['id'].replace('_', ' ')}")["valueString"] == flag["message"]
    assert "Anna" not in text
    assert "spreading to my left arm" not in text


def test_an_answer_that_abstains_names_no_condition(live_app: Application, bundle_text: Bundle) -> None:
    names = [one["name"] for one in live_app.test_client().get("/symptoms").get_json()["symptoms"]]
    answer = next(one for one in (asked(live_app, symptoms=[name]) for name in names) if one["abstain"])
    assert answer["top_predictions"]
    found = read(bundle_text(answer, load_task("disease")))
    _agrees(found, answer)
    assert found["DiagnosticReport"][0]["conclusion"].startswith("No statement can be made. ")
    told = set(re.findall(r'"text": "([^"]*)"', json.dumps(found)))
    assert told & {row["disease"] for row in answer["top_predictions"]} == set()


def test_words_of_self_harm_are_answered_with_help_and_no_condition(live_app: Application, bundle_text: Bundle) -> None:
    answer = asked(live_app, description="I can't go on, I want to die")
    found = read(bundle_text(answer, load_task("disease")))
    _agrees(found, answer)
    assert observed(found, "Triage")["valueCodeableConcept"]["text"] == "emergency"


def test_percentages_have_no_digits_of_their_own(live_app: Application, bundle_text: Bundle) -> None:
    answer = asked(live_app, symptoms=["fever", "cough"]) | {"abstain": False, "something_else": 0.07}
    sent = json.loads(bundle_text(answer, load_task("disease")), parse_float=Decimal)
    (assessment,) = (e["resource"] for e in sent["entry"] if e["resource"]["resourceType"] == "RiskAssessment")
    assert assessment["prediction"][-1]["probabilityDecimal"] == 7


def test_a_condition_without_a_code_is_told_in_words(live_app: Application, bundle_text: Bundle) -> None:
    answer = asked(live_app, symptoms=["fever", "cough"])
    first, second = answer["top_predictions"][:2]
    told = {"top_predictions": [first | {"icd10": None}, second], "abstain": False}
    (assessment,) = read(bundle_text(answer | told, load_task("disease")))["RiskAssessment"]
    outcomes = [one["outcome"] for one in assessment["prediction"]]
    assert {one["text"] for one in outcomes if "coding" in one} == {second["disease"]}
