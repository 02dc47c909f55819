"""The HTTP contract, as a user meets it.

Starts the service on a free port and checks it: `python test_server.py`, or as part of `pytest`.
Checks one that is already running: `python test_server.py --base-url http://localhost:5000`.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

ROOT = Path(__file__).resolve().parent
START_WITHIN_S = 120
TIMEOUT_S = 30
HEART = {
    "age": 54,
    "sex": 1,
    "blood_pressure": 130,
    "cholesterol": 246,
    "chest_pain": 3,
    "max_heart_rate": 150,
    "exercise_angina": 0,
}
SKIN_CODES = ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"]
URGENCY_COLOUR = re.compile(r"#[0-9a-f]{6}")
SEVERITY_OF = {"none": "healthy", "routine": "low", "soon": "moderate", "urgent": "high", "emergency": "critical"}
STATES = {"ruled_out", "indeterminate", "suspected"}


def started_service() -> Iterator[str]:
    """The address of a service of our own, stopped afterwards."""
    command = [sys.executable, "backend/server.py", "--port", "0"]
    environment = {**os.environ, "DRAIN_SECONDS": "0"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, encoding="utf-8") as process:
        try:
            assert process.stdout is not None
            line = next((text for text in process.stdout if "serving on" in text), "")
            assert line, "the service stopped before it served; its message is above"
            # Keep reading, or the log would fill the pipe and block the service.
            threading.Thread(target=process.stdout.read, daemon=True).start()
            yield line.split()[2]
        finally:
            process.terminate()
            assert process.wait(START_WITHIN_S) == 0, "the service must end cleanly on SIGTERM"


@pytest.fixture(scope="module")
def base_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the service is."""
    given = request.config.getoption("--base-url")
    if given:
        yield given.rstrip("/")
    else:
        yield from started_service()


@pytest.fixture(scope="module")
def ready_url(base_url: str) -> str:
    """The same, once the models are loaded."""
    for _ in range(START_WITHIN_S * 10):
        if requests.get(f"{base_url}/readyz", timeout=TIMEOUT_S).status_code == 200:
            return base_url
        threading.Event().wait(0.1)
    raise AssertionError("the service was not ready in time")


