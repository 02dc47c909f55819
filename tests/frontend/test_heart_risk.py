"""How sure a risk is, what would make it surer, and when there is none."""

from __future__ import annotations

from typing import Any

import pytest
from clients.browsing import Page
from samples import HEART_VALUES

from backend.app import Application

MISSING = [
    {"name": "oldpeak", "information": 0.2, "low": 0.4, "high": 0.9},
    {"name": "resting_ecg", "information": 0.05, "low": 0.5, "high": 0.8},
]


@pytest.fixture
def answer(live_app: Application) -> dict[str, Any]:
    """A real answer that is about to say what a test wants."""
    reply = live_app.test_client().post("/predict-heart", json=HEART_VALUES)
    found: dict[str, Any] = reply.get_json()
    triage = {
        "level": "urgent",
        "reasons": [{"code": "named", "level": "urgent", "text": "Why."}],
        "text": "What to do.",
    }
    return found | {"triage": triage, "missing_factors": MISSING, "information": 0.71}


def draw(page: Page, answer: dict[str, Any], **prediction: Any) -> None:
    page.choose_task("heart-risk", "#field-age")
    answer = answer | {"prediction": answer["prediction"] | {"risk_level": "High", "probability": 0.82} | prediction}
    page.draw("riskAnswer", answer, page.get_json("/models/heart-risk"))


def test_a_risk_has_its_interval_and_what_is_missing_says_how_much_it_could_move_it(
    page: Page, answer: dict[str, Any]
) -> None:
    draw(page, answer, interval={"low": 0.41, "high": 0.93}, abstain=False, abstain_reasons=[])
    assert page.find(".triage").get_attribute("data-tone") == "urgent"
    assert page.find(".triage").text.split("\n")[:3] == ["! Urgent", "High risk", "What to do."]
    assert page.find(".risk").text == "82.0% 90% interval 41.0% to 93.0%"
    assert [row[1:] for row in page.cells("#result h3 + p + .scroll tbody tr")] == [
        ["40.0% to 90.0%", "20.0%"],
        ["50.0% to 80.0%", "5.0%"],
    ]
    assert "What was given carries 71.0% of the information." in page.result


def test_where_too_little_was_given_no_probability_is_told(page: Page, answer: dict[str, Any]) -> None:
    told = {"risk_level": "Undetermined", "condition": "Too little was given", "abstain": True}
    draw(page, answer, interval={"low": 0.2, "high": 0.9}, abstain_reasons=["Why."], **told)
    assert page.find(".triage").get_attribute("data-tone") == "neutral"
    assert page.find(".triage").text.split("\n")[:2] == ["! Urgent · Undetermined", "Too little was given"]
    assert page.find(".risk").text == "90% interval 20.0% to 90.0%"
    assert "82.0%" not in page.result
