"""What an answer leaves in memory: of an account it is the account's alone, of nobody whoever has its address."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from uuid import UUID

import cv2
import pytest
from beats import twelve_leads
from records.pages import code_on
from records.people import Person, person

from backend.app import Application
from ml_model.ecg.page_renderer import draw_page
from ml_model.ecg.recording import EcgRecording


def page_jpeg() -> bytes:
    pixels = cv2.cvtColor(draw_page(EcgRecording(twelve_leads(seed=4), 100.0)).pixels, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def test_the_signal_of_an_account_is_shown_to_nobody_else(live_app: Application) -> None:
    ada, bob, admin = person(live_app), person(live_app), person(live_app, "admin")
    address = ada.predict(page_jpeg(), task="heart")["result"]["recording"]["csv_url"]

    def status(who: Person | None) -> int:
        headers = {"Authorization": f"Bearer {who.access_token}"} if who else {}
        return live_app.test_client().get(address, headers=headers).status_code

    worthless = Person(ada.client, ada.username, ada.access_token[:-3], "")
    asked = {"ada": ada, "bob": bob, "admin": admin, "nobody": None, "worthless": worthless}
    assert {name: status(who) for name, who in asked.items()} == {
        "ada": 200, "bob": 404, "admin": 404, "nobody": 404, "worthless": 404,
    }  # fmt: skip


def test_the_heatmap_of_an_account_is_shown_to_nobody_else(
    records_file_app: Application, picture: Callable[..., bytes]
) -> None:
    ada, admin = person(records_file_app), person(records_file_app, "admin")
    headers = {who: {"Authorization": f"Bearer {token}"} for who, token in (
        ("ada", ada.access_token), ("admin", admin.access_token), ("worthless", ada.access_token[:-3]),
    )}  # fmt: skip
    form = {"image": (io.BytesIO(picture()), "x")}
    told = ada.client.post("/analyze/skin", data=form, headers=headers["ada"]).get_json()["explanation"]
    for address in (told["heatmap_url"], told["map_url"]):
        statuses = {who: ada.client.get(address, headers=headers.get(who)).status_code for who in (*headers, "nobody")}
        assert statuses == {"ada": 200, "admin": 404, "worthless": 404, "nobody": 404}


def test_that_of_nobody_has_an_address_that_is_not_to_be_guessed(
    live_app: Application, picture: Callable[..., bytes]
) -> None:
    client = live_app.test_client()
    told = []
    for _ in range(2):
        data = {"image": (io.BytesIO(picture()), "x")}
        reply = client.post("/analyze/skin", data=data, headers={"X-Request-ID": "chosen"})
        assert reply.headers["X-Request-ID"] == "chosen"
        told.append(reply.get_json()["explanation"]["heatmap_url"])
    ids = {re.split(r"[/.]", address)[2] for address in told}
    assert len(ids) == 2
    assert {UUID(one).version for one in ids} == {4}
    assert {client.get(address).status_code for address in told} == {200}


def test_no_line_of_the_log_opens_what_an_answer_left(
    make_file_app: Callable[..., Application], picture: Callable[..., bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    """Whoever reads the log sees no heatmap by it, and no report is genuine by it."""
    app = make_file_app(log=True)
    ada, client = person(app), app.test_client()
    told = client.post("/analyze/skin", data={"image": (io.BytesIO(picture()), "x")}).get_json()
    answer_id = re.split(r"[/.]", told["explanation"]["heatmap_url"])[2]
    assert client.get(told["explanation"]["heatmap_url"]).status_code == 200
    assert client.get("/heatmaps/of-nobody.png").status_code == 404
    record_id = ada.predict(picture())["prediction_id"]
    sha256 = code_on(ada.call("GET", f"/download/{record_id}").data).rpartition("=")[2]
    assert client.get(f"/api/v1/verify/{record_id}?sha256={sha256}").get_json()["genuine"] is True
    app.log.drain()
    log = capfd.readouterr().out
    assert log.count(told["request_id"]) == 1
    assert log.count('"/heatmaps/<answer_id>.png"') == 2
    for capability in (answer_id, sha256, record_id):
        assert capability not in log
