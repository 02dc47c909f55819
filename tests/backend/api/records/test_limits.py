"""How often an account and an address may ask, counted in memory and in Redis."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from flask.testing import FlaskClient
from records.databases import redis_server
from records.people import PASSWORD, Person, person
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from backend.app import Application
from backend.config import Config, ConfigError, Rate, TestingConfig
from backend.storage.tables import StoredFile

MakeApp = Callable[..., Application]
Picture = Callable[..., bytes]
MOST_LOG_INS, MOST_UPLOADS, MOST_LOOKS, MOST_ANSWERS = 6, 2, 4, 3


@pytest.fixture(scope="module")
def app(make_file_app: MakeApp) -> Application:
    rates = {"account_rate": MOST_LOG_INS, "upload_rate": MOST_UPLOADS, "record_rate": MOST_LOOKS}
    made = {name: Rate(count, "day") for name, count in rates.items()}
    return make_file_app(**made, analyze_rate=Rate(MOST_ANSWERS, "day"))


def from_address(app: Application, address: str) -> FlaskClient:
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address
    return client


def log_in(client: FlaskClient, prefix: str = "/api/v1") -> TestResponse:
    return client.post(f"{prefix}/auth/login", json={"username": "nobody", "password": PASSWORD})


def upload(who: Person, picture: bytes) -> TestResponse:
    return who.call("POST", "/upload", data={"file": (io.BytesIO(picture), "x")})


def told_to_wait(reply: TestResponse) -> bool:
    """Whether it is the refusal, in the form of every other."""
    if reply.status_code != 429 or reply.get_json()["code"] != "too_many_requests":
        return False
    assert reply.get_json().keys() == {"success", "error", "code", "request_id"}
    assert reply.get_json()["request_id"] == reply.headers["X-Request-ID"]
    assert 1 <= int(reply.headers["Retry-After"]) <= 2 * 86_400
    return True


def test_log_ins_are_counted_under_the_address_of_whom_it_is_and_its_neighbours(app: Application) -> None:
    client = from_address(app, "2001:db8:1:1::7")
    neighbour, other = (from_address(app, address) for address in ("2001:db8:1:1:ffff::1", "2001:db8:1:2::7"))
    statuses = [log_in(one).status_code for one in (client, neighbour) for _ in range(MOST_LOG_INS // 2)]
    assert set(statuses) <= {401, 429}
    assert told_to_wait(log_in(client))
    assert told_to_wait(log_in(neighbour, prefix="/api"))
    assert not told_to_wait(log_in(other))
    problem = client.post("/api/v1/auth/refresh", headers={"Accept": "application/problem+json"})
    assert (problem.content_type, problem.get_json()["status"]) == ("application/problem+json", 429)


def test_a_proxys_word_for_the_address_is_not_taken_from_anybody(app: Application) -> None:
    client = from_address(app, "192.0.2.7")
    for name in range(MOST_LOG_INS):
        client.post("/api/v1/auth/login", json={"username": f"u{name}", "password": PASSWORD})
    forged = client.post("/api/v1/auth/login", json={}, headers={"X-Forwarded-For": "198.51.100.9"})
    assert told_to_wait(forged)


def test_uploads_are_counted_under_the_account_and_what_is_refused_keeps_nothing(
    app: Application, picture: Picture
) -> None:
    ada, bob = person(app, address="192.0.2.1"), person(app, address="192.0.2.1")
    assert [upload(ada, picture()).status_code for _ in range(MOST_UPLOADS)] == [201] * MOST_UPLOADS
    before = files(app)
    assert told_to_wait(upload(ada, picture()))
    elsewhere = Person(from_address(app, "192.0.2.2"), ada.username, ada.access_token, "")
    assert told_to_wait(upload(elsewhere, picture())), "another address is no other account"
    assert files(app) == before
    assert upload(bob, picture()).status_code == 201
    assert ada.call("GET", "/stats").status_code == 200, "looking is counted apart"


def files(app: Application) -> int:
    with app.services.records.open().database.reading() as session:
        return session.execute(select(func.count()).select_from(StoredFile)).scalar_one()


def test_who_has_no_account_is_counted_under_the_address(app: Application) -> None:
    """Ten times what one account may: several people share one."""
    client = from_address(app, "192.0.2.3")
    replies = [client.get("/api/v1/stats", headers={"Authorization": "Bearer x"}) for _ in range(10 * MOST_LOOKS)]
    assert {reply.status_code for reply in replies} == {401}
    assert told_to_wait(client.get("/api/v1/stats"))
    assert client.options("/api/v1/stats", headers={"Origin": "http://a"}).status_code == 200


def test_pictures_are_answered_as_often_as_there_is_room_unless_it_is_set(
    app: Application, records_file_app: Application, picture: Picture
) -> None:
    def analyze(of: Application) -> TestResponse:
        data = {"image": (io.BytesIO(picture(width_px=90, height_px=80)), "x")}
        return from_address(of, "192.0.2.4").post("/analyze/skin", data=data)

    assert [analyze(app).status_code for _ in range(MOST_ANSWERS)] == [200] * MOST_ANSWERS
    assert told_to_wait(analyze(app))
    assert app.test_client().get("/models").status_code == 200
    assert Config().analyze_rate is None
    assert Config.from_env({}).upload_rate == Config().upload_rate == Rate(120, "minute")
    assert [analyze(records_file_app).status_code for _ in range(MOST_ANSWERS + 1)] == [200] * (MOST_ANSWERS + 1)


def test_what_is_kept_of_the_open_addresses_is_counted_as_an_upload(app: Application, picture: Picture) -> None:
    ada = person(app, address="192.0.2.9")

    def analyze(query: str) -> TestResponse:
        data, headers = {"image": (io.BytesIO(picture()), "x")}, {"Authorization": f"Bearer {ada.access_token}"}
        return ada.client.post(f"/analyze/skin{query}", data=data, headers=headers)

    assert upload(ada, picture()).status_code == 201
    assert analyze("?keep=true").status_code == 200
    assert told_to_wait(analyze("?keep=true"))
    assert ada.get("/history")["total"] == 1


def test_log_ins_at_an_issuer_are_counted_as_those_here(make_file_app: MakeApp) -> None:
    elsewhere = {"oidc_issuer": "http://127.0.0.1:1", "oidc_client_id": "x"}
    client = from_address(make_file_app(account_rate=Rate(2, "day"), **elsewhere), "192.0.2.6")
    paths = ("/api/v1/auth/oidc/login", "/api/v1/auth/oidc/callback", "/api/v1/auth/oidc/login")
    replies = [client.get(path) for path in paths]
    assert 429 not in [reply.status_code for reply in replies[:2]]
    assert told_to_wait(replies[2])


def test_processes_count_together_in_redis_and_alone_while_it_is_away(make_file_app: MakeApp) -> None:
    with ExitStack() as running:
        address = running.enter_context(redis_server())
        one, other = (make_file_app(account_rate=Rate(3, "day"), rate_storage=address) for _ in range(2))
        clients = [from_address(app, "192.0.2.5") for app in (one, other, one)]
        assert [log_in(client).status_code for client in clients] == [401] * 3
        assert told_to_wait(log_in(clients[1]))
        running.close()
        assert [log_in(clients[0]).status_code for _ in range(3)] == [401] * 3, "Redis is gone; others are let in"
        assert told_to_wait(log_in(clients[0])), "counted in memory meanwhile"


@pytest.mark.parametrize("word", ["120", "0/minute", "1.5/second", "9/week", "99999999/day", "1/minute;2/hour"])
def test_a_rate_that_is_none_ends_the_start(word: str) -> None:
    with pytest.raises(ConfigError, match="RATE_UPLOADS="):
        Config.from_env({"RATE_UPLOADS": word})


def test_rates_by_setting() -> None:
    found = Config.from_env({"RATE_ANALYZE": "5/second", "RATE_RECORDS": "off"})
    assert (str(found.analyze_rate), found.record_rate) == ("5/second", None)
    assert TestingConfig.from_env({"APP_ENV": "testing"}).account_rate is None
    with pytest.raises(ConfigError) as refused:
        Config.from_env({"RATE_STORAGE": "memcached://" + "hidden"})
    assert "hidden" not in str(refused.value)
    assert "hidden" not in repr(Config.from_env({"RATE_STORAGE": "redis://:" + "hidden" + "@host"}))
