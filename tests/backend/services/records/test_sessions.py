"""The session's cookie: signed, kept from scripts and other sites, worth nothing where the service did not make it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from samples import image_task, write_tiny

from backend.app import Application, create_app
from backend.config import Config, ConfigError, TestingConfig
from backend.endpoint import COOKIE

CHOSEN = "0123456789abcdef" * 2


def predict(client: FlaskClient, picture: bytes, **sent: str) -> str:
    """The cookie that the answer to one histology picture sets; "" if none."""
    reply = client.post("/predict", data={"file": (io.BytesIO(picture), "x")}, **sent)
    assert reply.status_code == 200
    return reply.headers.get("Set-Cookie", "")


def count(client: FlaskClient) -> int:
    return int(client.get("/history").get_json()["count"])


def value_of(client: FlaskClient) -> str:
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    return cookie.value


def session_of(client: FlaskClient) -> str:
    """The cookie without its time and signature."""
    return value_of(client).split(".")[0]


@pytest.mark.parametrize("chosen", [CHOSEN, "../../etc", ""])
def test_a_session_that_a_client_chose_is_not_used(
    live_app: Application, picture: Callable[..., bytes], chosen: str
) -> None:
    """Session fixation: who makes a victim send a known id must not read what the victim was answered."""
    victim, attacker = live_app.test_client(), live_app.test_client()
    victim.set_cookie(COOKIE, chosen)
    attacker.set_cookie(COOKIE, chosen)
    predict(victim, picture())
    assert (count(victim), count(attacker)) == (1, 0)
    assert value_of(victim) != chosen


def test_an_altered_cookie_opens_nothing(live_app: Application, picture: Callable[..., bytes]) -> None:
    client = live_app.test_client()
    predict(client, picture())
    signed = value_of(client)
    assert count(client) == 1
    for altered in (
        signed[:-2],
        signed.split(".")[0],
        ("f" if signed[12] != "f" else "g").join((signed[:12], signed[13:])),
    ):
        client.set_cookie(COOKIE, altered)
        assert count(client) == 0
    client.set_cookie(COOKIE, signed)
    assert count(client) == 1
    predict(client, picture(seed=2))
    assert (count(client), session_of(client)) == (2, signed.split(".")[0]), "the session stays the same"


def test_flags_of_the_cookie(live_app: Application, picture: Callable[..., bytes]) -> None:
    plain = predict(live_app.test_client(), picture())
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(plain.split("; "))
    assert "Secure" not in plain, "a browser would not send it back over plain HTTP"
    behind_tls = predict(live_app.test_client(), picture(), base_url="https://localhost")
    assert "Secure" in behind_tls.split("; ")
    client = live_app.test_client()
    client.environ_base["HTTP_X_FORWARDED_PROTO"] = "https, http"
    assert "Secure" in predict(client, picture()).split("; ")


def test_a_key_that_is_kept_or_given_outlives_a_start(tmp_path: Path, picture: Callable[..., bytes]) -> None:
    write_tiny(image_task("histopathology"), tmp_path / "models")

    def client_of(secret_key: str, kind: type[Config] = Config) -> FlaskClient:
        config = kind(
            model_dirs=(tmp_path / "models",), user_models_dir=tmp_path, data_dir=tmp_path, log=False,
            input_gate=False, secret_key=secret_key,
        )  # fmt: skip
        return create_app(config).test_client()

    assert len({client_of("").application.secret_key for _ in range(2)}) == 1, "in development it is kept"
    keys = {client_of("", TestingConfig).application.secret_key for _ in range(2)}
    assert len(keys) == 2
    assert min(len(str(key)) for key in keys) >= 32
    one, same, other = client_of("k" * 16), client_of("k" * 16), client_of("q" * 16)
    predict(one, picture())
    for client in (same, other):
        client.set_cookie(COOKIE, value_of(one))
        predict(client, picture())
    assert session_of(same) == session_of(one)
    assert session_of(other) != session_of(one)


def test_the_key_is_a_setting_and_is_not_shown() -> None:
    given = "a long enough secret"
    config = Config.from_env({"SECRET_KEY": given})
    assert config.secret_key == given
    assert given not in repr(config)
    too_short = "hello"
    with pytest.raises(ConfigError, match="SECRET_KEY has 5 characters: expected at least 16") as refused:
        Config.from_env({"SECRET_KEY": too_short})
    assert too_short not in str(refused.value)


@pytest.mark.parametrize("key", ["ключ" * 8, "k" * 31 + "é", "k" * 31 + "\udce9"], ids=["cyrillic", "accent", "bytes"])
def test_a_key_that_each_locale_reads_otherwise_is_refused(key: str) -> None:
    """The last is what Python makes of an accent where the locale has none: no codec takes it back."""
    with pytest.raises(ConfigError, match="SECRET_KEY has characters that are not ASCII: .* makes one") as refused:
        Config.from_env({"SECRET_KEY": key})
    assert key[-1] not in str(refused.value)
