"""Answers of the open addresses: kept where an account asks for it, and as ever where none does."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from records.pages import page_texts, pictures_on
from records.people import PASSWORD, Person, person

from backend.app import Application
from ml_model.inference.bundle import MODELS_DIR

Picture = Callable[..., bytes]
MakeApp = Callable[..., Application]
RISK = {"age": 54, "sex": 1, "blood_pressure": 130, "cholesterol": 246, "chest_pain": 3, "max_heart_rate": 150,
        "exercise_angina": 0}  # fmt: skip
TOLD = {"description": "chest pain spreading to my left arm and sweating", "age": 54, "sex": "male"}
BODIES = {"/predict-disease": TOLD, "/predict-heart": RISK}


def analyze(whose: Person, sent: bytes, query: str = "", **headers: str) -> dict[str, Any]:
    """With the token."""
    form = {"image": (io.BytesIO(sent), "patient Smith.jpg")}
    told = {"Authorization": f"Bearer {whose.access_token}", **headers}
    reply = whose.client.post(f"/analyze/skin{query}", data=form, headers=told)
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.get_json()
    return answer


@pytest.fixture(scope="module")
def ada(records_app: Application) -> Person:
    return person(records_app)


def without_time(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in ("request_id", "processing_ms", "explanation")}


def test_a_picture_is_kept_where_it_is_asked_for_and_answered_the_same(ada: Person, picture: Picture) -> None:
    sent = picture(seed=51)
    reply = ada.client.application.test_client().post("/analyze/skin", data={"image": (io.BytesIO(sent), "x")})
    before = ada.get("/history")["total"]
    assert without_time(analyze(ada, sent)) == without_time(reply.get_json())
    assert "prediction_id" not in reply.get_json()
    assert ada.get("/history")["total"] == before, "an account alone keeps nothing"
    kept = analyze(ada, sent, "?keep=true&patient_ref=p-51&top_k=2")
    whole = ada.get(f"/history/{kept['prediction_id']}")
    assert whole["record"]["patient_ref"] == "p-51"
    assert (whole["record"]["task"], whole["record"]["class_code"]) == ("skin", kept["prediction"]["code"])
    assert without_time(whole["result"]) == without_time(kept)
    assert "keep" not in kept["provenance"]["request"]
    assert "patient_ref" not in kept["provenance"]["request"]
    assert kept["explanation"]["heatmap_url"] == f"/api/v1/history/{kept['prediction_id']}/heatmap.png"
    overlay = ada.call("GET", kept["explanation"]["heatmap_url"].removeprefix("/api/v1"))
    assert Image.open(io.BytesIO(overlay.data)).size == (448, 336)
    stored = ada.call("GET", f"/files/{whole['record']['file_id']}").data
    assert Image.open(io.BytesIO(stored)).tobytes() == Image.open(io.BytesIO(sent)).tobytes()
    report = ada.call("GET", f"/download/{kept['prediction_id']}").data
    assert pictures_on(report) == 2


def test_the_setting_holds_until_the_request_says_otherwise(records_app: Application, picture: Picture) -> None:
    grace, sent = person(records_app), picture(seed=52)
    assert grace.get("/auth/me")["user"]["keep_answers"] is False
    reply = grace.call("PATCH", "/auth/me", json={"keep_answers": True})
    assert (reply.status_code, reply.get_json()["user"]["keep_answers"]) == (200, True)
    assert "prediction_id" in analyze(grace, sent)
    assert "prediction_id" not in analyze(grace, sent, "?keep=false")
    inline = analyze(grace, sent, "?explain=inline")
    assert len(inline["explanation"]["heatmap_png_base64"]) > 100
    whole = grace.get(f"/history/{inline['prediction_id']}")
    assert "heatmap_png_base64" not in whole["result"]["explanation"]
    assert grace.call("GET", f"/history/{inline['prediction_id']}/heatmap.png").mimetype == "image/png"
    assert grace.get("/history")["total"] == 2


@pytest.mark.parametrize("path", BODIES)
def test_without_an_account_nothing_can_be_kept(ada: Person, path: str, picture: Picture) -> None:
    client = ada.client.application.test_client()
    for query in ("keep=true", "patient_ref=p-1"):
        reply = client.post(f"{path}?{query}", json=BODIES[path])
        assert (reply.status_code, reply.get_json()["code"]) == (401, "unauthenticated")
        form = {"image": (io.BytesIO(picture()), "x")}
        assert client.post(f"/analyze/skin?{query}", data=form).status_code == 401
    wrong = {"Authorization": "Bearer a.b.c"}
    assert client.post(path, json=BODIES[path], headers=wrong).status_code == 401, "nothing is left out in silence"
    reply = ada.client.post(
        f"{path}?patient_ref=p-1", json=BODIES[path], headers={"Authorization": f"Bearer {ada.access_token}"}
    )
    assert (reply.status_code, reply.get_json()["code"]) == (422, "invalid_value")


def test_a_refused_case_is_counted_and_an_example_is_not_kept(records_app: Application, picture: Picture) -> None:
    grace, flat = person(records_app), io.BytesIO()
    Image.new("RGB", (300, 300), "red").save(flat, "PNG")
    headers = {"Authorization": f"Bearer {grace.access_token}"}

    def send(path: str, sent: bytes) -> Any:
        return grace.client.post(f"{path}?keep=true", data={"image": (io.BytesIO(sent), "x")}, headers=headers)

    assert send("/analyze/skin", flat.getvalue()).status_code == 422
    example = send("/analyze/lung-ct", picture()).get_json()
    assert (example["demo_mode"], example["prediction_id"]) == (True, None)
    stats = grace.get("/stats")
    assert (stats["total"], stats["refusals"]) == (0, {"poor_quality": 1})
    assert grace.get("/auth/me")["files_bytes"] == 0


def test_cookies_alone_keep_nothing_and_with_the_header_they_do(records_app: Application, picture: Picture) -> None:
    grace = person(records_app)
    grace.call("PATCH", "/auth/me", json={"keep_answers": True})
    page = records_app.test_client()
    body = {"username": grace.username, "password": PASSWORD, "cookies": True}
    csrf = page.post("/api/v1/auth/login", json=body).get_json()["csrf_token"]

    def send(**headers: str) -> Any:
        return page.post("/analyze/skin", data={"image": (io.BytesIO(picture()), "x")}, headers=headers).get_json()

    assert "prediction_id" not in send()
    assert "prediction_id" in send(**{"X-CSRF-TOKEN": csrf})
    assert send(**{"X-CSRF-TOKEN": "x"})["code"] == "csrf_failed"


def test_symptoms_and_risk_are_kept_and_printed(make_records_app: MakeApp, tmp_path: Path) -> None:
    for task in ("disease", "heart-risk"):
        shutil.copytree(MODELS_DIR / task, tmp_path / "two" / task)
    grace = person(make_records_app(tmp_path, model_dirs=(tmp_path / "two",)))
    headers = {"Authorization": f"Bearer {grace.access_token}"}
    for path, task in (("/predict-disease", "disease"), ("/predict-heart", "heart-risk")):
        open_answer = grace.client.application.test_client().post(path, json=BODIES[path]).get_json()
        reply = grace.client.post(f"{path}?keep=true&patient_ref=p-5", json=BODIES[path], headers=headers)
        answer = reply.get_json()
        assert reply.status_code == 200
        assert without_time(answer) == {**without_time(open_answer), "prediction_id": answer["prediction_id"]}
        whole = grace.get(f"/history/{answer['prediction_id']}")
        assert (whole["result"], whole["record"]["task"], whole["record"]["patient_ref"]) == (answer, task, "p-5")
        assert whole["record"]["triage"] == answer["triage"]["level"]
        assert whole["record"]["file_id"] is None
        pages = page_texts(grace.call("GET", f"/download/{answer['prediction_id']}").data)
        assert answer["triage"]["text"] in pages[0]
    assert grace.get("/stats")["by_task"] == {"disease": 1, "heart-risk": 1}
    assert len(grace.get("/patients/p-5/timeline")["timeline"]) == 2


def test_with_auth_required_nothing_is_answered_to_strangers(
    make_records_app: MakeApp, tmp_path: Path, picture: Picture
) -> None:
    app = make_records_app(tmp_path, auth_required=True)
    grace, sent = person(app), picture(seed=53)
    for path in ("/analyze/skin", "/predict", "/predict/breast-cancer"):
        name = "file" if path == "/predict" else "image"
        reply = app.test_client().post(path, data={name: (io.BytesIO(sent), "x")})
        assert (reply.status_code, reply.get_json()["code"]) == (401, "unauthenticated"), path
    for path, body in BODIES.items():
        assert app.test_client().post(path, json=body).status_code == 401
    assert "prediction_id" not in analyze(grace, sent)
    assert app.test_client().get("/health").status_code == 200
