"""Symptoms told in own words: what the page makes of the answer."""

from __future__ import annotations

from typing import Any

import pytest
from clients.browsing import Page
from clients.symptom_page import HEADACHE, HEART, SELF_HARM, ask, send

from backend.app import Application

FIELDS = ("Most probable", "What it might be")


@pytest.fixture
def page(page: Page) -> Page:
    page.choose_task("disease", "#description")
    page.posted()
    return page


@pytest.fixture
def answer(live_app: Application) -> dict[str, Any]:
    """A real answer that is about to say what a test wants."""
    found = ask(live_app, description=HEADACHE)
    triage = {
        "level": "soon",
        "reasons": [{"code": "in_question", "level": "soon", "text": "Still in question: this."}],
        "text": "What to do.",
    }
    plain = {"triage": triage, "red_flags": [], "abstain": False, "abstain_reasons": [], "next_questions": []}
    return found | plain | {"demo_mode": False}


def draw(page: Page, answer: dict[str, Any], description: str = HEADACHE) -> None:
    page.draw("symptomAnswer", answer, None, {"description": description, "replies": {}}, "assessment")


def marks(page: Page) -> list[tuple[str, str, str]]:
    """Kind, words without the sign, and what is read out."""
    script = """return [...document.querySelectorAll(".told mark")].map((mark) =>
      [mark.dataset.kind, mark.childNodes[1].data, mark.querySelector(".unseen").textContent])"""
    return [(kind, words, said) for kind, words, said in page.driver.execute_script(script)]


def own_text(page: Page) -> str:
    """What was told, without what the page adds to it."""
    script = """const copy = document.querySelector(".told").cloneNode(true);
      for (const added of copy.querySelectorAll(".icon, .unseen")) added.remove();
      return copy.textContent;"""
    return str(page.driver.execute_script(script))


def test_what_was_understood_is_marked_in_the_persons_own_text(page: Page) -> None:
    """Behind a sign that JavaScript counts as two."""
    send(page, HEADACHE)
    told = [mark for mark in marks(page) if mark[1] in ("headache", "fever", "zorblaxity")]
    assert told == [
        ("present", "headache", " (there: headache)"),
        ("absent", "fever", " (said not to be there: fever)"),
        ("unknown", "zorblaxity", " (not understood)"),
    ]
    assert own_text(page) == HEADACHE
    assert "✓ there" in [entry.text for entry in page.all(".legend li")]
    page.find("#result h3 ~ details summary").click()
    assert ["fever", "fever", "✗ said not to be there"] in page.cells("#result details tbody tr")


def passage(start: int, end: int, *, present: bool = True, history: bool = False, name: str = "x") -> dict[str, Any]:
    return {
        "text": "", "start": start, "end": end, "finding": "fever", "name": name, "present": present, "history": history
    }  # fmt: skip


def test_kinds_differ_by_sign_line_and_words_and_what_is_there_counts_before_what_is_not(
    page: Page, answer: dict[str, Any]
) -> None:
    told = [
        passage(0, 3, name="one"),
        passage(2, 5, name="two"),
        passage(4, 8, present=False, name="three"),
        passage(9, 11, history=True, name="four"),
    ]
    unknown = [{"text": "", "start": 12, "end": 14}]
    draw(page, answer | {"understood": told, "not_understood": unknown}, "abcdefgh ij kl m")
    assert marks(page) == [
        ("present", "abcde", " (there: one, two)"),
        ("absent", "fgh", " (said not to be there: three)"),
        ("history", "ij", " (earlier, or in the family: four)"),
        ("unknown", "kl", " (not understood)"),
    ]
    shown = page.all(".told mark")
    assert len({mark.find_element("css selector", ".icon").text for mark in shown}) == 4
    assert len({mark.value_of_css_property("text-decoration-style") for mark in shown}) == 4
    assert len({mark.value_of_css_property("background-color") for mark in shown}) == 4
    assert [entry.text for entry in page.all(".legend li")] == [
        "✓ there", "✗ said not to be there", "↺ earlier, or in the family", "? not understood"
    ]  # fmt: skip


def test_nothing_that_was_told_becomes_markup(page: Page) -> None:
    text = "<img src=x id=evil> <b>headache</b> &amp; fever"
    send(page, text)
    assert page.all("#result #evil, #result img, .told b") == []
    assert own_text(page) == text