def photo(width_px: int = 600, height_px: int = 450) -> bytes:
    """A JPEG with some structure, of nothing in particular."""
    coarse = np.random.default_rng(3).integers(60, 220, (27, 36, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(coarse).resize((width_px, height_px), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def recording() -> bytes:
    """A CSV file of ten seconds at 100 Hz: one heart beat a second in the twelve standard leads, in mV."""
    t = np.arange(1000) / 100
    beats = np.exp(-0.5 * ((t % 1 - 0.4) / 0.012) ** 2) + 0.25 * np.exp(-0.5 * ((t % 1 - 0.65) / 0.045) ** 2)
    beats += 0.03 * np.sin(2 * np.pi * 0.3 * t)  # breath: a baseline that never moves counts as clipped
    one, two = 0.6 * beats, 1.0 * beats
    limbs = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    chest = [size * beats for size in (-0.4, 0.3, 0.8, 1.2, 1.1, 0.9)]
    names = "time_s,I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6"
    rows = [",".join(f"{value:.4f}" for value in row) for row in np.stack([t, *limbs, *chest], axis=1)]
    return "\n".join([names, *rows]).encode()


def get(url: str, **options: Any) -> requests.Response:
    return requests.get(url, timeout=TIMEOUT_S, **options)


def post(url: str, **options: Any) -> requests.Response:
    return requests.post(url, timeout=TIMEOUT_S, **options)


def models(url: str, kind: str) -> list[dict[str, Any]]:
    return [m for m in get(f"{url}/models").json()["models"] if m["kind"] == kind]


def check_common(answer: dict[str, Any], loaded: bool) -> None:
    """What every answer has, of whatever kind."""
    assert answer["success"] is True
    assert answer["demo_mode"] is not loaded
    assert ("warning" in answer) is not loaded
    if not loaded:
        assert next(iter(answer)) == "warning", "the warning comes first"
    assert answer["processing_ms"] > 0
    assert answer["request_id"]
    assert answer["disclaimer"]


def test_health(ready_url: str) -> None:
    health = get(f"{ready_url}/health").json()
    assert health["status"] == "healthy"
    assert {"skin_cancer", "heart_image", "breast_cancer", "pneumonia", "disease"} <= health["models"].keys()
    assert all(isinstance(loaded, bool) for loaded in health["models"].values())
    assert health["models"]["skin_cancer"] is True
    assert health["models"]["pneumonia"] is True
    assert health["models"]["disease"] is True
    assert health["pil"] is True
    assert isinstance(health["tensorflow"], bool)
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", health["version"])
    assert get(f"{ready_url}/livez").json()["status"] == "alive"
    assert "medidiagnose_requests_total" in get(f"{ready_url}/metrics").text


def test_index_is_a_page_for_browsers_and_json_for_programs(ready_url: str) -> None:
    index = get(f"{ready_url}/", headers={"Accept": "application/json"}).json()
    assert {"method": "POST", "path": "/analyze/skin"}.items() <= next(
        e for e in index["endpoints"] if e["path"] == "/analyze/skin"
    ).items()
    page = get(f"{ready_url}/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.headers["Content-Type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert get(f"{ready_url}/docs").text.startswith("<!doctype html>")
    assert get(f"{ready_url}/openapi.json").json()["openapi"].startswith("3.1")


def test_skin(ready_url: str) -> None:
    answer = post(f"{ready_url}/analyze/skin?gate=warn", files={"image": ("photo.jpg", photo())}).json()
    assert answer["demo_mode"] is False
    assert sorted(c["code"] for c in answer["all_predictions"]) == SKIN_CODES
    assert answer["prediction"]["code"] in SKIN_CODES
    assert answer["prediction"]["type"] in {"benign", "malignant", "pre-cancerous"}
    assert answer["model"]["task"] == "skin"
    assert re.fullmatch(r"[0-9a-f]{64}", answer["model"]["sha256"])


def test_every_image_task(ready_url: str) -> None:
    tasks = models(ready_url, "image")
    assert {"skin", "heart", "breast", "xray"} <= {t["task"] for t in tasks}
    for task in tasks:
        sent = {"record": ("ecg.csv", recording())} if task.get("signal") else {"image": ("photo.jpg", photo())}
        # The photo shows nothing of the kind: it is answered only on request, with a warning.
        reply = post(f"{ready_url}{task['endpoint']}?gate=warn", files=sent)
        assert reply.status_code == 200, (task["task"], reply.text)
        answer = reply.json()
        check_common(answer, task["loaded"])
        prediction, ranking = answer["prediction"], answer["all_predictions"]
        codes = [c["code"] for c in task["classes"]]
        confidences = [c["confidence"] for c in ranking]
        assert sorted(c["code"] for c in ranking) == sorted(codes)
        assert confidences == sorted(confidences, reverse=True)
        if not answer.get("multi_label"):
            assert sum(confidences) == pytest.approx(1, abs=1e-4)
        assert codes[prediction["class_id"]] == prediction["code"]
        assert prediction["confidence_percent"] == f"{100 * prediction['confidence']:.1f}%"
        check_triage(answer)
        assert answer["staging"].keys() == {"stage", "description", "prognosis"}
        assert URGENCY_COLOUR.fullmatch(answer["urgency"]["color"])
        assert answer["treatment_options"]
        advice = answer["recommendation"]
        assert answer["recommendations"] == (advice["actions"] if task["task"] == "xray" else advice)
        assert answer["prediction_set"]["coverage"] == 0.9
        assert answer["input_check"]["accepted"] is ("record" in sent)
        check_explanation(ready_url, answer, whole="image" in sent and task["input"]["geometry"] == "squash")


def check_triage(answer: dict[str, Any]) -> None:
    """One statement: nothing is calmer than what is open or suspected."""
    triage, findings = answer["triage"], answer["findings"]
    assert answer["headline"]
    assert triage["text"]
    assert triage["reasons"][0]["level"] == triage["level"]
    assert SEVERITY_OF[triage["level"]] == answer["severity"] == answer["recommendation"]["level"]
    assert findings
    for finding in findings:
        assert finding["state"] in STATES
        assert (finding["message"] is None) is (finding["state"] == "ruled_out")
        assert finding["rule_out_below"] is None or finding["rule_out_below"] <= finding["rule_in_from"]
    if {finding["state"] for finding in findings} != {"ruled_out"} or answer["prediction"]["abstain"]:
        assert answer["severity"] not in ("healthy", "low")
    if not answer["prediction"]["settled"]:
        assert len(answer["treatment_options"]) == 1


def test_a_photo_of_nothing_is_refused_by_every_image_task(ready_url: str) -> None:
    for task in models(ready_url, "image"):
        reply = post(ready_url + task["endpoint"], files={"image": ("photo.jpg", photo())})
        assert (reply.status_code, reply.json()["code"]) == (422, "wrong_modality"), task["task"]
        assert "looks like" in reply.json()["error"]


def check_explanation(url: str, answer: dict[str, Any], whole: bool) -> None:
    """whole: the model saw the whole photo and nothing else."""
    explanation = answer["explanation"]
    if explanation["method"] == "none":
        assert explanation["heatmap_url"] is None
        return
    assert explanation["class"] == answer["prediction"]["code"]
    if explanation["peak_region"]:
        x, y, width, height = explanation["peak_region"]
        assert x >= 0
        assert y >= 0
        assert 0 < width <= 600 - x
        assert 0 < height <= 450 - y
    with Image.open(io.BytesIO(get(url + explanation["heatmap_url"]).content)) as overlay:
        assert overlay.format == "PNG"
        if answer.get("recording", {}).get("read_as") in ("recording", "page_signal"):
            assert overlay.width >= 1600, "a page that one can read"
            return
        assert max(overlay.size) == 448
        assert overlay.size == (448, 336) or not whole, "the proportions of the photo"


def test_disease(ready_url: str) -> None:
    symptoms = get(f"{ready_url}/symptoms").json()
    names = [s["name"] for s in symptoms["symptoms"]]
    assert symptoms["count"] == len(names) > 100
    assert names == sorted(names)
    answer = post(f"{ready_url}/predict-disease", json={"symptoms": ["fever", "head ache", "tired"]}).json()
    check_common(answer, loaded=True)
    probabilities = [d["probability"] for d in answer["top_predictions"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert len(probabilities) > 1
    assert sum(probabilities) <= 1 + 1e-6
    assert answer["prediction"]["disease"] == answer["top_predictions"][0]["disease"]
    assert {"fever", "headache", "fatigue"} <= set(answer["symptoms_analyzed"])
    assert answer["recommendations"]
    unknown = post(f"{ready_url}/predict-disease", json={"symptoms": ["qqqqzzzz"]})
    assert unknown.status_code == 422
    assert unknown.json()["code"] == "no_symptom_recognised"


def test_heart_risk(ready_url: str) -> None:
    answer = post(f"{ready_url}/predict-heart", json=HEART).json()
    check_common(answer, loaded=True)
    assert 0 < answer["prediction"]["probability"] < 1
    assert answer["prediction"]["risk_level"] in {"Low", "Low-Moderate", "Moderate", "Moderate-High", "High"}
    assert answer["risk_factors"]["blood_pressure"]["value"] == 130
    assert answer["risk_factors"]["blood_pressure"]["unit"] == "mmHg"
    assert {"fasting_blood_sugar", "resting_ecg", "oldpeak"} <= set(answer["missing"])
    healthier = {**HEART, "age": 30, "chest_pain": 1, "max_heart_rate": 185}
    lower = post(f"{ready_url}/predict-heart", json=healthier).json()["prediction"]["probability"]
    assert lower < answer["prediction"]["probability"]
    refused = post(f"{ready_url}/predict-heart", json={**HEART, "age": 400})
    assert refused.status_code == 422
    assert "age" in refused.json()["error"]


def test_errors_have_one_shape(ready_url: str) -> None:
    url = f"{ready_url}/analyze/skin"
    replies = {
        400: post(url),
        404: post(f"{ready_url}/analyze/nothing"),
        405: get(url),
        413: post(url, files={"image": bytes(33_500_000)}),
        415: post(url, files={"image": b"no picture"}),
        422: post(url, files={"image": photo()[:2000]}),
    }
    for status, reply in replies.items():
        assert reply.status_code == status
        body = reply.json()
        assert body.keys() == {"success", "error", "code", "request_id"}
        assert body["success"] is False
        assert body["request_id"] == reply.headers["X-Request-ID"]


def test_broken_http_is_answered_in_json(ready_url: str) -> None:
    reply = get(f"{ready_url}/health", headers={"X-Padding": "x" * 300_000})
    assert reply.status_code == 431
    assert reply.json()["success"] is False


def test_cross_origin_calls_and_request_ids(ready_url: str) -> None:
    headers = {"Origin": "http://elsewhere.example", "X-Request-ID": "my-id.1"}
    reply = get(f"{ready_url}/health", headers=headers)
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert reply.headers["X-Request-ID"] == "my-id.1"
    forged = get(f"{ready_url}/health", headers={"X-Request-ID": "<script>"})
    assert re.fullmatch(r"[0-9a-f-]{36}", forged.headers["X-Request-ID"])


def main() -> int:
    """Run this file's tests by themselves."""
    parser = argparse.ArgumentParser(description="Check the HTTP contract.")
    parser.add_argument("--base-url", help="a running service; one is started if this is not given")
    given = parser.parse_args().base_url
    return int(pytest.main([str(Path(__file__)), *(["--base-url", given] if given else [])]))


if __name__ == "__main__":
    sys.exit(main())
