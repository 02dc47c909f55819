"""Records as FHIR over HTTP: whose they are, what is asked for, and what of a DICOM file stands in them."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from clients.fhir import FHIR_JSON, observed, read
from dicom_files import dataset, write
from pictures import detailed
from records.people import Person, person

from backend.app import Application

Picture = Callable[..., bytes]


@pytest.fixture(scope="module")
def kept(records_app: Application, picture: Picture) -> tuple[Person, str]:
    """Somebody and a record of theirs."""
    ada = person(records_app)
    return ada, ada.predict(picture(seed=41), patient_ref="p-41", age_years="61")["prediction_id"]


def test_a_record_is_given_as_a_bundle(kept: tuple[Person, str]) -> None:
    ada, record_id = kept
    reply = ada.call("GET", f"/predictions/{record_id}/fhir")
    assert (reply.status_code, reply.mimetype, reply.headers["Cache-Control"]) == (200, FHIR_JSON, "no-store")
    assert ada.call("GET", f"/predictions/{record_id}/fhir").data == reply.data
    whole, found = ada.get(f"/history/{record_id}"), read(reply.text)
    assert json.loads(reply.text)["identifier"]["value"] == f"urn:uuid:{record_id}"
    assert found["Patient"][0]["identifier"][0]["value"] == "p-41"
    assert found["DiagnosticReport"][0]["conclusion"].startswith(whole["result"]["headline"])
    assert found["Device"][0]["identifier"][0]["value"] == whole["record"]["model_sha256"]
    assert "ImagingStudy" not in found
    told = {one["what"]["display"]: one["what"]["identifier"]["value"] for one in found["Provenance"][0]["entity"]}
    assert ada.get(f"/verify/{record_id}?sha256={told['result that is kept']}")["genuine"] is True
    done = [one["action"] for one in ada.get("/auth/export")["audit"] if one["object_id"] == record_id]
    assert done.count("fhir") == 2


@pytest.mark.parametrize(
    "accept", [FHIR_JSON, f"{FHIR_JSON}; fhirVersion=4.0", "application/json", "*/*", "text/html, */*;q=0.1"]
)
def test_it_is_given_to_whoever_takes_it(kept: tuple[Person, str], accept: str) -> None:
    ada, record_id = kept
    reply = ada.call("GET", f"/predictions/{record_id}/fhir", headers={"Accept": accept})
    assert (reply.status_code, reply.mimetype) == (200, FHIR_JSON)


@pytest.mark.parametrize("accept", ["text/html", "application/fhir+xml", f"{FHIR_JSON}; fhirVersion=5.0"])
def test_another_form_is_refused_as_every_error_is(kept: tuple[Person, str], accept: str) -> None:
    ada, record_id = kept
    reply = ada.call("GET", f"/predictions/{record_id}/fhir", headers={"Accept": accept})
    assert (reply.status_code, reply.mimetype) == (406, "application/json")
    assert reply.get_json().keys() == {"success", "error", "code", "request_id"}
    assert reply.get_json()["code"] == "not_acceptable"


def test_a_record_that_is_not_there_is_not_found(kept: tuple[Person, str]) -> None:
    ada, _ = kept
    for there_is_none in (uuid.uuid4(), "x"):
        reply = ada.call("GET", f"/predictions/{there_is_none}/fhir")
        assert (reply.status_code, reply.get_json()["code"]) == (404, "not_found")


def dicom_picture() -> bytes:
    """With a patient's name, in a study."""
    pixels = np.asarray(detailed(280, 256, 3).convert("L"), np.uint8)
    named = {"PatientName": "Smith^Anna", "PatientID": "4711", "PatientBirthDate": "19610203", "StudyDate": "20260102"}
    uids = {
        "StudyInstanceUID": "1.2.826.0.1.1",
        "SeriesInstanceUID": "1.2.826.0.1.2",
        "SOPInstanceUID": "1.2.826.0.1.3",
    }
    return write(dataset(pixels, Modality="XC", AccessionNumber="A-99", **named, **uids))


def test_of_a_dicom_file_the_study_is_told_and_no_patient(records_app: Application) -> None:
    ada = person(records_app)
    found = read(ada.call("GET", f"/predictions/{ada.predict(dicom_picture())['prediction_id']}/fhir").text)
    (study,) = found["ImagingStudy"]
    assert study["identifier"][0]["value"] == "urn:oid:1.2.826.0.1.1"
    assert study["series"][0]["uid"] == "1.2.826.0.1.2"
    assert study["series"][0]["instance"][0]["uid"] == "1.2.826.0.1.3"
    named = observed(found, "Named class")
    assert named["derivedFrom"][0]["reference"] == f"urn:uuid:{study['id']}"
    assert not [one for one in ("Smith", "Anna", "4711", "1961", "A-99", "20260102") if one in json.dumps(found)]


def test_the_document_describes_it(records_app: Application) -> None:
    paths = records_app.test_client().get("/openapi.json").get_json()["paths"]
    operation: dict[str, Any] = paths["/api/v1/predictions/{prediction_id}/fhir"]["get"]
    assert {"200", "401", "404", "406", "413", "503", "504"} <= operation["responses"].keys()
    assert operation["responses"]["200"]["content"].keys() == {FHIR_JSON}
    assert operation["security"]


def test_what_is_kept_as_it_is_answered_is_the_record(records_app: Application, picture: Picture) -> None:
    ada = person(records_app)
    asking = {"Authorization": f"Bearer {ada.access_token}", "Accept": FHIR_JSON}
    form = {"image": (io.BytesIO(picture(seed=43)), "x")}
    reply = ada.client.post("/analyze/skin?keep=true&patient_ref=p-43", data=form, headers=asking)
    assert (reply.status_code, reply.mimetype) == (200, FHIR_JSON), reply.text
    (record,) = ada.get("/patients/p-43/timeline")["timeline"]
    assert ada.call("GET", f"/predictions/{record['record']['id']}/fhir").data == reply.data
