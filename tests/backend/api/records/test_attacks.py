"""What an attacker sends, on both databases: it is refused with its code, and nothing that is kept has changed."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from flask.testing import FlaskClient
from records.people import PASSWORD, Person, person
from sqlalchemy import select
from werkzeug.test import TestResponse

from backend.app import Application
from backend.storage.tables import Table

SQL = (
    "' OR '1'='1", "1; DROP TABLE users; --", "x' UNION SELECT password_hash FROM users --", "%", "\\", "a\x00b",
    "\ud800",
)  # fmt: skip
# Of whom somebody asked, who failed and what was looked at is noted, and nothing else.
NOTED = {"audit", "audit_head", "login_attempts", "revoked_tokens"}


@dataclass(frozen=True)
class Scene:
    """A victim with a record that is shared, somebody else, and a third one whose password is guessed."""

    app: Application
    victim: Person
    attacker: Person
    guessed: Person
    file_id: str
    record_id: str

    def state(self) -> str:
        """A hash of all that is kept: rows and files."""
        found = hashlib.sha256()
        with self.app.services.records.open().database.reading() as session:
            for table in Table.metadata.sorted_tables:
                if table.name not in NOTED:
                    rows = sorted(repr(tuple(row)) for row in session.execute(select(table)))
                    found.update("\n".join((table.name, *rows)).encode())
        folder = self.app.services.config.data_dir
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and "sqlite3" not in path.name):
            found.update(str(path).encode() + path.read_bytes())
        return found.hexdigest()


@pytest.fixture(scope="module")
def scene(records_app: Application, picture: Callable[..., bytes]) -> Scene:
    victim, attacker = person(records_app, "clinician"), person(records_app, "clinician")
    kept = victim.predict(picture(width_px=90, height_px=80), patient_ref="p-1")
    victim.call("POST", f"/history/{kept['prediction_id']}/share", json={"shared": True})
    return Scene(records_app, victim, attacker, person(records_app), kept["file_id"], kept["prediction_id"])


@pytest.fixture(autouse=True)
def nothing_changed(scene: Scene) -> Iterator[None]:
    """After every test of this file."""
    before = scene.state()
    yield
    assert scene.state() == before


def refused(reply: TestResponse, *expected: tuple[int, str]) -> None:
    told = reply.get_json()
    assert (reply.status_code, told.get("code")) in expected, told
    assert "Traceback" not in reply.text
    assert "SELECT" not in told["error"].replace(SQL[2][:60], "")


@pytest.mark.parametrize("text", SQL)
@pytest.mark.parametrize("field", ["task", "class_code", "triage", "patient_ref", "from", "page", "before"])
def test_sql_in_a_filter_finds_nothing(scene: Scene, field: str, text: str) -> None:
    asked = f"/history?{field}={quote(text.encode('utf-8', 'surrogatepass'))}"
    reply = scene.victim.call("GET", asked)
    if reply.status_code == 200:
        assert (field in ("task", "class_code"), reply.get_json()["total"]) == (True, 0)
    else:
        refused(reply, (422, "invalid_value"))


@pytest.mark.parametrize("text", SQL)
def test_sql_in_an_address_is_not_found(scene: Scene, text: str) -> None:
    part = quote(text.encode("utf-8", "surrogatepass"), safe="")
    for path in ("/history/{}", "/history/{}/heatmap.png", "/files/{}", "/patients/{}/timeline"):
        refused(scene.victim.call("GET", path.format(part)), (404, "not_found"))
    refused(scene.victim.call("DELETE", f"/history/{part}"), (404, "not_found"))


@pytest.mark.parametrize("text", SQL)
def test_sql_in_a_log_in_opens_nothing(scene: Scene, text: str) -> None:
    sent = json.dumps({"username": text, "password": text})
    reply = scene.app.test_client().post("/api/v1/auth/login", data=sent, content_type="application/json")
    refused(reply, (401, "wrong_password"), (422, "invalid_value"), (400, "invalid_json"))


@pytest.mark.parametrize("text", SQL)
def test_sql_in_a_body_is_refused_or_kept_as_it_is(scene: Scene, text: str) -> None:
    nul = [{"note": text}] if "\x00" in text else []  # which PostgreSQL cannot keep
    for body in ({"right_class": text}, {"note": text, "right_class": "nothing"}, *nul):
        sent = json.dumps({"agrees": False, **body})
        reply = scene.attacker.call(
            "POST", f"/history/{scene.record_id}/feedback", data=sent, content_type="application/json"
        )
        refused(reply, (422, "invalid_value"), (400, "invalid_json"))
    for field in ("file_id", "task", "patient_ref"):
        sent = json.dumps({"file_id": scene.file_id, "task": "skin", field: text})
        reply = scene.attacker.call("POST", "/predict", data=sent, content_type="application/json")
        refused(reply, (422, "invalid_value"), (400, "invalid_json"), (404, "not_found"))


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ('{"shared": false, "shared": true}', "invalid_json"), ('{"shared": NaN}', "invalid_json"),
        ('{"shared": 1}', "invalid_value"), ('{"shared": "false"}', "invalid_value"), ("[]", "invalid_value"),
        ('{"shared": false, "__proto__": {"role": "admin"}}', "unknown_field"),
        ('{"shared": false, "user_id": "x"}', "unknown_field"), ("[" * 100_000, "invalid_json"),
        ('{"shared": {"$ne": null}}', "invalid_value"), ('{"shared": 1e999}', "invalid_json"),
        (f'{{"x": "{"y" * 300_000}"}}', "invalid_value"), ("", "empty_input"),
    ],
)  # fmt: skip
def test_json_that_is_no_share_changes_nothing(scene: Scene, sent: str, code: str) -> None:
    path = f"/history/{scene.record_id}/share"
    reply = scene.victim.call("POST", path, data=sent.encode(), content_type="application/json")
    refused(reply, (400, code), (422, code))


def test_a_body_of_another_kind_is_not_read_as_json(scene: Scene) -> None:
    """A form is what a foreign page can send without asking."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        path = f"/history/{scene.record_id}/share"
        reply = scene.victim.call("POST", path, data=b'{"shared": false}', content_type=kind)
        refused(reply, (415, "unsupported_format"))


