"""Accounts over HTTP, on both databases."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from records.people import PASSWORD, Person, person
from sqlalchemy import select

from backend.app import Application
from backend.storage.tables import AuditEntry, RevokedToken, User

ANOTHER, GUESS = PASSWORD.swapcase(), PASSWORD[::-1]


def register(app: Application, **changed: Any) -> tuple[int, dict[str, Any]]:
    name = f"n{uuid.uuid4().hex[:10]}"
    body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD, **changed}
    reply = app.test_client().post("/api/v1/auth/register", json=body)
    return reply.status_code, reply.get_json()


def test_a_new_account_is_a_users_whatever_is_sent(records_app: Application) -> None:
    status, told = register(records_app)
    assert (status, told["user"]["role"]) == (201, "user")
    assert told["user"].keys() == {"id", "username", "email", "role", "created_at", "keep_answers"}
    status, error = register(records_app, role="admin")
    assert (status, error["code"]) == (400, "unknown_field")


def test_names_and_addresses_are_taken_once(records_app: Application) -> None:
    _, told = register(records_app)
    user = told["user"]
    for taken in ({"username": user["username"].upper()}, {"email": user["email"].upper()}):
        status, error = register(records_app, **taken)
        assert (status, error["code"]) == (409, "already_exists")


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "x" * 7}, {"username": "a b"}, {"username": "x"}, {"email": "nobody"},
        {"username": "a'; DROP TABLE users; --"}, {"username": "x\r\nSet-Cookie: a=b"}, {"password": ["a" * 9]},
    ],
)  # fmt: skip
def test_what_is_no_account_is_refused(records_app: Application, wrong: dict[str, Any]) -> None:
    status, error = register(records_app, **wrong)
    assert (status, error["code"]) == (422, "invalid_value")
    assert "".join(wrong.get("password", PASSWORD)) not in error["error"], "passwords are in no message"


def test_a_log_in_by_name_or_address_and_what_its_tokens_tell(records_app: Application) -> None:
    ada = person(records_app)
    me = ada.get("/auth/me")
    assert me["user"]["username"] == ada.username
    body = {"username": me["user"]["email"], "password": PASSWORD}
    assert ada.client.post("/api/auth/login", json=body).get_json()["user"] == me["user"]
    wrong = ada.client.post("/api/v1/auth/login", json={**body, "password": GUESS})
    assert (wrong.status_code, wrong.get_json()["code"]) == (401, "wrong_password")
    assert wrong.headers["WWW-Authenticate"] == "Bearer"


def test_refresh_tokens_are_good_for_refreshing_alone(records_app: Application) -> None:
    ada = person(records_app)
    with_refresh = Person(ada.client, ada.username, ada.refresh_token, "")
    assert with_refresh.call("GET", "/auth/me").status_code == 401, "a refresh token reads nothing"
    assert ada.call("POST", "/auth/refresh").status_code == 401, "an access token makes no tokens"
    told = with_refresh.call("POST", "/auth/refresh").get_json()
    newer = Person(ada.client, ada.username, told["access_token"], told["refresh_token"])
    assert newer.get("/auth/me")["user"]["username"] == ada.username


def refreshed(who: Person, token: str) -> tuple[int, dict[str, Any]]:
    """What a refresh token gives."""
    headers = {"Authorization": f"Bearer {token}"}
    reply = who.client.post("/api/v1/auth/refresh", headers=headers)
    return reply.status_code, reply.get_json()


def id_of(token: str) -> str:
    return str(jwt.decode(token, options={"verify_signature": False})["jti"])


def deeds(app: Application, who: Person) -> list[str]:
    """What an account did, in order, by the audit log."""
    with app.services.records.open().database.reading() as session:
        mine = session.scalars(select(User.id).where(User.username == who.username)).one()
        told = select(AuditEntry.action).where(AuditEntry.actor_id == str(mine)).order_by(AuditEntry.number)
        return list(session.scalars(told))


def test_a_refresh_token_that_is_sent_again_at_once_has_the_same_follower(records_app: Application) -> None:
    """As by who lost the answer, or two windows at a time: neither of them is a thief."""
    ada = person(records_app)
    (_, first), (status, second) = refreshed(ada, ada.refresh_token), refreshed(ada, ada.refresh_token)
    assert status == 200
    assert id_of(first["refresh_token"]) == id_of(second["refresh_token"]) != id_of(ada.refresh_token)
    assert deeds(records_app, ada) == ["register", "login", "refresh", "refresh_again"]
    for told in (first, second):
        assert Person(ada.client, "", told["access_token"], "").call("GET", "/auth/me").status_code == 200
    assert refreshed(ada, first["refresh_token"])[0] == 200
    assert refreshed(ada, ada.refresh_token)[0] == 401, "its follower was used: who sends it now does not have that"
    assert refreshed(ada, second["refresh_token"])[0] == 401


@pytest.mark.parametrize(("ago_s", "status"), [(9, 200), (11, 401)])
def test_a_refresh_token_that_is_used_twice_ends_its_log_in_and_no_other(
    records_app: Application, ago_s: int, status: int
) -> None:
    ada, database = person(records_app), records_app.services.records.open().database
    reply = ada.client.post("/api/v1/auth/login", json={"username": ada.username, "password": PASSWORD}).get_json()
    _, owner = refreshed(ada, ada.refresh_token)
    with database.writing() as session:
        session.get_one(RevokedToken, id_of(ada.refresh_token)).expires_at -= timedelta(seconds=ago_s)
    assert refreshed(ada, ada.refresh_token)[0] == status
    assert deeds(records_app, ada)[-1] == ("refresh_again" if status == 200 else "refresh_reused")
    of_log_in = Person(ada.client, ada.username, owner["access_token"], "")
    assert of_log_in.call("GET", "/auth/me").status_code == status
    assert refreshed(ada, owner["refresh_token"])[0] == status
    elsewhere = Person(ada.client, ada.username, reply["access_token"], "")
    assert elsewhere.call("GET", "/auth/me").status_code == 200
    assert refreshed(ada, reply["refresh_token"])[0] == 200
    before = deeds(records_app, ada)
    assert status == 200 or refreshed(ada, ada.refresh_token)[0] == 401
    assert deeds(records_app, ada) == before, "the log-in is ended once"


def test_of_many_who_refresh_at_once_all_have_one_follower(records_app: Application) -> None:
    ada = person(records_app)
    with ThreadPoolExecutor(4) as several:
        clients = [Person(records_app.test_client(), "", "", "") for _ in range(4)]
        told = list(several.map(lambda one: refreshed(one, ada.refresh_token), clients))
    assert [status for status, _ in told] == [200] * 4
    assert len({id_of(one["refresh_token"]) for _, one in told}) == 1
    assert sorted(deeds(records_app, ada)[2:]) == ["refresh", *["refresh_again"] * 3]


def test_logging_out_ends_every_token_of_the_log_in_and_no_other(records_app: Application) -> None:
    ada = person(records_app)
    reply = ada.client.post("/api/v1/auth/login", json={"username": ada.username, "password": PASSWORD}).get_json()
    elsewhere = Person(ada.client, ada.username, reply["access_token"], reply["refresh_token"])
    assert ada.call("POST", "/auth/logout").status_code == 200
    assert ada.call("GET", "/auth/me").status_code == 401
    ada.access_token = ada.refresh_token
    assert ada.call("POST", "/auth/refresh").status_code == 401
    assert elsewhere.call("GET", "/auth/me").status_code == 200


def test_a_change_of_password_ends_every_token(records_app: Application) -> None:
    ada = person(records_app)
    change = {"password": PASSWORD, "new_password": ANOTHER}
    assert ada.call("POST", "/auth/password", json={**change, "password": GUESS}).status_code == 401
    assert ada.call("POST", "/auth/password", json=change).status_code == 200
    assert ada.call("GET", "/auth/me").status_code == 401
    login = {"username": ada.username, "password": PASSWORD}
    assert ada.client.post("/api/v1/auth/login", json=login).status_code == 401
    assert ada.client.post("/api/v1/auth/login", json={**login, "password": ANOTHER}).status_code == 200


@pytest.mark.parametrize("exists", [True, False])
def test_guessing_waits_longer_and_longer_whether_there_is_an_account_or_not(
    records_app: Application, exists: bool
) -> None:
    name = person(records_app).username if exists else f"nobody{uuid.uuid4().hex[:8]}"
    client, body = records_app.test_client(), {"username": name, "password": GUESS}
    statuses = [client.post("/api/v1/auth/login", json=body).status_code for _ in range(6)]
    assert statuses == [401] * 6
    refused = client.post("/api/v1/auth/login", json={"username": name.upper(), "password": PASSWORD})
    assert (refused.status_code, refused.get_json()["code"]) == (429, "too_many_attempts")
    assert 1 <= int(refused.headers["Retry-After"]) <= 2


def test_cookies_need_the_header_that_only_our_page_can_send(records_app: Application) -> None:
    name = person(records_app).username
    client = records_app.test_client()
    reply = client.post("/api/v1/auth/login", json={"username": name, "password": PASSWORD, "cookies": True})
    assert "access_token" not in reply.get_json()
    cookies = reply.headers.getlist("Set-Cookie")
    tokens = [one for one in cookies if one.startswith(("access_token_cookie", "refresh_token_cookie"))]
    assert len(tokens) == 2
    assert all("HttpOnly" in one and "SameSite=Strict" in one for one in tokens)
    assert client.get("/api/v1/auth/me").status_code == 200
    forged = client.post("/api/v1/auth/logout")
    assert (forged.status_code, forged.get_json()["code"]) == (403, "csrf_failed")
    csrf = {"X-CSRF-TOKEN": reply.get_json()["csrf_token"]}
    out = client.post("/api/v1/auth/logout", headers=csrf)
    assert out.status_code == 200
    assert client.get("/api/v1/auth/me").status_code == 401


@pytest.mark.parametrize("is_there", [True, False])
def test_a_page_logs_out_after_its_access_token_has_expired(records_app: Application, is_there: bool) -> None:
    name = person(records_app).username
    page, thief = records_app.test_client(), records_app.test_client()
    page.post("/api/v1/auth/login", json={"username": name, "password": PASSWORD, "cookies": True})
    paths = {"access_token_cookie": "/", "refresh_token_cookie": "/api", "csrf_refresh_token": "/"}
    access, refresh, csrf = (
        str(getattr(page.get_cookie(name, path=path), "value", "")) for name, path in paths.items()
    )
    page.delete_cookie("access_token_cookie")
    if is_there:
        claims = jwt.decode(access, options={"verify_signature": False})
        secret = str(records_app.config["JWT_SECRET_KEY"])
        page.set_cookie("access_token_cookie", jwt.encode({**claims, "exp": 1}, secret, algorithm="HS256"))
    assert page.post("/api/v1/auth/logout").status_code == 403
    assert page.post("/api/v1/auth/logout", headers={"X-CSRF-TOKEN": csrf}).status_code == 200
    assert page.get_cookie("refresh_token_cookie", path="/api") is None
    told = {"Authorization": f"Bearer {refresh}"}
    assert thief.post("/api/v1/auth/refresh", headers=told).status_code == 401, "it is worth nothing any more"


def test_an_account_goes_with_all_that_is_its(records_app: Application, picture: Callable[..., bytes]) -> None:
    ada = person(records_app)
    kept = ada.predict(picture(seed=4), patient_ref="p-1")
    folder = records_app.services.config.data_dir / "files"
    mine = [path for path in folder.glob("*/*") if path.name == kept["file_id"]]
    assert len(mine) == 1
    export = ada.get("/auth/export")
    assert [one["id"] for one in export["predictions"]] == [kept["prediction_id"]]
    assert export["predictions"][0]["result"] == kept["result"]
    assert {one["kind"] for one in export["files"]} == {"upload", "heatmap"}
    assert "predict" in {one["action"] for one in export["audit"]}
    older = ada.get(f"/auth/export?before={export['predictions'][0]['number']}")
    assert [older[name] for name in ("predictions", "files", "feedback", "batches", "audit")] == [[]] * 5
    assert ada.call("DELETE", "/auth/me", json={"password": GUESS}).status_code == 401
    bare = ada.call("DELETE", "/auth/me", json={})
    assert (bare.status_code, bare.get_json()["code"]) == (401, "wrong_password"), "a token alone deletes nothing"
    assert ada.call("DELETE", "/auth/me", json={"password": PASSWORD}).status_code == 200
    assert ada.call("GET", "/history").status_code == 401
    assert not mine[0].exists()
    assert register(records_app, username=ada.username)[0] == 201, "the name is free again"


def test_registration_can_be_the_operators(make_records_app: Callable[..., Application], tmp_path: Path) -> None:
    app = make_records_app(tmp_path, registration=False)
    status, error = register(app)
    assert (status, error["code"]) == (403, "forbidden")


@pytest.mark.parametrize("header", ["Token x", "Basic eDp5", "Bearer a, Bearer b", ", ,", "Bearer", "Bearer a b"])
def test_a_header_that_is_no_token_is_not_nobodys(records_file_app: Application, header: str) -> None:
    client = records_file_app.test_client()
    for path in ("/predict-heart", "/predict-disease?keep=true"):
        reply = client.post(path, json={}, headers={"Authorization": header})
        assert (reply.status_code, reply.get_json()["code"]) == (401, "unauthenticated"), reply.text


def test_the_word_before_a_token_in_any_case(records_file_app: Application) -> None:
    ada = person(records_file_app)
    for word in ("bearer", "BEARER"):
        headers = {"Authorization": f"{word} {ada.access_token}"}
        assert ada.client.get("/api/v1/auth/me", headers=headers).status_code == 200
