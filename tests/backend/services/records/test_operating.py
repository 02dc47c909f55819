"""What an operator does to accounts at a terminal, beside a service that runs on the same records."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from records.people import PASSWORD, Person, person
from records.writers import small_picture
from sqlalchemy import select

from backend.admin import main
from backend.app import Application
from backend.storage.audit import OPERATOR, verify
from backend.storage.tables import AuditEntry

ANOTHER, GUESS = PASSWORD.swapcase(), PASSWORD[::-1]
SIGNED_WITH = "k" * 32


@pytest.fixture
def app(
    make_records_app: Callable[..., Application], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Application:  # fmt: skip
    """With the environment of its operator."""
    made = make_records_app(tmp_path, secret_key=SIGNED_WITH)
    config = made.services.config
    url = config.database_url.replace("+psycopg", "")
    settings = {"APP_ENV": "testing", "SECRET_KEY": SIGNED_WITH, "DATA_DIR": str(config.data_dir), "DATABASE_URL": url}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return made


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, piped: str = "") -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{piped}\n"))
    return main(arguments)


def log_in(who: Person, password: str, name: str | None = None) -> int:
    body = {"username": name or who.username, "password": password}
    return who.client.post("/api/v1/auth/login", json=body).status_code


def locked(who: Person) -> bool:
    """After so many guesses that it is."""
    return [log_in(who, GUESS) for _ in range(6)][-1] == 401 and log_in(who, PASSWORD) == 429


def of_operator(app: Application) -> list[tuple[str, str]]:
    """What the audit log has of the operator, which must be unbroken."""
    with app.services.records.open().database.reading() as session:
        assert verify(session).fault is None
        told = select(AuditEntry.action, AuditEntry.object_id).where(AuditEntry.actor_id == OPERATOR)
        return [(row.action, row.object_id) for row in session.execute(told.order_by(AuditEntry.number))]


def test_another_password_ends_every_log_in_and_every_wait(
    app: Application, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ada, bob = person(app), person(app)
    user_id = ada.get("/auth/me")["user"]["id"]
    assert locked(ada)
    assert run(monkeypatch, "set-password", ada.username, piped="short") == 2
    assert capsys.readouterr().err == "password: String should have at least 8 characters\n"
    assert run(monkeypatch, "set-password", "nobody", piped=ANOTHER) == 2
    assert capsys.readouterr().err == "not done: there is no account of this name; list-users has all\n"
    assert ada.call("GET", "/auth/me").status_code == 200, "nothing was done yet"
    assert run(monkeypatch, "set-password", ada.username.upper(), piped=ANOTHER) == 0
    told = capsys.readouterr()
    assert told.out == f"{ada.username} has another password; every log-in up to now is ended\n"
    assert ANOTHER not in told.err
    assert ada.call("GET", "/auth/me").status_code == 401
    ada.access_token = ada.refresh_token
    assert ada.call("POST", "/auth/refresh").status_code == 401
    assert (log_in(ada, ANOTHER), log_in(ada, PASSWORD)) == (200, 401)
    assert bob.call("GET", "/auth/me").status_code == 200
    assert of_operator(app) == [("password_set", user_id)]


def test_who_guessed_too_often_may_log_in_again(
    app: Application, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ada, bob = person(app), person(app)
    user_id = ada.get("/auth/me")["user"]["id"]
    assert locked(ada)
    assert locked(bob)
    assert run(monkeypatch, "unlock-user", f"{ada.username}@example.org") == 0
    assert run(monkeypatch, "unlock-user", ada.username) == 0
    out = capsys.readouterr().out
    assert out == f"{ada.username} may log in again\n{ada.username} did not have to wait\n"
    assert (log_in(ada, PASSWORD), log_in(bob, PASSWORD)) == (200, 429)
    assert ada.call("GET", "/auth/me").status_code == 200, "log-ins up to now go on"
    assert of_operator(app) == [("unlock", user_id)] * 2


def test_an_account_goes_with_its_records_and_files(
    app: Application, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ada, bob = person(app), person(app)
    user_id = ada.get("/auth/me")["user"]["id"]
    ada.predict(small_picture(1))
    kept = bob.predict(small_picture(2))
    folder = app.services.config.data_dir / "files"
    assert len(list(folder.glob("*/*"))) == 4
    assert run(monkeypatch, "delete-user", ada.username) == 0
    assert capsys.readouterr().out == f"{ada.username} is deleted, with all records and 2 files\n"
    assert run(monkeypatch, "delete-user", ada.username) == 2
    assert ada.call("GET", "/history").status_code == 401
    assert log_in(ada, PASSWORD) == 401
    assert bob.get(f"/history/{kept['prediction_id']}")["result"] == kept["result"]
    assert len(list(folder.glob("*/*"))) == 2
    assert of_operator(app) == [("account_delete", user_id)]
    assert person(app, username=ada.username).get("/history")["total"] == 0, "the name is free again"


def test_all_accounts_in_a_line_each(
    app: Application, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("backend.services.operating.accounts._AT_ONCE", 2)
    ada, bob = person(app, "admin", "ada"), person(app, username="bob")
    bob.upload(small_picture(1))
    claims = {"sub": "p", "preferred_username": "cleo", "email": "cleo@example.org", "email_verified": True}
    identities = app.services.records.open().identities
    identities.log_in("https://issuer.example", claims, makes=True, request_id="")
    for name in ("dora", "bob"):
        claims = {"sub": name, "preferred_username": name}
        identities.log_in("https://issuer.example", claims, makes=True, request_id="")
    assert run(monkeypatch, "set-password", "dora", piped=ANOTHER) == 0
    assert locked(ada)  # last, as the first wait is short
    capsys.readouterr()
    assert run(monkeypatch, "list-users") == 0
    head, *lines = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert head == ["name", "role", "address", "id", "made", "logs in by", "bytes of files", "waits"]
    size = bob.get("/auth/me")["files_bytes"]
    assert [(line[0].partition("-")[0], line[1], line[5], line[6], line[7]) for line in lines] == [
        ("ada", "admin", "password", "0", "yes"), ("bob", "user", "password", str(size), "no"),
        ("bob", "user", "issuer", "0", "no"), ("cleo", "user", "issuer", "0", "no"),
        ("dora", "user", "password issuer", "0", "no"),
    ]  # fmt: skip
    assert (lines[3][2], lines[0][3]) == ("cleo@example.org", ada.get("/auth/me")["user"]["id"])
    assert lines[3][4].startswith("20")
    assert [action for action, _ in of_operator(app)] == ["role_admin", "password_set", "accounts_list"]


def test_an_account_of_an_issuer_gets_a_password_that_it_can_change(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = {"sub": "p", "preferred_username": "cleo"}
    app.services.records.open().identities.log_in("https://issuer.example", claims, makes=True, request_id="")
    cleo = Person(app.test_client(), "cleo", "", "")
    assert log_in(cleo, ANOTHER) == 401
    assert run(monkeypatch, "set-password", "cleo", piped=ANOTHER) == 0
    body = {"username": "cleo", "password": ANOTHER}
    cleo.access_token = cleo.client.post("/api/v1/auth/login", json=body).get_json()["access_token"]
    change = {"password": ANOTHER, "new_password": PASSWORD}
    assert cleo.call("POST", "/auth/password", json=change).status_code == 200
    assert log_in(cleo, PASSWORD) == 200
