"""Files of records over HTTP, in a folder and in a bucket."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import ct_slice, dataset, frames_of, write
from ecg_files import csv_file, heart, wfdb_record
from hostile.hidden_texts import HIDING, TEXT
from pictures import chest_film
from PIL import Image
from records.buckets import ObjectServer, fresh_bucket, objects_in
from records.people import Person, person

from backend.app import Application
from backend.services.records.retention import sweep
from ml_model.diagnosis.reproduction import replay

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


def drawn(ada: Person, file_id: str, query: str = "") -> tuple[str, list[int]]:
    """Mode and levels of the first row of what /render gives."""
    reply = ada.call("GET", f"/render/{file_id}{query}")
    assert (reply.status_code, reply.mimetype) == (200, "image/png"), reply.data
    with Image.open(io.BytesIO(reply.data)) as image:
        return image.mode, np.asarray(image)[0].ravel().tolist()


def test_any_frame_of_an_upload_at_any_window(records_app: Application) -> None:
    ada = person(records_app)
    ct = ada.upload(ct_slice(np.tile(np.array([-1350, -600, 0, 40, 150], np.int16), (5, 1))))
    assert drawn(ada, ct, "?window=lung") == ("L", [0, 128, 230, 236, 255])
    assert drawn(ada, ct, "?window=soft") == ("L", [0, 0, 102, 128, 198])
    assert drawn(ada, ct, "?window=0,300&frame=1") == ("L", [0, 0, 128, 162, 255])
    cine = ada.upload(write(frames_of(10, 90, 30)))
    assert [drawn(ada, cine, f"?frame={n}")[1][0] for n in (1, 2, 3)] == [10, 90, 30]
    assert drawn(ada, cine)[1] == [90] * 6
    colours, png = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8), io.BytesIO()
    Image.fromarray(colours).save(png, "PNG")
    assert drawn(ada, ada.upload(png.getvalue())) == ("RGB", colours[0].ravel().tolist())
    large = ada.upload(write(dataset(np.tile(np.arange(0, 240, dtype=np.uint8), (8, 20)))))
    assert len(drawn(ada, large)[1]) == 2048
    for file_id, query, told in (
        (cine, "?frame=4", "frame: received 4; the file holds 3 frames: send 1 to 3"),
        (cine, "?window=lung", "window: lung is in Hounsfield units"),
        (ct, "?window=wide", "expected lung, bone, brain, soft, or centre,width"),
    ):
        reply = ada.call("GET", f"/render/{file_id}{query}")
        assert (reply.status_code, reply.get_json()["code"]) == (422, "invalid_value")
        assert told in reply.get_json()["error"]


def test_a_picture_that_is_the_same_is_not_drawn_again(
    records_app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = person(records_app)
    file_id = ada.upload(write(frames_of(10, 90, 30)))
    first, other = (ada.call("GET", f"/render/{file_id}?frame={n}") for n in (1, 3))
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert first.headers["ETag"] != other.headers["ETag"]
    monkeypatch.setattr("backend.services.viewer.PictureToShow", None)
    same = ada.call("GET", f"/render/{file_id}?frame=1", headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.data, same.headers["ETag"]) == (304, b"", first.headers["ETag"])
    foreign = person(records_app).call("GET", f"/render/{file_id}?frame=1", headers={"If-None-Match": "*"})
    assert foreign.status_code == 404


def test_a_recording_is_not_drawn(records_app: Application) -> None:
    ada, files = person(records_app), csv_file(heart())
    sent = {"record": [(io.BytesIO(data), name) for name, data in files]}
    file_id = ada.call("POST", "/upload", data=sent).get_json()["file_id"]
    reply = ada.call("GET", f"/render/{file_id}")
    assert (reply.status_code, reply.get_json()["code"]) == (415, "unsupported_format")


def test_a_record_is_of_the_frame_and_window_that_were_asked_for(records_app: Application) -> None:
    """By a file that was uploaded and by one that is sent along, and made again from what is kept of both."""
    ada = person(records_app)
    values = chest_film()[..., 0].astype(np.int16) * 8 - 1000
    made = dataset(np.stack([values, values // 2])[0] + 1024, NumberOfFrames=2, Modality="CT", RescaleSlope=1)
    made.RescaleIntercept = -1024
    made.PixelData = np.stack([values + 1024, values // 2 + 1024]).tobytes()
    sent, asked = write(made), {"task": "skin", "gate": "off", "frame": 2, "window": "lung"}
    query = "?gate=off&frame=2&window=lung"
    opened = records_app.test_client().post(f"/analyze/skin{query}", data={"image": (io.BytesIO(sent), "x")}).get_json()
    by_id = ada.call("POST", "/predict", json={**asked, "file_id": ada.upload(sent)}).get_json()
    along = ada.call("POST", "/predict", data={**asked, "file": (io.BytesIO(sent), "x")}).get_json()
    for told in (by_id, along):
        kept = ada.get(f"/history/{told['prediction_id']}")["result"]
        assert kept["all_predictions"] == opened["all_predictions"]
        assert (kept["input_check"]["dicom"][0]["frame"], kept["provenance"]["request"]["window"]) == (2, "lung")
        stored = ada.call("GET", f"/files/{told['file_id']}").data
        models = records_app.services.models.get("skin")
        assert models is not None
        again = replay(json.loads(json.dumps(kept)), [("x", stored)], models.bundle.path.parent)
        assert again.identical
        assert ada.call("GET", f"/download/{told['prediction_id']}").data.startswith(b"%PDF-")
    other = ada.call("POST", "/predict", json={**asked, "frame": 1, "file_id": by_id["file_id"]}).get_json()
    assert other["result"]["all_predictions"] != opened["all_predictions"]
    refused = ada.call("POST", "/predict", json={**asked, "frame": 3, "file_id": by_id["file_id"]})
    assert (refused.status_code, refused.get_json()["code"]) == (422, "invalid_value")
