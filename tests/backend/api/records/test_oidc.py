"""Log-in at an issuer of OpenID Connect: who is let in, and which tokens are worth nothing."""

from __future__ import annotations

import io
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from records.issuers import CLIENT_ID, CLIENT_SECRET, Issuer, issuer_on_this_machine
from records.people import person
from werkzeug.test import TestResponse

from backend.app import Application
from backend.config import Config, ConfigError

MakeApp = Callable[..., Application]
AGAIN = "?reauthenticate=true"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuer_on_this_machine() as found:
        yield found


@pytest.fixture
def app(make_records_app: MakeApp, tmp_path: Path, issuer: Issuer) -> Application:
    return make_records_app(tmp_path, **known_to(issuer))


def known_to(issuer: Issuer) -> dict[str, Any]:
    """The settings."""
    return {"oidc_issuer": issuer.url, "oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def at_the_issuer(address: str) -> str:
    """Where a browser is sent from there."""
    try:
        urllib.request.build_opener(NoRedirect).open(address, timeout=5)  # noqa: S310 - of the issuer of this test
    except HTTPError as sent:
        sent.close()
        return str(sent.headers["Location"])
    raise AssertionError("the issuer sent nobody back")


def log_in(client: FlaskClient, query: str = "") -> TestResponse:
    begun = client.get(f"/api/v1/auth/oidc/login{query}")
    assert begun.status_code == 302, begun.text
    back = urlsplit(at_the_issuer(begun.headers["Location"]))
    return client.get(f"{back.path}?{back.query}")


def me(client: FlaskClient) -> dict[str, Any]:
    reply = client.get("/api/v1/auth/me")
    assert reply.status_code == 200, reply.text
    user: dict[str, Any] = reply.get_json()["user"]
    return user


def with_cookies(client: FlaskClient, method: str, path: str, body: Any, of: str = "access") -> TestResponse:
    """What the page of ours sends: the cookies, and the header that only it can set."""
    cookie = client.get_cookie(f"csrf_{of}_token", path="/")
    assert cookie is not None
    headers = {"X-CSRF-TOKEN": cookie.value}
    return client.open(f"/api/v1/auth{path}", method=method, json=body, headers=headers)


def test_who_logs_in_there_has_an_account_here(app: Application, issuer: Issuer) -> None:
    issuer.claims = {"sub": "person-1", "preferred_username": "Ada Lovelace", "email": "ada@example.org",
                     "email_verified": True, "role": "admin", "roles": ["admin"]}  # fmt: skip
    client = app.test_client()
    reply = log_in(client)
    assert (reply.status_code, reply.headers["Location"]) == (303, "/")
    first = me(client)
    assert (first["username"], first["email"], first["role"]) == ("Ada-Lovelace", "ada@example.org", "user")
    (asked,) = issuer.requests
    assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
    assert asked["redirect_uri"] == "http://localhost/api/v1/auth/oidc/callback"
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 20
    cookies = reply.headers.getlist("Set-Cookie")
    assert all("HttpOnly" in one and "SameSite=Strict" in one for one in cookies if one.startswith("access_token"))
    issuer.claims = {"sub": "person-1", "preferred_username": "somebody else"}
    again = app.test_client()
    assert log_in(again).status_code == 303
    assert me(again) == first, "by issuer and subject, whatever else is claimed"
    issuer.claims = {"sub": "person-2", "preferred_username": "Ada Lovelace"}
    other = app.test_client()
    assert log_in(other).status_code == 303
    assert me(other)["username"].startswith("Ada-Lovelace-")
    assert me(other)["email"].endswith("@users.invalid")


@pytest.mark.parametrize(
    ("claims", "signed"),
    [
        ({"nonce": "another"}, "own"), ({"nonce": None}, "own"), ({"aud": "another"}, "own"),
        ({"aud": ["another"], "azp": CLIENT_ID}, "own"), ({"iss": "http://127.0.0.1:1"}, "own"), ({"sub": None}, "own"),
        ({"sub": ""}, "own"), ({"sub": "x" * 256}, "own"), ({"exp": int(time.time()) - 3600}, "own"), ({}, "another"),
        ({}, "none"), ({}, "secret"), ({}, "nothing"),
    ],
)  # fmt: skip
def test_a_token_that_is_not_for_this_log_in_opens_nothing(
    claims: dict[str, Any], signed: str, app_on_file: Application, shared_issuer: Issuer
) -> None:
    shared_issuer.claims, shared_issuer.signed = {"sub": "person-1", **claims}, signed
    client = app_on_file.test_client()
    reply = log_in(client)
    assert (reply.status_code, reply.get_json()["code"]) == (401, "unauthenticated"), reply.text
    assert client.get("/api/v1/auth/me").status_code == 401


@pytest.fixture(scope="module")
def shared_issuer() -> Iterator[Issuer]:
    with issuer_on_this_machine() as found:
        yield found


@pytest.fixture(scope="module")
def app_on_file(make_file_app: MakeApp, shared_issuer: Issuer) -> Application:
    return make_file_app(**known_to(shared_issuer))


def test_an_account_of_the_issuer_is_deleted_after_a_log_in_of_just_now(
    app: Application, issuer: Issuer, picture: Callable[..., bytes]
) -> None:
    issuer.session_since = int(time.time()) - 3600  # it knows who it is, and asks nobody again
    client = app.test_client()
    assert log_in(client).status_code == 303
    csrf = client.get_cookie("csrf_access_token", path="/")
    sent = {"data": {"file": (io.BytesIO(picture()), "x")}, "headers": {"X-CSRF-TOKEN": csrf.value if csrf else ""}}
    file_id = client.post("/api/v1/upload", **sent).get_json()["file_id"]
    folder = app.services.config.data_dir / "files"
    assert (folder / file_id[:2] / file_id).exists()
    refused = with_cookies(client, "DELETE", "/me", {})
    assert (refused.status_code, refused.get_json()["code"]) == (401, "insufficient_user_authentication")
    assert "/api/v1/auth/oidc/login?reauthenticate=true" in refused.get_json()["error"]
    challenge = 'Bearer error="insufficient_user_authentication", max_age="300"'
    assert refused.headers["WWW-Authenticate"] == challenge
    guessed = with_cookies(client, "DELETE", "/me", {"password": "x" * 8})
    assert guessed.get_json()["code"] == "insufficient_user_authentication", "it has no password that could be guessed"
    assert log_in(client, AGAIN).status_code == 303
    assert (issuer.requests[-1]["prompt"], issuer.requests[-1]["max_age"]) == ("login", "0")
    assert with_cookies(client, "POST", "/refresh", {}, "refresh").status_code == 200
    late = with_cookies(client, "DELETE", "/me", {})
    assert late.get_json()["code"] == "insufficient_user_authentication", "what is refreshed is of no new log-in"
    assert log_in(client, AGAIN).status_code == 303
    assert with_cookies(client, "DELETE", "/me", {}).status_code == 200
    assert client.get("/api/v1/auth/me").status_code == 401
    assert not (folder / file_id[:2] / file_id).exists()


@pytest.mark.parametrize(
    ("auth_time", "deletes"),
    [
        (lambda now: now - 290, 200), (lambda now: now + 30, 200), (lambda now: now - 302, 401),
        (lambda now: now + 3600, 401), (lambda _: None, 401), (lambda _: 0, 401), (lambda _: True, 401),
        (lambda _: 1e300, 401), (lambda _: -1, 401),
    ],
)  # fmt: skip
def test_when_the_issuer_saw_who_it_is_decides(
    auth_time: Callable[[int], Any], deletes: int, app_on_file: Application, shared_issuer: Issuer
) -> None:
    told = auth_time(int(time.time()))
    shared_issuer.signed, shared_issuer.claims = "own", {"sub": "person-3", "auth_time": told}
    client = app_on_file.test_client()
    assert log_in(client, AGAIN).status_code == 303
    assert with_cookies(client, "DELETE", "/me", {}).status_code == deletes


def test_a_password_that_there_is_not_is_not_changed(app_on_file: Application, shared_issuer: Issuer) -> None:
    shared_issuer.signed, shared_issuer.claims = "own", {"sub": "person-4"}
    client = app_on_file.test_client()
    assert log_in(client, AGAIN).status_code == 303
    reply = with_cookies(client, "POST", "/password", {"password": "x" * 8, "new_password": "y" * 8})
    assert (reply.status_code, reply.get_json()["code"]) == (403, "forbidden")
    assert "has no password here" in reply.get_json()["error"]
    name = {"username": me(client)["username"], "password": "x" * 8}
    assert client.post("/api/v1/auth/login", json=name).get_json()["code"] == "wrong_password"


def test_a_callback_that_nobody_began_opens_nothing(app_on_file: Application, shared_issuer: Issuer) -> None:
    shared_issuer.claims, shared_issuer.signed = {"sub": "person-1"}, "own"
    client = app_on_file.test_client()
    begun = client.get("/api/v1/auth/oidc/login")
    back = urlsplit(at_the_issuer(begun.headers["Location"]))
    stranger = app_on_file.test_client()
    for somebody, query in (
        (stranger, back.query), (client, back.query.replace("state=", "state=x")), (client, ""),
        (client, "error=access_denied&error_description=%3Cscript%3E"),
    ):  # fmt: skip
        reply = somebody.get(f"{back.path}?{query}")
        assert (reply.status_code, reply.get_json()["code"]) == (401, "unauthenticated")
        assert "script" not in reply.text
    assert client.get(f"{back.path}?{back.query}").status_code == 303
    assert client.get(f"{back.path}?{back.query}").status_code == 401, "a code is good for once"
    assert parse_qs(urlsplit(begun.headers["Location"]).query)["client_id"] == [CLIENT_ID]


def test_nobodys_account_is_taken_over_and_none_is_made_where_that_is_closed(
    make_records_app: MakeApp, tmp_path: Path, issuer: Issuer
) -> None:
    app = make_records_app(tmp_path, **known_to(issuer))
    ada = person(app)
    issuer.claims = {"sub": "p", "email": f"{ada.username}@example.org", "email_verified": True}
    first = app.test_client()
    assert log_in(first).status_code == 303, "who registered with the address of somebody else keeps nobody out"
    assert me(first)["email"].endswith("@users.invalid")
    issuer.claims |= {"sub": "q", "email_verified": False, "preferred_username": ada.username}
    client = app.test_client()
    assert log_in(client).status_code == 303
    assert me(client)["id"] != ada.get("/auth/me")["user"]["id"]
    assert me(client)["username"] != ada.username


def test_an_issuer_whose_name_ends_in_a_slash(make_file_app: MakeApp, issuer: Issuer) -> None:
    issuer.calls_itself = f"{issuer.url}/realm/"
    issuer.claims = {"sub": "p", "iss": issuer.calls_itself}
    app = make_file_app(**known_to(issuer) | {"oidc_issuer": issuer.calls_itself})
    assert log_in(app.test_client()).status_code == 303


def test_where_registration_is_closed_nobody_new_comes_in_and_an_issuer_that_is_gone_is_told(
    make_file_app: MakeApp,
) -> None:
    with issuer_on_this_machine() as issuer:
        app = make_file_app(registration=False, **known_to(issuer))
        assert log_in(app.test_client()).status_code == 403
        issuer.calls_itself = "https://example.org"
        other = make_file_app(**known_to(issuer))
        for left_out in ("", "issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"):
            issuer.leaves_out = left_out
            assert other.test_client().get("/api/v1/auth/oidc/login").status_code == 503, left_out
            issuer.calls_itself = None
        issuer.leaves_out = ""
        assert log_in(other.test_client()).status_code == 303, "what was wrong for a while is right again"
    gone = make_file_app(**known_to(issuer))
    reply = gone.test_client().get("/api/v1/auth/oidc/login")
    assert (reply.status_code, reply.get_json()["code"]) == (503, "issuer_unavailable")


@pytest.mark.parametrize(
    "wrong",
    [
        {"OIDC_ISSUER": "https://example.org"}, {"OIDC_CLIENT_ID": "x"},
        {"OIDC_ISSUER": "http://example.org", "OIDC_CLIENT_ID": "x"},
        {"OIDC_ISSUER": "example.org", "OIDC_CLIENT_ID": "x"}, {"AUTH": "maybe"}, {"PUBLIC_URL": "javascript:x"},
    ],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Config.from_env(wrong)
    good = {"OIDC_ISSUER": "http://127.0.0.1:8080/realm", "OIDC_CLIENT_ID": "x", "AUTH": "required"}
    assert Config.from_env(good).auth_required is True