def test_first_stands_how_soon_then_the_warning_signs_then_what_was_understood(
    page: Page, live_app: Application
) -> None:
    found = ask(live_app, description=HEART)
    assert found["triage"]["level"] == "emergency"
    send(page, HEART)
    top = page.find("#result > :first-child")
    assert (top.get_attribute("class"), top.get_attribute("data-tone")) == ("triage", "emergency")
    assert top.text.split("\n")[:2] == ["‼ Emergency", found["triage"]["text"]]
    assert [title.text for title in page.all("#result h3")][:2] == ["Warning signs", "What was understood"]
    words = {"emergency": "‼ Emergency", "urgent": "! Urgent", "soon": "▲ Soon"}
    assert [flag.text for flag in page.all(".flags li")] == [
        f"{words[flag['level']]} {flag['message']}" for flag in found["red_flags"]
    ]
    assert page.find("#answer").get_attribute("aria-live") == "polite"
    assert page.driver.switch_to.active_element.get_attribute("id") == "answer"


@pytest.mark.parametrize(
    ("level", "abstain", "tone"),
    [
        ("none", False, "none"),
        ("none", True, "neutral"),
        ("routine", True, "neutral"),
        ("emergency", True, "emergency"),
    ],
)
def test_where_no_condition_stands_out_nothing_is_calm(
    page: Page, answer: dict[str, Any], level: str, abstain: bool, tone: str
) -> None:
    reasons = ["Nothing stands out."] if abstain else []
    triage = answer["triage"] | {"level": level}
    draw(page, answer | {"triage": triage, "abstain": abstain, "abstain_reasons": reasons})
    assert page.find(".triage").get_attribute("data-tone") == tone
    assert ("No condition is named. Nothing stands out." in page.result) == abstain
    assert FIELDS[abstain] in [title.text for title in page.all("#result h3")]


def test_a_condition_has_its_lay_name_its_probability_and_what_speaks_for_and_against(
    page: Page, answer: dict[str, Any]
) -> None:
    one = {
        "disease": "Morbus primus", "probability": 0.62, "description": "What it is.", "precautions": ["Rest."],
        "lay_name": "the first", "icd10": "G43", "speaks_for": ["headache", "fever"], "speaks_against": ["nausea"],
    }  # fmt: skip
    other = one | {"disease": "Second", "lay_name": None, "icd10": None, "probability": 0.0001, "speaks_against": []}
    names = ["Morbus primus", *(f"Disease {n}" for n in range(49))]
    told = {
        "symptoms_analyzed": ["headache", "nausea"],
        "something_else": 0.2,
        "prediction_set": answer["prediction_set"] | {"classes": names},
    }
    draw(page, answer | told | {"top_predictions": [one, other]})
    first, second, else_ = page.all(".ranked > li")
    assert first.text.split("\n") == [
        "The first", "Morbus primus · ICD-10 G43 · still in question", "62.0%",
        "+ Speaks for it: headache, no fever", "− Speaks against it: nausea", "About the first",
    ]  # fmt: skip
    assert second.text.split("\n")[:2] == ["Second", "< 0.1%"]
    assert "against" not in second.text
    assert else_.text == "Something else, which is not known here\n20.0%"
    script = "return [...document.querySelectorAll('.ranked .bar')].map((bar) => bar.style.getPropertyValue('--value'))"
    assert page.driver.execute_script(script) == ["0.62", "0.0001", "0.2"]
    assert "50 conditions are still in question." in page.result


def test_thoughts_of_dying_are_answered_with_help_and_nothing_else(page: Page, live_app: Application) -> None:
    found = ask(live_app, description=SELF_HARM)
    send(page, SELF_HARM, ".help")
    box = page.find(".help")
    assert found["triage"]["reasons"][0]["text"] in box.text
    assert [entry.text for entry in box.find_elements("css selector", "li")] == found["recommendations"]
    assert page.all("#result .triage, #result .ranked, #result .bar, #result .told, #result .questions, .flags") == []
    assert "%" not in page.result
    assert float(box.value_of_css_property("font-size")[:-2]) >= 18
    script = "return getComputedStyle(document.querySelector('.help')).backgroundColor.match(/[\\d.]+/g).map(Number)"
    red, _green, blue = page.driver.execute_script(script)[:3]
    assert blue >= red


@pytest.mark.parametrize("text", [HEART, HEADACHE + " " + "x" * 300, SELF_HARM])
def test_nothing_is_wider_than_a_small_phone(page: Page, text: str) -> None:
    page.as_wide_as(380)
    send(page, text, ".help" if text == SELF_HARM else ".triage")
    page.driver.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]") == [380, 380]
    for button in page.all(".replies button"):
        assert button.rect["height"] >= 44


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(page: Page, scheme: str) -> None:
    """At least 4.5:1, as WCAG 2 asks for."""
    page.prefer(scheme)
    for text, least in ((HEART, 40), (HEADACHE, 40), (SELF_HARM, 8)):
        send(page, text, ".help" if text == SELF_HARM else ".triage")
        found = page.contrasts()
        assert len(found) > least
        assert [(told, round(contrast, 2)) for told, contrast in found if contrast < 4.5] == []
