"""Triage, findings and classes of an answer, as they stand on the page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from clients.browsing import Page
from samples import image_task, upload

from backend.app import Application

LEVELS = {
    "emergency": "Emergency",
    "urgent": "Urgent",
    "soon": "Soon",
    "routine": "Routine",
    "none": "No urgency",
}
SIGNS = {"emergency": "‼", "urgent": "!", "soon": "▲", "routine": "●", "none": "○"}


def share(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.05, "high": value + 0.05}


FINDINGS = [
    {
        "code": "one", "name": "the first finding", "classes": ["mel"], "probability": 0.08, "state": "indeterminate",
        "message": None, "rule_out_below": 0.02, "rule_in_from": 0.35, "why_never_ruled_out": None, "count": 112,
        "sensitivity": share(0.95), "suspected": share(0.71), "specificity": share(0.92), "ruled_out": share(0.5),
    },
    {
        "code": "two", "name": "the second finding", "classes": ["bcc"], "probability": 0.0041, "state": "suspected",
        "message": None, "rule_out_below": None, "rule_in_from": 0.0038, "why_never_ruled_out": "Too few cases.",
        "count": None, "sensitivity": None, "suspected": None, "specificity": None, "ruled_out": None,
    },
    {
        "code": "three", "name": "the third finding", "classes": ["akiec"], "probability": 0.01, "state": "ruled_out",
        "message": None, "rule_out_below": 0.05, "rule_in_from": 0.5, "why_never_ruled_out": None, "count": 3,
        "sensitivity": None, "suspected": None, "specificity": None, "ruled_out": None,
    },
]  # fmt: skip


@pytest.fixture
def answer(live_app: Application, picture: Callable[..., bytes]) -> dict[str, Any]:
    """A real answer that is about to say what a test wants."""
    reply = live_app.test_client().post("/analyze/skin?explain=none", data=upload(picture(seed=3)))
    return {
        **json.loads(reply.text),
        "headline": "This most likely; that not ruled out",
        "triage": {
            "level": "soon",
            "reasons": [
                {"code": "not_ruled_out", "level": "soon", "text": "That is not ruled out."},
                {"code": "named", "level": "none", "text": "This is the most probable class."},
            ],
            "text": "Have it looked at.",
        },
        "urgency": {"timeline": "Within 4 weeks", "action": "Have it looked at.", "color": "#1a7f37"},
        "findings": FINDINGS,
    }


def draw(page: Page, answer: dict[str, Any], **prediction: Any) -> None:
    """Put the answer on the page. prediction: what its `prediction` says."""
    page.choose_task("skin")
    answer = {**answer, "prediction": {**answer["prediction"], **prediction}}
    page.draw("imageAnswer", answer, page.get_json("/models/skin"))


def colours(page: Page, selector: str, name: str) -> tuple[int, int, int]:
    red, green, blue = re.findall(r"\d+", page.find(selector).value_of_css_property(name))[:3]
    return int(red), int(green), int(blue)


def test_triage_stands_on_top_in_words_and_is_green_only_where_it_is_calm(page: Page, answer: dict[str, Any]) -> None:
    for level, word in LEVELS.items():
        draw(page, answer | {"triage": answer["triage"] | {"level": level}}, settled=True)
        top = page.find("#result > :first-child")
        assert top.get_attribute("class") == "triage"
        assert top.text.split("\n")[:3] == [
            f"{SIGNS[level]} {word}",
            "This most likely; that not ruled out",
            "Within 4 weeks: Have it looked at.",
        ]
        red, green, blue = colours(page, ".triage", "background-color")
        assert (green > red and green > blue) == (level == "none")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(page: Page, answer: dict[str, Any], scheme: str) -> None:
    """At least 4.5:1, as WCAG 2 asks for."""
    page.prefer(scheme)
    for level in LEVELS:
        draw(page, answer | {"triage": answer["triage"] | {"level": level}, "warning": "An example."})
        found = page.contrasts()
        assert len(found) > 30
        assert [(level, text, round(contrast, 2)) for text, contrast in found if contrast < 4.5] == []


def test_reasons_are_told_with_the_level_of_those_that_are_calmer(page: Page, answer: dict[str, Any]) -> None:
    draw(page, answer, settled=False)
    assert page.find(".triage .level").text == "▲ Soon · not settled"
    told = [reason.text for reason in page.all(".triage li")]
    assert told == ["That is not ruled out.", "This is the most probable class. (no urgency)"]


@pytest.mark.parametrize("level", ["soon", "none"])
def test_an_answer_that_says_nothing_has_the_colour_of_no_level(page: Page, answer: dict[str, Any], level: str) -> None:
    triage = {"level": level, "text": "Have it read by a person.", "reasons": []}
    draw(page, answer | {"triage": triage, "headline": "No statement can be made"}, abstain=True, settled=False)
    assert page.find(".triage .headline").text == "No statement can be made"
    assert page.find(".triage .level").text == f"{SIGNS[level]} {LEVELS[level]} · do not lean on this answer"
    assert "Have it read by a person." in page.find(".triage").text
    assert max(colours(page, ".triage", "background-color")) - min(colours(page, ".triage", "background-color")) < 10
    draw(page, answer | {"triage": triage, "demo_mode": True}, settled=True)
    assert page.find(".triage").get_attribute("data-tone") == "neutral"


def test_warnings_stand_above_all_figures(page: Page, answer: dict[str, Any]) -> None:
    check = answer["input_check"] | {"warnings": ["A frame was cut off."], "cropped": [12, 20, 400, 300]}
    draw(page, answer | {"input_check": check})
    assert [notice.text for notice in page.all("#result > .notice")[:2]] == [
        "A frame was cut off.",
        "Only a part of the picture was read: 400 × 300 pixels from 12, 20.",
    ]
    assert page.find("#result > :nth-child(3)").get_attribute("class") == "triage"
    check = check | {"cropped_pictures": [[12, 20, 400, 300], None, [0, 9, 80, 70]]}
    draw(page, answer | {"input_check": check})
    assert [notice.text for notice in page.all("#result > .notice")[1:3]] == [
        "Only a part of picture 1 was read: 400 × 300 pixels from 12, 20.",
        "Only a part of picture 3 was read: 80 × 70 pixels from 0, 9.",
    ]


def test_findings_have_their_state_in_words_and_their_thresholds_as_marks(page: Page, answer: dict[str, Any]) -> None:
    draw(page, answer)
    rows = page.cells(".findings tbody tr")
    assert rows[::2] == [
        ["the first finding", "? not ruled out", "8.0%"],
        ["the second finding", "! suspected", "0.41%"],
        ["the third finding", "✓ ruled out", "1.0%"],
    ]
    assert [cells[0].split("\n")[:2] for cells in rows[1::2]] == [
        ["ruled out below 2.0%", "suspected from 35.0%"],
        ["Too few cases.", "suspected from 0.38%"],
        ["ruled out below 5.0%", "suspected from 50.0%"],
    ]
    first = page.find(".findings .gauge")
    places = [
        (mark.rect["x"] + 1 - first.rect["x"]) / first.rect["width"]
        for mark in page.all(".findings .gauge")[0].find_elements("css selector", "i")
    ]
    assert places == pytest.approx([0.02, 0.35], abs=0.01)
    page.find(".findings summary").click()
    assert "of these, not ruled out\n95.0% (90.0% to 100.0%)" in page.find(".findings details").text


def test_classes_have_the_colour_and_the_word_of_their_gravity(page: Page, answer: dict[str, Any]) -> None:
    gravity = {c.code: c.severity for c in image_task("skin").classes}
    inside = {"mel", "nv"}
    draw(page, answer | {"prediction_set": answer["prediction_set"] | {"classes": sorted(inside)}})
    told = [entry.text.split("\n") for entry in page.all(".bars .label")]
    assert told == [
        [c["name"], gravity[c["code"]] + (" · still in question" if c["code"] in inside else "")]
        for c in answer["all_predictions"]
    ]
    shown = [entry.get_attribute("data-gravity") for entry in page.all(".bars li")]
    assert shown == [gravity[c["code"]] for c in answer["all_predictions"]]
    assert len(page.all(".bars li.kept")) == 2


def test_nothing_is_wider_than_a_phone(page: Page, answer: dict[str, Any]) -> None:
    page.as_wide_as(390)
    draw(page, answer)
    widths = page.driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert widths == [390, 390]
