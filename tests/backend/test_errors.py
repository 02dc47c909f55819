"""Broken requests: each gets its documented status and code, in one shape, never a 500, and leaves no memory behind."""

from __future__ import annotations

import gc
import io
import json
import resource
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile.broken_files import gif_bomb, png, zipped
from PIL import Image
from samples import HEART_VALUES, multipart, upload
from werkzeug.test import TestResponse

from backend.app import Application

SKIN = "/analyze/skin"
DISEASE = "/predict-disease"
HEART = "/predict-heart"
NOTHING = zlib.compress(b"\0")


def encoded(format: str, size: tuple[int, int] = (64, 64), colour: Any = None) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(pixels) if colour is None else Image.new("RGB", size, colour)
    stream = io.BytesIO()
    image.save(stream, format)
    return stream.getvalue()


def flipped_bytes(data: bytes) -> bytes:
    """The second half of a file overwritten with zeros."""
    return data[: len(data) // 2] + bytes(len(data) - len(data) // 2)


@dataclass(frozen=True)
class Broken:
    """One bad request and what it must get."""

    name: str
    path: str
    status: int
    code: str
    request: dict[str, Any] = field(default_factory=dict)


def bad_file(name: str, data: bytes, status: int, code: str, file_name: str = "photo.jpg") -> Broken:
    return Broken(name, SKIN, status, code, {"data": (data, file_name)})


def bad_json(name: str, path: str, body: str | bytes, status: int, code: str) -> Broken:
    return Broken(name, path, status, code, {"data": body, "content_type": "application/json"})


def heart(**changes: object) -> str:
    return json.dumps({**HEART_VALUES, **changes})


UPLOADS = [
    bad_file("empty file", b"", 400, "empty_input"),
    bad_file("text as jpg", b"hello, I am no picture at all", 415, "unsupported_format"),
    bad_file("one byte", b"\xff", 415, "unsupported_format"),
    bad_file("truncated jpeg", encoded("JPEG")[:900], 422, "unreadable_input"),
    bad_file("truncated png", encoded("PNG")[:3000], 422, "unreadable_input"),
    bad_file("jpeg header only", encoded("JPEG")[:20], 422, "unreadable_input"),
    bad_file("png with zeroed half", flipped_bytes(encoded("PNG")), 422, "unreadable_input"),
    bad_file("truncated webp", encoded("WEBP")[:200], 422, "unreadable_input"),
    bad_file("truncated tiff", encoded("TIFF")[:200], 422, "unreadable_input"),
    bad_file("truncated gif", encoded("GIF")[:30], 422, "unreadable_input"),
    bad_file("truncated bmp", encoded("BMP")[:60], 422, "unreadable_input"),
    bad_file("1x1", encoded("PNG", (1, 1)), 422, "poor_quality"),
    bad_file("one pixel high", encoded("PNG", (500, 1)), 422, "poor_quality"),
    bad_file("white", encoded("PNG", (300, 300), "white"), 422, "poor_quality"),
    bad_file("black", encoded("JPEG", (300, 300), "black"), 422, "poor_quality"),
    bad_file("30000x30000 png header", png(30000, 30000, NOTHING), 413, "input_too_large"),
    bad_file("zero-sized png", png(0, 5, NOTHING), 422, "unreadable_input"),
    bad_file("gif bomb", gif_bomb(65_535, 65_535), 413, "input_too_large"),
    bad_file("svg", b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', 415, "unsupported_format"),
    bad_file("html", b"<!doctype html><script>alert(1)</script>", 415, "unsupported_format"),
    bad_file("pdf", b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n", 415, "unsupported_format"),
    bad_file("zip", zipped(encoded("JPEG"), "photo.jpg"), 415, "unsupported_format"),
    bad_file("executable", b"\x7fELF" + bytes(200), 415, "unsupported_format"),
    bad_file("33 MB", bytes(33_000_000), 413, "input_too_large"),
    bad_file("path in the name", b"../../etc/passwd", 415, "unsupported_format", "../../etc/passwd"),
    Broken("nothing", SKIN, 400, "empty_input"),
    Broken("raw body", SKIN, 400, "empty_input", {"data": encoded("JPEG"), "content_type": "image/jpeg"}),
    Broken("json to an image task", SKIN, 400, "empty_input", {"json": {"image": "x"}}),
    Broken(
        "multipart without boundary", SKIN, 400, "empty_input", {"data": b"x", "content_type": "multipart/form-data"}
    ),
    Broken("wrong field", SKIN, 400, "unknown_field", {"data": (encoded("JPEG"), "a.jpg", "file")}),
    Broken(
        "text in the field",
        SKIN,
        400,
        "empty_input",
        {"data": {"image": "photo.jpg"}, "content_type": "multipart/form-data"},
    ),
    Broken(
        "unknown text field",
        SKIN,
        400,
        "unknown_field",
        {"data": {"patient": "x"}, "content_type": "multipart/form-data"},
    ),
    Broken("unknown task", "/analyze/knee", 404, "not_found", {"data": (encoded("JPEG"), "a.jpg")}),
    Broken("unknown target", f"{SKIN}?target=zzz", 422, "invalid_value", {"data": (encoded("JPEG"), "a.jpg")}),
    Broken("top_k zero", f"{SKIN}?top_k=0", 422, "invalid_value", {"data": (encoded("JPEG"), "a.jpg")}),
    Broken("unknown explain", f"{SKIN}?explain=maybe", 422, "invalid_value", {"data": (encoded("JPEG"), "a.jpg")}),
    Broken("wrong modality", f"{SKIN}?modality=ecg", 422, "invalid_value", {"data": (encoded("JPEG"), "a.jpg")}),
]
BODIES = [
    bad_json("no body", DISEASE, b"", 400, "empty_input"),
    bad_json("not json", DISEASE, b"{symptoms: fever}", 400, "invalid_json"),
    bad_json("not utf-8", DISEASE, b'{"symptoms": ["\xff\xfe"]}', 400, "invalid_json"),
    bad_json("deeply nested", DISEASE, b"[" * 100_000, 400, "invalid_json"),
    bad_json("a list", DISEASE, b'["fever"]', 422, "invalid_value"),
    bad_json("null", DISEASE, b"null", 422, "invalid_value"),
    bad_json("no symptoms", DISEASE, b"{}", 422, "invalid_value"),
    bad_json("empty symptoms", DISEASE, b'{"symptoms": []}', 422, "invalid_value"),
    bad_json("a string for a list", DISEASE, b'{"symptoms": "fever"}', 422, "invalid_value"),
    bad_json("nested lists", DISEASE, b'{"symptoms": [["fever"]]}', 422, "invalid_value"),
    bad_json("numbers for symptoms", DISEASE, b'{"symptoms": [1, 2]}', 422, "invalid_value"),
    bad_json("blank symptom", DISEASE, b'{"symptoms": ["  "]}', 422, "invalid_value"),
    bad_json("a huge symptom", DISEASE, json.dumps({"symptoms": ["x" * 5000]}), 422, "invalid_value"),
    bad_json("1000 symptoms", DISEASE, json.dumps({"symptoms": ["cough"] * 1000}), 422, "invalid_value"),
    bad_json("unknown symptoms only", DISEASE, b'{"symptoms": ["qqqqzzzz"]}', 422, "no_symptom_recognised"),
    bad_json("unknown json field", DISEASE, b'{"symptoms": ["fever"], "name": "x"}', 400, "unknown_field"),
    bad_json("NaN age", DISEASE, b'{"symptoms": ["fever"], "age": NaN}', 400, "invalid_json"),
    bad_json("age 400", DISEASE, b'{"symptoms": ["fever"], "age": 400}', 422, "invalid_value"),
    bad_json("NaN factor", HEART, heart(age=float("nan")), 400, "invalid_json"),
    bad_json("infinite factor", HEART, heart(age=1).replace("1,", "1e999,", 1), 400, "invalid_json"),
    bad_json("string factor", HEART, heart(cholesterol="246"), 422, "invalid_value"),
    bad_json("boolean factor", HEART, heart(exercise_angina=True), 422, "invalid_value"),
    bad_json("list factor", HEART, heart(age=[54]), 422, "invalid_value"),
    bad_json("heart age 400", HEART, heart(age=400), 422, "out_of_range"),
    bad_json("too large for a float", HEART, heart(age=10**400), 422, "invalid_value"),
    bad_json("more digits than are read", HEART, heart(age=1).replace("1,", "1" * 5000 + ",", 1), 400, "invalid_json"),
    bad_json("pressure 0", HEART, heart(blood_pressure=0), 422, "out_of_range"),
    bad_json("chest pain 7", HEART, heart(chest_pain=7), 422, "out_of_range"),
    bad_json("chest pain 1.5", HEART, heart(chest_pain=1.5), 422, "out_of_range"),
    bad_json("unknown factor", HEART, heart(shoe_size=43), 400, "unknown_field"),
    bad_json("field twice", HEART, '{"age": 54, "age": 30}', 400, "invalid_json"),
    Broken("form instead of json", HEART, 415, "unsupported_format", {"data": {"age": "54"}}),
]


def send(app: Application, broken: Broken) -> TestResponse:
    request = dict(broken.request)
    if isinstance(request.get("data"), tuple):
        # Put together here: the test client would spool a large form to a file and leave it open.
        request["data"], request["content_type"] = multipart(*request["data"])
    return app.test_client().post(broken.path, **request)


@pytest.mark.parametrize("broken", UPLOADS + BODIES, ids=lambda b: b.name)
def test_each_has_its_status_and_code(live_app: Application, broken: Broken) -> None:
    reply = send(live_app, broken)
    body = reply.get_json()
    assert (reply.status_code, body["code"]) == (broken.status, broken.code), body
    assert set(body) == {"success", "error", "code", "request_id"}
    assert body["success"] is False
    assert len(body["error"]) > 20, "what was wrong, what was received, what to do"
    assert reply.headers["X-Request-ID"] == body["request_id"]


@pytest.mark.parametrize("broken", UPLOADS, ids=lambda b: b.name)
def test_demo_mode_refuses_the_same(demo_app: Application, broken: Broken) -> None:
    reply = send(demo_app, broken)
    assert (reply.status_code, reply.get_json()["code"]) == (broken.status, broken.code)


def test_messages_name_field_value_and_range(live_app: Application) -> None:
    client = live_app.test_client()
    message = client.post(HEART, json={**HEART_VALUES, "age": 400}).get_json()["error"]
    assert "age" in message
    assert "400" in message
    message = client.post(HEART, json={**HEART_VALUES, "cholesterol": "high"}).get_json()["error"]
    assert "cholesterol" in message
    assert '"high"' in message
    message = client.post("/analyze/knee", data=upload(b"x")).get_json()["error"]
    assert "skin" in message


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def grown_bytes(app: Application) -> int:
    """Memory that every broken upload, ten times over, leaves behind."""
    gc.collect()
    before = resident_bytes()
    for _ in range(10):
        for broken in UPLOADS:
            send(app, broken)
    gc.collect()
    return resident_bytes() - before


def test_memory_comes_back(live_app: Application) -> None:
    """What is kept grows each time; the allocator, or another test's thread, takes memory only now and then."""
    grown_bytes(live_app)
    assert any(grown_bytes(live_app) < 8_000_000 for _ in range(3))


@pytest.fixture
def good_upload(picture: Callable[..., bytes]) -> dict[str, Any]:
    return upload(picture())


def test_two_files_are_refused(live_app: Application, picture: Callable[..., bytes]) -> None:
    two = {"image": [(io.BytesIO(picture()), "a.jpg"), (io.BytesIO(picture()), "b.jpg")]}
    reply = live_app.test_client().post(SKIN, data=two)
    assert (reply.status_code, reply.get_json()["code"]) == (400, "unknown_field")


def test_wrong_method_and_path_are_json_too(live_app: Application) -> None:
    client = live_app.test_client()
    wrong = client.get(SKIN)
    assert (wrong.status_code, wrong.get_json()["code"], wrong.headers["Allow"]) == (
        405,
        "method_not_allowed",
        "OPTIONS, POST",
    )
    for path in ("/nothing", "/models//skin", "/health/", "/static/nothing.js", "/heatmaps/00.png", "/models/knee"):
        missing = client.get(path, headers={"Accept": "text/html"})
        assert (missing.status_code, missing.get_json()["code"]) == (404, "not_found"), path


def test_problem_details_when_asked_for(live_app: Application) -> None:
    reply = live_app.test_client().post("/analyze/knee", headers={"Accept": "application/problem+json"})
    assert reply.content_type == "application/problem+json"
    body = reply.get_json()
    assert (body["status"], body["title"], body["detail"]) == (404, "Not found", body["error"])
    assert body["type"] == "about:blank"


def test_a_fault_of_ours_shows_nothing_of_the_inside(
    live_app: Application, good_upload: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret of patient 17")

    monkeypatch.setattr(live_app.services.images, "analyze", broken)
    reply = live_app.test_client().post(SKIN, data=good_upload)
    assert (reply.status_code, reply.get_json()["code"]) == (500, "internal_error")
    assert "secret" not in reply.text
    assert "Traceback" not in reply.text
