"""Files of records over HTTP, in a folder and in a bucket."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dicom_files import dataset, write
from ecg_files import csv_file, heart, wfdb_record
from hostile.hidden_texts import HIDING, TEXT
from pictures import chest_film
from records.buckets import ObjectServer, fresh_bucket, objects_in
from records.people import Person, person

from backend.app import Application
from backend.services.records.retention import sweep

Picture = Callable[..., bytes]
MakeApp = Callable[..., Application]


def names_in_store(app: Application) -> set[str]:
    config = app.services.config
    if config.storage_url:
        return objects_in(config.storage_url)
    return {path.name for path in (config.data_dir / "files").glob("*/*")}


def swept(app: Application) -> int:
    opened = app.services.records.open()
    return sweep(opened.database, opened.files, 0)


@pytest.fixture
def storing(make_records_app: MakeApp, storage_address: Callable[[], str], tmp_path: Path) -> Application:
    return make_records_app(tmp_path, storage_url=storage_address())


def of_account(ada: Person) -> set[str]:
    return {one["file_id"] for one in ada.get("/auth/export")["files"]}


def test_a_record_goes_with_its_files_unless_another_is_of_them(storing: Application, picture: Picture) -> None:
    ada = person(storing)
    file_id = ada.upload(picture(seed=5))
    ids = [
        ada.call("POST", "/predict", json={"file_id": file_id, "task": "skin"}).get_json()["prediction_id"]
        for _ in range(2)
    ]
    kept = of_account(ada)
    assert len(kept) == 3
    assert kept <= names_in_store(storing)
    held = ada.call("DELETE", f"/files/{file_id}")
    assert (held.status_code, held.get_json()["code"]) == (403, "forbidden")
    assert ada.call("DELETE", f"/history/{ids[0]}").status_code == 200
    assert file_id in of_account(ada)
    assert ada.call("DELETE", f"/history/{ids[1]}").status_code == 200
    assert of_account(ada) == set()
    assert not kept & names_in_store(storing)
    assert ada.call("DELETE", f"/history/{ids[1]}").status_code == 404


def test_a_store_that_stops_in_mid_work_loses_nothing(
    make_records_app: MakeApp, objects: ObjectServer, tmp_path: Path, picture: Picture
) -> None:
    app = make_records_app(tmp_path, storage_url=fresh_bucket())
    ada, sent = person(app), picture(seed=7)
    kept, going = ada.predict(sent), ada.predict(picture(seed=8))
    objects.stop()
    try:
        form = {"file": (io.BytesIO(sent), "x"), "task": "skin"}
        for reply in (
            ada.call("POST", "/predict", data=form),
            ada.call("GET", f"/files/{kept['file_id']}"),
            ada.call("GET", f"/history/{kept['prediction_id']}/heatmap.png"),
        ):
            assert (reply.status_code, reply.get_json()["code"]) == (503, "records_unavailable")
            assert int(reply.headers["Retry-After"]) > 0
        assert ada.get("/history")["total"] == 2, "the answer that was not kept is none"
        assert ada.call("DELETE", f"/history/{going['prediction_id']}").status_code == 200
    finally:
        objects.start()
    assert ada.call("GET", f"/files/{kept['file_id']}").status_code == 200
    assert ada.call("GET", f"/history/{kept['prediction_id']}/heatmap.png").status_code == 200
    time.sleep(1.1)  # a bucket tells whole seconds
    assert swept(app) == 2, "picture and heatmap of the record that was taken away meanwhile"
    assert names_in_store(app) == of_account(ada)
    assert len(of_account(ada)) == 2


def test_a_dicom_film_is_kept_without_its_patient_and_answered_the_same(records_app: Application) -> None:
    ada, name = person(records_app), b"SMITH^JOHN"
    levels = chest_film()[..., 0]
    sent = write(
        dataset(levels, PatientName=name.decode(), PatientAge="061Y", InstitutionName="Saint Elsewhere", Modality="US")
    )
    opened = records_app.test_client().post("/analyze/skin?gate=off", data={"image": (io.BytesIO(sent), "x")})
    upload = ada.call("POST", "/upload", data={"file": (io.BytesIO(sent), "SMITH.dcm")}).get_json()
    assert (upload["format"], len(upload["warnings"])) == ("DICOM", 1)
    assert "burn text into the pixels" in upload["warnings"][0]
    body = {"file_id": upload["file_id"], "task": "skin", "gate": "off"}
    kept = ada.call("POST", "/predict", json=body).get_json()
    assert kept["result"]["all_predictions"] == opened.get_json()["all_predictions"]
    assert upload["warnings"][0] in kept["warnings"]
    stored = ada.call("GET", f"/files/{upload['file_id']}")
    assert stored.headers["Content-Disposition"].endswith('.dicom"')
    assert (name in sent, name in stored.data, b"Elsewhere" in stored.data) == (True, False, False)


def kept_by_the_way(ada: Person, address: str, **form: Any) -> tuple[Any, Any]:
    """The answer, and the record of it."""
    token = {"Authorization": f"Bearer {ada.access_token}"}
    answer = ada.client.post(address, data=form, headers=token).get_json()
    return answer, ada.get(f"/history/{answer['prediction_id']}")["record"]


@pytest.mark.parametrize(
    ("case", "form"), [("AVIF", "PNG"), ("BMP of run lengths", "BMP"), ("GIF", "GIF"), ("JPEG in TIFF", "TIFF"),
                       ("fragments", "DICOM")],
)  # fmt: skip
def test_what_hides_a_text_is_kept_without_it_and_answered_the_same(
    records_app: Application, case: str, form: str
) -> None:
    ada, sent = person(records_app), HIDING[case]()
    opened = records_app.test_client().post("/analyze/skin?gate=off", data={"image": (io.BytesIO(sent), "x")})
    upload = ada.call("POST", "/upload", data={"file": (io.BytesIO(sent), "x")}).get_json()
    assert upload["format"] == form
    stored = ada.call("GET", f"/files/{upload['file_id']}").data
    assert (TEXT in sent, TEXT in stored) == (True, False)
    body = {"file_id": upload["file_id"], "task": "skin", "gate": "off"}
    for _ in range(2):
        kept = ada.call("POST", "/predict", json=body).get_json()
        assert kept["result"]["all_predictions"] == opened.get_json()["all_predictions"]
    record = kept_by_the_way(ada, "/analyze/skin?gate=off&keep=true", image=(io.BytesIO(sent), "x"))[1]
    assert ada.call("GET", f"/files/{record['file_id']}").data == stored


def test_a_recording_is_kept_as_its_signal_and_answered_the_same(records_file_app: Application) -> None:
    ada, header, signals = person(records_file_app), *wfdb_record(heart())
    files = [(header[0], header[1] + b"# SMITH^JOHN\n"), signals]

    def parts() -> list[tuple[io.BytesIO, str]]:
        return [(io.BytesIO(data), name) for name, data in files]

    opened = records_file_app.test_client().post("/analyze/heart", data={"record": parts()}).get_json()
    upload = ada.call("POST", "/upload", data={"record": parts()}).get_json()
    assert upload["format"] == "ECG"
    by_id = ada.call("POST", "/predict", json={"file_id": upload["file_id"], "task": "heart"}).get_json()
    assert by_id["result"]["all_predictions"] == opened["all_predictions"]
    assert by_id["result"]["recording"] == opened["recording"]
    assert by_id["heatmap_url"] is not None
    stored = ada.call("GET", f"/files/{upload['file_id']}").data
    assert b"SMITH" not in stored
    again = records_file_app.test_client().post("/analyze/heart", data={"record": (io.BytesIO(stored), "x")}).get_json()
    assert again["all_predictions"] == opened["all_predictions"]
    whole, record = kept_by_the_way(ada, "/analyze/heart?keep=true", record=parts())
    assert whole["all_predictions"] == opened["all_predictions"]
    assert ada.call("GET", f"/files/{record['file_id']}").data == stored
    refused = ada.call("POST", "/predict", json={"file_id": upload["file_id"], "task": "skin"})
    assert (refused.status_code, refused.get_json()["code"]) == (415, "unsupported_format")
    for path in ("/predict", "/upload"):
        assert ada.call("POST", path, data={"record": parts(), "file": parts()[0]}).status_code == 400
    rows = csv_file(heart(), rate_hz=None)[0][1]
    for query, status in (("", 422), ("?sampling_rate_hz=500", 201)):
        sent = {"record": (io.BytesIO(rows), "x.csv")}
        assert ada.call("POST", f"/upload{query}", data=sent).status_code == status