def test_no_header_of_the_request_is_a_header_of_the_answer(scene: Scene) -> None:
    odd = {
        "X-Request-ID": "a\tb; Set-Cookie: role=admin", "X-Forwarded-Proto": "https://x",
        "X-HTTP-Method-Override": "DELETE", "X-Original-URL": "/api/v1/audit", "Origin": "null",
        "X-User-Id": scene.victim.username,
    }  # fmt: skip
    reply = scene.attacker.call("POST", f"/history/{scene.record_id}/share?x=%0d%0aSet-Cookie:%20a=b", headers=odd)
    refused(reply, (400, "unknown_parameter"))
    assert "role=admin" not in str(reply.headers)
    assert "Set-Cookie" not in reply.headers
    refused(scene.attacker.call("GET", "/audit", headers=odd), (403, "forbidden"))


@pytest.mark.parametrize(
    "path",
    ["../../secret_key", "..%2f..%2fsecret_key", "%2e%2e/%2e%2e/records.sqlite3", "..%5c..%5cx", "%00", "/etc/passwd"],
)
def test_no_address_leads_out_of_the_store(scene: Scene, path: str) -> None:
    for method in ("GET", "DELETE"):
        reply = scene.attacker.call(method, f"/files/{path}")
        refused(reply, (404, "not_found"), (405, "method_not_allowed"))


def test_no_name_of_a_file_is_a_path(scene: Scene) -> None:
    for name in ("../../x.png", "/etc/passwd", "a\x00.png", "con.png", "x" * 5000):
        reply = scene.attacker.call("POST", "/upload", data={"file": (io.BytesIO(b"not a picture"), name)})
        refused(reply, (415, "unsupported_format"))


def forged(app: Application, token: str, **changed: Any) -> str:
    """Signed with the right secret, and something else in it."""
    secret = str(app.config["JWT_SECRET_KEY"])
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode({**claims, **changed}, secret, algorithm="HS256")


def unsigned(token: str, header: dict[str, str], signature: str = "") -> str:
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return ".".join((head, token.split(".")[1], signature))


def test_a_token_that_is_none_of_ours_changes_nothing(scene: Scene) -> None:
    app, long_ago = scene.app, datetime.now(UTC) - timedelta(hours=1)
    ada = Person(app.test_client(), scene.victim.username, scene.victim.access_token, scene.victim.refresh_token)
    token, out = ada.access_token, person_of(scene, PASSWORD)
    claims = jwt.decode(token, options={"verify_signature": False})
    ada.access_token = forged(app, token)
    assert ada.call("GET", "/auth/me").status_code == 200, "the helper signs as we do"
    assert out.call("POST", "/auth/logout").status_code == 200
    wrong = [
        unsigned(token, {"alg": "none", "typ": "JWT"}),
        unsigned(token, {"alg": "None", "typ": "JWT"}),
        unsigned(token, {"alg": "HS512", "typ": "JWT"}, token.split(".")[2]),
        unsigned(token, {"alg": "RS256", "typ": "JWT", "jwk": "{}"}, token.split(".")[2]),
        jwt.encode(claims, "another secret" * 4, algorithm="HS256"),
        jwt.encode(claims, str(app.secret_key), algorithm="HS256"),
        jwt.encode(claims, str(app.config["JWT_SECRET_KEY"]) * 2, algorithm="HS512"),
        forged(app, token, exp=long_ago),
        forged(app, token, iss="elsewhere"),
        forged(app, token, sub=str(uuid.uuid4())),
        forged(app, token, sub="' OR 1=1 --"),
        forged(app, token, sub=7),
        forged(app, token, gen="0"),
        forged(app, token, gen=claims["gen"] + 1),
        forged(app, token, sid=None),
        token[:-2], "x", "a.b.c", "", ada.refresh_token, out.access_token, out.refresh_token,
    ]  # fmt: skip
    for one in wrong:
        ada.access_token = one
        for method, path in (("GET", "/auth/me"), ("DELETE", f"/history/{scene.record_id}"), ("DELETE", "/auth/me")):
            refused(ada.call(method, path, json={"password": PASSWORD}), (401, "unauthenticated"))


