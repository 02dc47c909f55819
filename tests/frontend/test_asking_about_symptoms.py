"""The form for symptoms: what it sends, and the questions that are asked back."""

from __future__ import annotations

import pytest
from clients.browsing import Page
from clients.symptom_page import HEADACHE, ask, send, tell
from selenium.webdriver.common.keys import Keys

from backend.app import Application

CHANGED = "What you told has changed. Send it again for an answer."


@pytest.fixture
def page(page: Page) -> Page:
    page.choose_task("disease", "#description")
    page.posted()
    return page


def test_a_text_alone_is_sent_as_it_was_told_and_with_what_else_is_given(page: Page) -> None:
    assert page.find("label[for=description]").text == "Tell in your own words what troubles you"
    assert not page.find("#form .primary").is_enabled()
    send(page, HEADACHE)
    page.find("#symptom").send_keys("dizzy")  # not yet added
    page.find("#age").send_keys("40")
    page.find("#sex option[value=female]").click()
    page.send()
    page.wait_for("#result", "40 years, female")
    assert page.posted() == [
        {"symptoms": [], "description": HEADACHE},
        {"symptoms": ["dizzy"], "description": HEADACHE, "age": 40, "sex": "female"},
    ]
    assert "dizz" in page.result


def test_an_answer_to_a_question_asks_again_with_all_answers_and_a_new_text_forgets_them(page: Page) -> None:
    send(page, HEADACHE)
    [first] = page.posted()
    assert "answers" not in first
    level = page.find(".triage .level").text
    page.find(".question").find_element("xpath", ".//button[text()='Yes']").click()
    page.wait_for(".questions summary", "You have answered 1")
    [second] = page.posted()
    assert second == first | {"answers": second["answers"]}
    assert list(second["answers"].values()) == ["yes"]
    goes_on = page.find(".triage .level").text == level
    place = page.driver.switch_to.active_element
    assert (place.get_attribute("class") == "questions", place.get_attribute("id") == "answer") == (
        goes_on,
        not goes_on,
    )

    asked = page.find(".question p").text
    button = page.find(".question").find_element("xpath", ".//button[text()='Unsure']")
    button.send_keys(Keys.ENTER)
    page.wait_for(".questions summary", "You have answered 2")
    [third] = page.posted()
    assert [*third["answers"].values()] == ["yes", "unsure"]
    assert asked not in [question.text for question in page.all(".question p")]

    page.find(".questions li button").click()
    page.wait_for(".questions summary", "You have answered 1")
    assert [*page.posted()[0]["answers"].values()] == ["unsure"]

    send(page, HEADACHE + " I feel sick.")
    assert "answers" not in page.posted()[0]
    assert "You have answered" not in page.result


def test_a_question_can_be_answered_in_three_ways_and_is_named_by_its_words(page: Page, live_app: Application) -> None:
    questions = ask(live_app, description=HEADACHE)["next_questions"]
    send(page, HEADACHE)
    groups = page.all(".question")
    assert 0 < len(groups) == len(questions) <= 3
    for group, question in zip(groups, questions, strict=True):
        assert group.accessible_name == question["question"]
        assert [button.text for button in group.find_elements("css selector", "button")] == ["Yes", "No", "Unsure"]


@pytest.mark.parametrize("field", ["#description", "#age", "#symptom"])
def test_what_was_told_anew_takes_the_answer_away(page: Page, field: str) -> None:
    send(page, HEADACHE)
    page.find(field).send_keys("3", Keys.ENTER if field == "#symptom" else "")
    assert page.result == CHANGED
    page.served.hold("/predict-disease")
    page.send()
    page.served.wait_for_it()
    page.aborted_requests()
    page.find("#description").send_keys("x")
    page.served.release()
    page.settle()
    assert (page.result, page.aborted_requests()) == (CHANGED, 1)


def test_a_text_that_is_too_long_is_not_cut_but_refused(page: Page) -> None:
    most = page.get_json("/openapi.json")["components"]["schemas"]["DiseaseQuestion"]["properties"]["description"]
    tell(page, "😀" * most["maxLength"])
    assert page.find("#form .primary").is_enabled()
    tell(page, "a" * (most["maxLength"] + 1))
    assert not page.find("#form .primary").is_enabled()
    assert page.find("#description-length").text == "5001 characters; at most 5000 can be read. Please shorten it."
    assert page.find("#description").get_attribute("aria-invalid") == "true"
