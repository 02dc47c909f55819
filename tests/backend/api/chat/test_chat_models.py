"""POST /api/chat with a language model, which behaves well or badly."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from chats import stub as stubs
from chats.asking import Asker
from chats.stub import KEY, Stub, stub_server, worded_by

from backend.services.chat.words import chat_language

SAYS = chat_language().says


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with stub_server() as server:
        yield server


def test_a_language_model_gets_the_result_and_the_question_and_nothing_else(
    somebody: Asker, stub: Stub, picture: Callable[..., bytes]
) -> None:
    stub.behaviour = stubs.says("The lesion should be looked at [1]. Its chance is 99.9 %. A doctor decides.")
    with worded_by(somebody.app, stub):
        stub.received.clear()
        answer = somebody.ask("What is it?", prediction_id=somebody.own_id)
        sent = somebody.send(("patient Smith.jpg", picture(seed=3)), message="And this?", task="skin").get_json()
    assert (answer["provider"], answer["chat_model"], answer["left_out"]) == ("model", "stub-1", {"number": 1})
    assert somebody.own["triage"]["text"] in answer["reply"], "ours comes first"
    assert "The lesion should be looked at [1]. A doctor decides." in answer["reply"]
    assert "99.9" not in json.dumps(answer)
    assert SAYS["left_out"].partition("{")[0] in answer["reply"]
    assert stub.keys[-1] == f"Bearer {KEY}"
    first, second = stub.received
    text = json.dumps(first)
    assert first.keys() == {"model", "messages", "stream"}
    for kept_back in ("mine-1", somebody.own_id, somebody.me.username, somebody.own["model"]["sha256"]):
        assert kept_back not in text
    url = second["messages"][1]["content"][1]["image_url"]["url"]
    assert url.startswith("data:image/jpeg;base64,/9j/")
    assert "Smith" not in json.dumps(second)
    assert sent["provider"] == "model"


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (stubs.refuses(429, Retry_After="3600"), "429"),
        (stubs.refuses(500), "status 500"),
        (stubs.refuses(401), "status 401"),
        (stubs.refuses(302, Location="http://127.0.0.1:9/v1"), "status 302"),
        (stubs.sends(b"data: {not json\n\n"), "could not be read"),
        (stubs.sends(b'data: {"choices": 7}\n\ndata: [DONE]\n\n'), "could not be read"),
        (stubs.sends(b"\xff\xfe" * 100), "could not be read"),
        (stubs.sends(b"<html>hello</html>", "text/html"), "no text"),
        (stubs.sends(b""), "no text"),
        (stubs.calls_tools, "no text"),
        (stubs.says("It is 99.9 % certain. You definitely have it."), "borne out"),
        (stubs.is_silent, "in time"),
        (stubs.dribbles, "in time"),
    ],
)  # fmt: skip
def test_a_model_that_misbehaves_is_replaced_and_that_is_said(
    somebody: Asker, stub: Stub, behaviour: stubs.Behaviour, why: str
) -> None:
    stub.behaviour = behaviour
    plain = somebody.ask("Is it cancer?", prediction_id=somebody.own_id)
    with worded_by(somebody.app, stub, timeout_s=0.8):
        answer = somebody.ask("Is it cancer?", prediction_id=somebody.own_id)
    assert (answer["provider"], answer["chat_model"]) == ("offline", None)
    assert why in answer["fallback"]
    said = SAYS["fallback"].format(why=answer["fallback"])
    assert answer["reply"] == f"{said}\n\n{plain['reply']}"
    assert answer["citations"] == plain["citations"]
    assert "Smith" not in answer["reply"]


def test_a_server_that_asks_for_a_moment_is_asked_once_more(somebody: Asker, stub: Stub) -> None:
    stub.behaviour = stubs.first_then(stubs.refuses(429, Retry_After="0"), stubs.says("A doctor decides [1]."))
    with worded_by(somebody.app, stub):
        stub.received.clear()
        assert somebody.ask("Is it cancer?", prediction_id=somebody.own_id)["provider"] == "model"
    assert len(stub.received) == 2


def test_a_server_that_wants_rest_is_left_alone(somebody: Asker, stub: Stub) -> None:
    stub.behaviour = stubs.refuses(429, Retry_After="30")
    with worded_by(somebody.app, stub):
        stub.received.clear()
        told = [somebody.ask("Is it cancer?", prediction_id=somebody.own_id)["fallback"] for _ in range(2)]
    assert len(stub.received) == 1
    assert "left alone" in told[1]


def test_what_a_model_said_before_it_broke_off_is_taken_back_in_the_stream(somebody: Asker, stub: Stub) -> None:
    stub.behaviour = stubs.dribbles
    headers = {"Authorization": f"Bearer {somebody.me.access_token}", "Accept": "text/event-stream"}
    body = {"message": "Is it cancer?", "prediction_id": somebody.own_id}
    with worded_by(somebody.app, stub, timeout_s=0.5):
        text = somebody.me.client.post("/api/chat", json=body, headers=headers).text
    before, discarded, after = text.partition("event: discard")
    assert "The picture was looked at." in before
    assert discarded
    assert "The picture was looked at." not in after
    assert '"provider":"offline"' in after
