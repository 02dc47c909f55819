"""Reports over HTTP, and whether they are genuine."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from records.pages import code_on, page_sizes_mm, page_texts, pictures_on
from records.people import Person, person
from samples import image_task

from backend.app import Application

Picture = Callable[..., bytes]


@pytest.fixture(scope="module")
def kept(records_app: Application, picture: Picture) -> tuple[Person, str, bytes]:
    """Somebody, a record of theirs, and its report."""
    ada = person(records_app)
    record_id = ada.predict(picture(seed=31), patient_ref="p-31", age_years="61")["prediction_id"]
    reply = ada.call("GET", f"/download/{record_id}")
    assert (reply.status_code, reply.mimetype) == (200, "application/pdf"), reply.text
    assert reply.headers["Content-Disposition"] == f'attachment; filename="report-{record_id}.pdf"'
    assert reply.headers["Cache-Control"] == "no-store"
    return ada, record_id, reply.data


def test_a_report_is_of_the_record_with_its_picture_beside_the_heatmap(kept: tuple[Person, str, bytes]) -> None:
    ada, record_id, pdf = kept
    record = ada.get(f"/history/{record_id}")
    whole = " ".join(page_texts(pdf))
    assert "Patient reference p-31" in whole
    assert f"Record {record_id}" in whole
    assert record["result"]["headline"] in whole
    assert record["record"]["model_sha256"] in whole
    assert "As it was sent" in whole
    assert pictures_on(pdf) == 2
    assert page_sizes_mm(ada.call("GET", f"/download/{record_id}?paper=Letter").data) == {(216, 279)}
    assert ada.call("GET", f"/download/{record_id}?paper=A0").status_code == 422
    done = [one["action"] for one in ada.get("/auth/export")["audit"] if one["object_id"] == record_id]
    assert done.count("report") == 2


def test_its_code_leads_to_whether_it_is_genuine_and_tells_nothing_else(kept: tuple[Person, str, bytes]) -> None:
    ada, record_id, pdf = kept
    address = urlsplit(code_on(pdf))
    assert (address.scheme, address.netloc) == ("http", "localhost")
    sha256 = address.query.removeprefix("sha256=")
    assert f"Result SHA-256 {sha256}" in " ".join(page_texts(pdf))
    anybody = ada.client.application.test_client()
    told = anybody.get(f"{address.path}?{address.query}").get_json()
    assert told == {"success": True, "prediction_id": record_id, "genuine": True, "text": told["text"]}
    other = "f" * 64
    wrong = [anybody.get(f"/api/v1/verify/{one}?sha256={other}").get_json() for one in (record_id, uuid.uuid4())]
    assert [one["genuine"] for one in wrong] == [False, False]
    assert wrong[0]["text"] == wrong[1]["text"], "that there is a record is not told"
    for query in ("", "?sha256=x", f"?sha256={sha256.upper()}", f"?sha256={sha256}&q=1"):
        assert anybody.get(f"/api/v1/verify/{record_id}{query}").status_code in (400, 422)


def test_a_report_is_genuine_no_more_once_its_record_is_gone(records_app: Application, picture: Picture) -> None:
    ada = person(records_app)
    record_id = ada.predict(picture(seed=32), explain="none")["prediction_id"]
    pdf = ada.call("GET", f"/download/{record_id}").data
    assert pictures_on(pdf) == 1
    found = re.search(r"Result SHA-256 ([0-9a-f]{64})", " ".join(page_texts(pdf)))
    assert found
    path = f"/verify/{record_id}?sha256={found[1]}"
    assert ada.get(path)["genuine"] is True
    assert ada.call("DELETE", f"/history/{record_id}").status_code == 200
    assert ada.get(path)["genuine"] is False
    assert ada.call("GET", f"/download/{record_id}").status_code == 404


def test_the_document_tells_what_reading_the_picture_can_end_in(records_app: Application) -> None:
    paths = records_app.test_client().get("/openapi.json").get_json()["paths"]
    assert {"413", "503", "504"} <= paths["/api/v1/download/{prediction_id}"]["get"]["responses"].keys()


def test_what_clinicians_said_is_in_it(records_app: Application, picture: Picture) -> None:
    ada, grace = person(records_app), person(records_app, "clinician")
    record_id = ada.predict(picture(seed=33))["prediction_id"]
    ada.call("POST", f"/history/{record_id}/share", json={"shared": True})
    said = {"agrees": False, "right_class": "nv", "note": "Невус, Ωmega 患者"}
    assert grace.call("POST", f"/history/{record_id}/feedback", json=said).status_code == 201
    whole = " ".join(page_texts(grace.call("GET", f"/download/{record_id}").data))
    assert "a clinician disagrees; says: nv Невус, Ωmega 患者" in whole
    assert grace.username not in whole


def test_its_code_has_the_name_by_which_people_reach_the_service(
    make_records_app: Callable[..., Application], tmp_path: Path, picture: Picture
) -> None:
    ada = person(make_records_app(tmp_path, public_url="https://example.org/medidiagnose"))
    record_id = ada.predict(picture(seed=34))["prediction_id"]
    address = code_on(ada.call("GET", f"/download/{record_id}").data)
    assert address.startswith(f"https://example.org/medidiagnose/api/v1/verify/{record_id}?sha256=")


def test_a_picture_that_would_be_too_small_by_now_is_printed_all_the_same(
    records_app: Application, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = person(records_app)
    record_id = ada.predict(picture(seed=35))["prediction_id"]
    skin = image_task("skin")
    raised = skin.model_copy(update={"input": skin.input.model_copy(update={"min_side_px": 4000})})
    monkeypatch.setattr(records_app.services.records.open().reports, "_tasks", {"skin": raised})
    reply = ada.call("GET", f"/download/{record_id}")
    assert reply.status_code == 200, reply.text
    assert pictures_on(reply.data) == 2
