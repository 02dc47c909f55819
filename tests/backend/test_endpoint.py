"""What an address does not read: unknown query parameters, told with the nearest name, and too large bodies."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from samples import HEART_VALUES, upload

from backend.app import Application
from backend.openapi import UPLOADS
from backend.schemas.kept import KeptAnalyzeQuery

ALL = ", ".join(KeptAnalyzeQuery.model_fields)


def refused(app: Application, path: str, method: str = "GET", **sent: Any) -> str:
    reply = app.test_client().open(path, method=method, **sent)
    body = reply.get_json()
    assert (reply.status_code, body["code"], body["success"]) == (400, "unknown_parameter", False), path
    return str(body["error"])


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("age_year=52&gat=off", "'age_year'; nearest known: age_years"),
        ("gate=off&gat=off", "'gat'; nearest known: gate"),
        ("Explain=none", "'Explain'; nearest known: explain"),
        ("zzzzz=1", "'zzzzz'"),
    ],
)
def test_a_misspelt_parameter_is_refused_with_the_nearest_name(
    live_app: Application, picture: Callable[..., bytes], query: str, message: str
) -> None:
    error = refused(live_app, f"/analyze/skin?{query}", "POST", data=upload(picture()))
    assert error == f"unknown query parameter {message}; this address takes: {ALL}"


def test_every_known_parameter_is_read(live_app: Application, picture: Callable[..., bytes]) -> None:
    asked = {
        "explain": "none", "target": "mel", "top_k": 2, "modality": "dermatoscopy", "age_years": 52, "view": "PA",
        "sampling_rate_hz": 500, "gate": "warn", "prevalence": 0.1, "pixel_size_um": 0.5, "sex": "male",
        "frame": 1,
    }  # fmt: skip
    assert set(asked) == set(KeptAnalyzeQuery.model_fields) - {"keep", "patient_ref", "window"}, (
        "a window is of DICOM alone"
    )
    reply = live_app.test_client().post("/analyze/skin", query_string=asked, data=upload(picture()))
    assert (reply.status_code, len(reply.get_json()["all_predictions"])) == (200, 2)
    assert reply.get_json()["provenance"]["request"] == asked


def test_addresses_without_parameters_say_that_they_take_none(
    live_app: Application, picture: Callable[..., bytes]
) -> None:
    """Every route but the files of the page."""
    examples = {
        "task": "skin",
        "answer_id": "0",
        "kind": "csv",
        "member": "pictures",
        "name": "roc.png",
        "part": "mask",
    }
    seen = set()
    for rule in live_app.url_map.iter_rules():
        others = ("/analyze/<task>", "/models/<task>/card", "/predict-disease", "/predict-heart", *UPLOADS)
        if rule.endpoint == "static" or rule.rule in others or rule.rule.startswith("/api/"):
            continue
        _, path = rule.build({name: examples[name] for name in rule.arguments}) or ("", "")
        method = "POST" if "POST" in (rule.methods or ()) else "GET"
        assert refused(live_app, f"{path}?explian=none", method) == (
            "unknown query parameter 'explian'; this address takes none"
        )
        seen.add(rule.rule)
    assert {"/", "/docs", "/openapi.json", "/health", "/livez", "/readyz", "/metrics", "/models", "/symptoms"} < seen
    assert "/history" in seen
    assert "takes: frame, window" in refused(live_app, "/predict?fram=2", "POST")
    assert "format, member" in refused(live_app, "/models/skin/card?fromat=json")
    with live_app.test_client().get("/static/style.css?v=2") as style:
        assert style.status_code == 200, "a browser's cache is outwitted so"


def test_a_field_of_the_body_in_the_query_is_said_so(live_app: Application) -> None:
    error = refused(live_app, "/predict-disease?age=34", "POST", json={"symptoms": ["fever"]})
    told = "it is a field of the JSON body; this address takes: keep, patient_ref"
    assert error == f"unknown query parameter 'age'; {told}"
    assert "takes: keep, patient_ref" in refused(live_app, "/predict-heart?age=34", "POST", json=HEART_VALUES)


@pytest.mark.parametrize("as_file", [False, True])
def test_a_form_field_that_belongs_into_the_query_is_said_so(
    live_app: Application, picture: Callable[..., bytes], as_file: bool
) -> None:
    field = (io.BytesIO(b"52"), "age.txt") if as_file else "52"
    reply = live_app.test_client().post("/analyze/skin", data={**upload(picture()), "age_years": field})
    assert (reply.status_code, reply.get_json()["code"]) == (400, "unknown_field")
    assert reply.get_json()["error"] == (
        "unknown form field 'age_years'; age_years belongs into the address: /analyze/skin?age_years=...; "
        "of a form this endpoint reads: image"
    )
    reply = live_app.test_client().post("/predict", data={**upload(picture(), "file"), "age_years": "52"})
    assert reply.status_code == 400
    assert "belongs" not in reply.get_json()["error"], "this address takes no age"


def test_a_browser_may_still_ask_before_it_sends(live_app: Application) -> None:
    headers = {"Origin": "http://elsewhere.example", "Access-Control-Request-Method": "POST"}
    assert live_app.test_client().options("/analyze/skin?gate=off", headers=headers).status_code == 200


class NeverRead(io.RawIOBase):
    """A body that must not be touched."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, _offset: int, _whence: int = 0) -> int:
        return 0

    def readinto(self, _buffer: object) -> int:
        raise AssertionError("the body was read")


def test_an_upload_that_says_it_is_too_large_is_not_read(live_app: Application) -> None:
    reply = live_app.test_client().post(
        "/analyze/skin",
        input_stream=NeverRead(),
        content_type="multipart/form-data; boundary=sep",
        environ_overrides={"CONTENT_LENGTH": "40000000"},
    )
    assert (reply.status_code, reply.get_json()["code"]) == (413, "input_too_large")
