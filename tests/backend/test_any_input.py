"""Whatever is sent, bytes or JSON, is answered or refused in words, never with a server's error."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import upload

from backend.app import Application

SKIN = "/analyze/skin"
DISEASE = "/predict-disease"
HEART = "/predict-heart"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NEVER_A_SERVER_ERROR = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("path", [DISEASE, HEART])
@NEVER_A_SERVER_ERROR
@given(body=JSON)
def test_any_json_gets_an_answer_of_the_caller_s_kind(live_app: Application, path: str, body: object) -> None:
    reply = live_app.test_client().post(path, data=json.dumps(body), content_type="application/json")
    assert reply.status_code in {200, 400, 422}, reply.text
    assert reply.get_json()["success"] is (reply.status_code == 200)


@NEVER_A_SERVER_ERROR
@given(
    data=st.binary(max_size=400),
    head=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0"]),
)
def test_any_bytes_are_refused_in_words(live_app: Application, data: bytes, head: bytes) -> None:
    reply = live_app.test_client().post(SKIN, data=upload(head + data))
    assert reply.status_code in {400, 413, 415, 422}, reply.text
