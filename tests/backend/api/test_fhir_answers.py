"""Answers of the open addresses as FHIR: to those who ask for it, and of what a model answered only."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from clients.fhir import FHIR_JSON, observed, read
from dicom_files import dataset, write
from pictures import detailed
from samples import HEART_VALUES
from werkzeug.test import TestResponse

from backend.app import Application

ASKING = {"Accept": FHIR_JSON}
TOLD = {"symptoms": ["fever", "cough"]}


def sent(app: Application, path: str, content: bytes | dict[str, Any], accept: str | None = FHIR_JSON) -> TestResponse:
    field = "file" if path.startswith("/api/") else "image"
    body = {"json": content} if isinstance(content, dict) else {"data": {field: (io.BytesIO(content), "a name.jpg")}}
    return app.test_client().post(path, headers={"Accept": accept} if accept else {}, **body)  # type: ignore[arg-type]


def test_each_is_given_as_a_bundle_of_its_own(live_app: Application, picture: Callable[..., bytes]) -> None:
    seen = set()
    told: dict[str, bytes | dict[str, Any]] = {
        "/analyze/skin": picture(),
        "/api/analyze?scan_type=skin": picture(),
        "/predict-disease": TOLD,
        "/predict-heart": HEART_VALUES,
    }
    for path, content in told.items():
        own = sent(live_app, path, content, "application/json").get_json()
        for _ in range(2):
            reply = sent(live_app, path, content)
            assert (reply.status_code, reply.mimetype) == (200, FHIR_JSON), reply.text
            found = read(reply.text)
            assert observed(found, "Triage")["valueCodeableConcept"]["text"] == own["triage"]["level"]
            assert found["Device"][0]["identifier"][0]["value"] == own["model"]["sha256"]
            assert ("RiskAssessment" in found) == path.startswith("/predict-")
            assert "a name" not in reply.text
            seen.add(uuid.UUID(found["DiagnosticReport"][0]["id"]))
    assert len(seen) == 8, "nothing is kept, so that no two are the same"


@pytest.mark.parametrize(
    ("accept", "fhir"),
    [
        (None, False),
        ("*/*", False),
        ("application/json", False),
        ("text/html", False),
        ("application/problem+json", False),
        (f"{FHIR_JSON}; fhirVersion=4.0", True),
        (f"{FHIR_JSON}, */*;q=0.5", True),
        (f"{FHIR_JSON};q=0.5, application/json", False),
    ],
)
def test_who_does_not_ask_for_it_gets_what_was_always_given(
    live_app: Application, accept: str | None, fhir: bool
) -> None:
    reply = sent(live_app, "/predict-disease", TOLD, accept)
    assert (reply.status_code, reply.mimetype) == (200, FHIR_JSON if fhir else "application/json")


def test_of_dicom_views_the_study_is_told(live_app: Application) -> None:
    views = []
    for n in (1, 2):
        pixels = np.asarray(detailed(280, 256, n).convert("L"), np.uint8)
        uids = {"StudyInstanceUID": "1.2.3.1", "SeriesInstanceUID": "1.2.3.2", "SOPInstanceUID": f"1.2.3.{n}"}
        views.append((io.BytesIO(write(dataset(pixels, Modality="MG", PatientName="Smith^Anna", **uids))), f"{n}.dcm"))
    reply = live_app.test_client().post("/analyze/mammogram", data={"image": views}, headers=ASKING)
    assert reply.status_code == 200, reply.text
    (study,) = read(reply.text)["ImagingStudy"]
    assert study["identifier"][0]["value"] == "urn:oid:1.2.3.1"
    assert [one["uid"] for one in study["series"][0]["instance"]] == ["1.2.3.1", "1.2.3.2"]
    assert "Smith" not in reply.text


def test_a_file_of_any_kind_has_the_bundle_of_its_task_and_several_have_none(live_app: Application) -> None:
    pixels = np.asarray(detailed(280, 256).convert("L"), np.uint8)
    uids = {"StudyInstanceUID": "1.2.4.1", "SeriesInstanceUID": "1.2.4.2", "SOPInstanceUID": "1.2.4.3"}
    film = write(dataset(pixels, Modality="MG", PatientName="Smith^Anna", **uids))
    found = read(sent(live_app, "/api/analyze", film).text)
    of_task = read(sent(live_app, "/analyze/mammogram", film).text)
    assert found["ImagingStudy"][0]["identifier"][0]["value"] == "urn:oid:1.2.4.1"
    assert found["DiagnosticReport"][0]["conclusion"] == of_task["DiagnosticReport"][0]["conclusion"]
    assert {kind: len(several) for kind, several in found.items()} == {k: len(s) for k, s in of_task.items()}
    two = {"file": [(io.BytesIO(film), "1.dcm"), (io.BytesIO(film), "2.dcm")]}
    reply = live_app.test_client().post("/api/analyze", data=two, headers=ASKING)
    assert (reply.status_code, reply.get_json()["code"]) == (406, "not_acceptable")


def test_an_example_is_no_result(demo_app: Application, picture: Callable[..., bytes]) -> None:
    for path, content in (("/analyze/skin", picture()), ("/predict-disease", TOLD), ("/predict-heart", HEART_VALUES)):
        reply = sent(demo_app, path, content)
        assert (reply.status_code, reply.mimetype, reply.get_json()["code"]) == (
            406,
            "application/json",
            "not_acceptable",
        )
        assert sent(demo_app, path, content, None).status_code == 200


def test_errors_are_as_ever(live_app: Application) -> None:
    reply = sent(live_app, "/analyze/skin", b"no picture")
    assert (reply.status_code, reply.mimetype, reply.get_json()["code"]) == (
        415,
        "application/json",
        "unsupported_format",
    )


def test_the_document_describes_it(live_app: Application) -> None:
    paths = live_app.test_client().get("/openapi.json").get_json()["paths"]
    giving = {
        path
        for path, found in paths.items()
        if FHIR_JSON in found.get("post", {}).get("responses", {}).get("200", {}).get("content", {})
    }
    assert giving == {path for path in paths if path.startswith(("/analyze/", "/predict-"))} | {"/api/analyze"}
    assert all("406" in paths[path]["post"]["responses"] for path in giving)