def person_of(scene: Scene, password: str) -> Person:
    """The victim, logged in once more."""
    client = scene.app.test_client()
    told = client.post("/api/v1/auth/login", json={"username": scene.victim.username, "password": password}).get_json()
    return Person(client, scene.victim.username, told["access_token"], told["refresh_token"])


def with_cookies(scene: Scene) -> tuple[FlaskClient, str]:
    client = scene.app.test_client()
    body = {"username": scene.victim.username, "password": PASSWORD, "cookies": True}
    return client, client.post("/api/v1/auth/login", json=body).get_json()["csrf_token"]


def test_a_foreign_page_can_change_nothing_with_the_cookies_of_ours(scene: Scene) -> None:
    client, csrf = with_cookies(scene)
    _, of_another = with_cookies(scene)
    refresh = client.get_cookie("csrf_refresh_token", path="/")
    others: list[dict[str, Any]] = [
        {}, {"headers": {"X-CSRF-TOKEN": of_another}}, {"headers": {"X-CSRF-TOKEN": ""}},
        {"headers": {"X-CSRF-TOKEN": refresh.value if refresh else "x"}}, {"headers": {"X-XSRF-TOKEN": csrf}},
    ]  # fmt: skip
    unsafe = [
        ("POST", "/upload"), ("POST", "/predict"), ("DELETE", f"/history/{scene.record_id}"),
        ("POST", f"/history/{scene.record_id}/share"), ("POST", f"/history/{scene.record_id}/feedback"),
        ("DELETE", f"/files/{scene.file_id}"), ("POST", "/auth/password"), ("DELETE", "/auth/me"),
        ("POST", "/auth/logout"), ("POST", "/auth/refresh"), ("PATCH", "/auth/me"), ("POST", "/batch-predict"),
        ("DELETE", f"/batches/{uuid.uuid4()}"),
    ]  # fmt: skip
    for method, path in unsafe:
        for sent in others if path != "/auth/refresh" else others[:3]:
            refused(client.open(f"/api/v1{path}", method=method, json={}, **sent), (403, "csrf_failed"))
    assert client.get("/api/v1/auth/me").status_code == 200, "the log-in still counts"
    headers = {"X-CSRF-TOKEN": csrf}
    allowed = client.post(f"/api/v1/history/{scene.record_id}/share", json={"shared": True}, headers=headers)
    assert allowed.status_code == 200


def test_another_origin_gets_no_cookies_with_it(scene: Scene) -> None:
    client, _ = with_cookies(scene)
    reply = client.get("/api/v1/auth/me", headers={"Origin": "https://elsewhere.example"})
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in reply.headers


def test_guessing_a_password_ends_in_waiting_wherever_one_is_told(scene: Scene) -> None:
    mallory = scene.guessed
    guess = {"json": {"password": "guess" * 3, "new_password": PASSWORD}}
    statuses = [mallory.call("POST", "/auth/password", **guess).status_code for _ in range(6)]
    assert statuses == [401] * 6
    for method, path, body in (
        ("POST", "/auth/password", {"password": PASSWORD, "new_password": PASSWORD}),
        ("DELETE", "/auth/me", {"password": PASSWORD}),
        ("POST", "/auth/login", {"username": mallory.username, "password": PASSWORD}),
    ):
        reply = mallory.call(method, path, json=body)
        refused(reply, (429, "too_many_attempts"))
        assert int(reply.headers["Retry-After"]) >= 1
    assert mallory.get("/auth/me")["user"]["username"] == mallory.username


def test_a_form_that_is_too_large_in_any_way_is_refused(scene: Scene) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
    many = b"".join(part % (b"field%d" % number, b"x") for number in range(70))
    for body in (many, part % (b"task", b"x" * 600_000), part % (b'file"; filename="x', bytes(33_000_000))):
        for path in ("/predict", "/upload"):
            kind = "multipart/form-data; boundary=x"
            reply = scene.attacker.call("POST", path, data=body + b"--x--\r\n", content_type=kind)
            refused(reply, (413, "input_too_large"))
