"""POST /api/chat: what is answered, from what, and to whom."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chats.asking import Asker
from records.documented import run_lines
from records.people import person
from samples import HEART_VALUES

from backend.app import Application
from backend.services.chat.library import Library
from backend.services.chat.numbers import Borne
from backend.services.chat.words import chat_language

SAYS = chat_language().says


def fields(answer: dict[str, Any]) -> set[str]:
    return {citation["field"] for citation in answer["citations"]}


@pytest.mark.parametrize(
    ("question", "cited"),
    [
        ("What does this mean?", "headline"),
        ("How sure is it?", "findings.melanoma.state"),
        ("Is it cancer?", "findings.other_skin_cancer.state"),
        ("What should I do now?", "recommendation.actions.0"),
        ("Which part of the picture mattered?", "explanation"),
        ("Was it tested on dark skin?", "limits_of_use.1"),
        ("Will I die?", "headline"),
        ("So I am healthy, right?", "findings.melanoma.state"),
        ("Could it be a dermatofibroma?", "all_predictions.df"),
        ("waht is the diagnsis", "headline"),
    ],
)
def test_questions_are_answered_from_the_record_with_the_fields_it_rests_on(
    somebody: Asker, question: str, cited: str
) -> None:
    answer = somebody.ask(question, prediction_id=somebody.own_id)
    assert cited in fields(answer)
    assert (answer["provider"], answer["chat_model"], answer["fallback"]) == ("offline", None, None)
    assert answer["triage"] == somebody.own["triage"]
    assert "triage.text" in fields(answer), "how soon to act is told whatever is asked"
    numbers = [int(found) for found in re.findall(r"\[(\d+)\]", answer["reply"])]
    assert numbers == [citation["number"] for citation in answer["citations"]]
    assert all(citation["text"] in answer["reply"] for citation in answer["citations"])


def test_no_number_of_an_offline_reply_is_from_anywhere_but_its_citations(somebody: Asker) -> None:
    answer = somebody.ask(
        "How sure is it, what is ruled out, and how good is the model?", prediction_id=somebody.own_id
    )
    borne = Borne([citation["text"] for citation in answer["citations"]])
    assert borne(re.sub(r"\[\d+\]", "", answer["reply"]))
    assert not borne("0.123456")


def test_what_is_not_known_is_said_and_which_result_is_asked_back(somebody: Asker) -> None:
    unknown = somebody.ask("What is the capital of France?", prediction_id=somebody.own_id)["reply"]
    assert SAYS["unknown"] in unknown
    assert SAYS["ask_about"] in unknown
    assert SAYS["ask_which"] in somebody.ask("How sure are you?")["reply"]
    assert (
        SAYS["medicine_no_result"]
        in somebody.ask("How much ibuprofen can I take?", prediction_id=somebody.own_id)["reply"]
    )
    other = somebody.ask("Could it be tuberculosis?", prediction_id=somebody.own_id)
    assert SAYS["not_among"].partition("{")[0] in other["reply"]
    assert other["citations"][0]["of"] == "pulmonary-tuberculosis"


def test_a_record_is_told_of_to_its_account_alone(somebody: Asker) -> None:
    for id_ in (somebody.other_id, "00000000-0000-4000-8000-000000000000"):
        refused = somebody.call("What does it say?", prediction_id=id_)
        assert (refused.status_code, refused.get_json()["code"]) == (404, "not_found")
    nobody = somebody.app.test_client().post(
        "/api/chat", json={"message": "What does it say?", "prediction_id": somebody.own_id}
    )
    assert (nobody.status_code, nobody.get_json()["code"]) == (401, "unauthenticated")


def test_symptoms_go_to_the_checker_and_its_questions_are_answered_in_the_next_turn(somebody: Asker) -> None:
    first = somebody.ask("I have had a runny nose and a cough since yesterday, I am 30")
    assert first["citations"][0]["source"] == "symptoms"
    asked = first["questions"][0]
    assert SAYS["symptoms_asked"].format(question=asked["question"]) in first["reply"]
    history = [
        {"role": "user", "content": "I have had a runny nose and a cough since yesterday, I am 30"},
        {"role": "assistant", "content": first["reply"]},
    ]
    by_word, by_field = (
        somebody.ask("yes", history=history),
        somebody.ask("Please go on", history=history, answers={asked["finding"]: "yes"}),
    )
    assert by_word["citations"] == by_field["citations"] != first["citations"]
    assert asked["finding"] not in {one["finding"] for one in by_word["questions"]}
    unknown = somebody.call("yes", answers={"no_such_finding": "yes"})
    assert (unknown.status_code, unknown.get_json()["code"]) == (422, "invalid_value")


@pytest.mark.parametrize("with_record", [True, False])
def test_red_flags_and_words_of_crisis_are_answered_by_rule(somebody: Asker, with_record: bool) -> None:
    about = {"prediction_id": somebody.own_id} if with_record else {}
    flag = somebody.ask("I have crushing chest pain and my left arm hurts. What does my result mean?", **about)
    assert (flag["provider"], flag["triage"]["level"]) == ("rules", "emergency")
    assert flag["reply"].startswith(SAYS["red_flag_now"])
    assert {one["level"] for one in flag["red_flags"]} >= {"emergency"}
    crisis = somebody.ask("Thank you, but I want to kill myself", **about)
    assert (crisis["provider"], crisis["triage"]["level"], crisis["pictures"]) == ("rules", "emergency", [])
    assert "emergency number" in crisis["reply"]
    history = [{"role": "user", "content": "I want to kill myself"}]
    assert somebody.ask("hello", history=history)["reply"].startswith(SAYS["crisis_earlier"])
    asked = somebody.ask("Does a heart attack always cause chest pain?")
    assert asked["reply"].startswith(SAYS["red_flag_asked"])


def test_a_picture_is_answered_by_the_one_pipeline_and_can_be_asked_about_again(
    somebody: Asker, picture: Callable[..., bytes]
) -> None:
    sent = picture(seed=5)
    reply = somebody.send(("mole.jpg", sent), message="Is it dangerous?", task="skin")
    assert reply.status_code == 200, reply.text
    answer = reply.get_json()
    (told,) = answer["pictures"]
    alone = somebody.app.test_client().post("/analyze/skin", data={"image": (io.BytesIO(sent), "x")})
    assert told["result"]["all_predictions"] == alone.get_json()["all_predictions"]
    assert told["result"]["headline"] in answer["reply"]
    again = somebody.ask("How sure is it?", case_id=told["case_id"])
    assert "findings.melanoma.state" in fields(again)
    stranger = person(somebody.app)
    body = {"message": "How sure?", "case_id": told["case_id"]}
    for headers in ({}, {"Authorization": f"Bearer {stranger.access_token}"}):
        assert stranger.client.post("/api/chat", json=body, headers=headers).status_code == 404


def test_a_picture_whose_kind_nothing_tells_is_asked_back_and_a_broken_one_is_told_of(somebody: Asker) -> None:
    broken = somebody.send(("x.jpg", b"no picture"), message="What is it?", task="skin").get_json()
    assert (broken["pictures"][0]["code"], broken["pictures"][0]["result"]) == ("unsupported_format", None)
    assert broken["pictures"][0]["error"] in broken["reply"]


def test_two_pictures_are_told_apart(somebody: Asker, picture: Callable[..., bytes]) -> None:
    answer = somebody.send(("a", picture(seed=5)), ("b", picture(seed=6)), task="skin").get_json()
    assert [one["number"] for one in answer["pictures"]] == [1, 2]
    for number in (1, 2):
        heading = SAYS["picture_of"].format(number=number, title="Skin lesion (dermatoscope picture)")
        assert heading in answer["reply"]


def test_other_kinds_of_records_are_told_of(somebody: Asker) -> None:
    headers = {"Authorization": f"Bearer {somebody.me.access_token}"}
    made = somebody.me.client.post("/predict-heart?keep=true", json=HEART_VALUES, headers=headers).get_json()
    risk = somebody.ask("Why is my risk high?", prediction_id=made["prediction_id"])
    assert {"risk_factors.age", "missing_factors"} <= fields(risk)


def test_the_reply_can_be_streamed(somebody: Asker) -> None:
    headers = {"Authorization": f"Bearer {somebody.me.access_token}", "Accept": "text/event-stream"}
    body = {"message": "Is it cancer?", "prediction_id": somebody.own_id}
    reply = somebody.me.client.post("/api/chat", json=body, headers=headers)
    assert reply.mimetype == "text/event-stream"
    events = [re.fullmatch(r"event: (\w+)\ndata: (.*)", one) for one in reply.text.strip().split("\n\n")]
    told = [(found[1], json.loads(found[2])) for found in events if found]
    assert [name for name, _ in told] == ["text"] * (len(told) - 1) + ["answer"]
    assert "".join(data["text"] for name, data in told[:-1]).strip() == told[-1][1]["reply"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"message": ""}, 422, "invalid_value"),
        ({"message": " \n"}, 422, "invalid_value"),
        ({"message": "x" * 4001}, 422, "invalid_value"),
        ({"message": "x", "history": [{"role": "user", "content": "x"}] * 13}, 422, "invalid_value"),
        ({"message": "x", "history": [{"role": "system", "content": "x"}]}, 422, "invalid_value"),
        ({"message": "x", "system": "x"}, 400, "unknown_field"),
        ({"message": "x", "case_id": "00000000-0000-4000-8000-000000000000"}, 404, "not_found"),
        ({"message": "x", "prediction_id": "1 OR 1=1"}, 422, "invalid_value"),
    ],
)
def test_what_is_too_much_or_not_known_is_refused(somebody: Asker, body: Any, status: int, code: str) -> None:
    reply = somebody.app.test_client().post("/api/chat", json=body)
    assert (reply.status_code, reply.get_json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("fields_", "status"),
    [
        ({}, 400), ({"image": "x"}, 400), ({"message": "x", "task": "nothing"}, 422),
        ({"message": "x", "history": "[{"}, 422), ({"message": "x", "history": "[" * 3000}, 422),
        ({"message": "hello", "history": '[{"role": "user", "content": "hi"}]'}, 200),
    ],
)  # fmt: skip
def test_forms(somebody: Asker, fields_: dict[str, str], status: int) -> None:
    reply = somebody.app.test_client().post("/api/chat", data=fields_, content_type="multipart/form-data")
    assert reply.status_code == status, reply.text


def test_the_lines_of_the_documentation(somebody: Asker, tmp_path: Path, picture: Callable[..., bytes]) -> None:
    (tmp_path / "photo.jpg").write_bytes(picture())
    run_lines("chat.md", somebody.app, tmp_path)
    about, symptoms, again = (
        json.loads((tmp_path / f"{name}.json").read_text("utf-8")) for name in ("about", "symptoms", "again")
    )
    assert {"findings.melanoma.state", "triage.text", "recommendation.actions.0"} <= fields(about)
    assert symptoms["questions"]
    assert "explanation" in fields(again)
    assert (tmp_path / "events.txt").read_text("utf-8").startswith("event: text\ndata: ")


def test_what_the_first_question_would_wait_for_can_be_made_before_it(
    live_app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library(live_app.services.models)
    library.fill()
    monkeypatch.setattr("backend.services.chat.library.sqlite3.connect", None)
    assert library.search("What is melanoma?")
