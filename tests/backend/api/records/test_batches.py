"""Batches over HTTP, on both databases."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import dataset, frames_of, write
from ecg_files import csv_file, dicom_file, dicom_group, edf_file, heart, wfdb_record
from fuzzing.findings import pixels_of_the_head
from pictures import chest_film, encode
from PIL import Image
from records.batches import accepted, finished, send, zipped
from records.people import PASSWORD, Person, person

from backend.app import Application
from backend.services.rendering.messages import NOT_KEPT
from ml_model.ecg.leads import EcgRecording
from ml_model.ecg.page_renderer import draw_page

Picture = Callable[..., bytes]


@pytest.fixture(scope="module")
def ada(records_app: Application) -> Person:
    return person(records_app)


@pytest.fixture(scope="module")
def pictures(picture: Picture) -> list[tuple[str, bytes]]:
    return [(f"scan {seed}.jpg", picture(width_px=90, height_px=80, seed=seed)) for seed in range(3)]


def stored(app: Application) -> set[str]:
    return {path.name for path in (app.services.config.data_dir / "files").glob("*/*")}


def test_every_file_has_a_record_or_an_error(
    records_app: Application, ada: Person, pictures: list[tuple[str, bytes]]
) -> None:
    before = stored(records_app)
    sent = [pictures[0], ("note.txt", b"no picture at all"), pictures[1], ("empty.png", b"")]
    told = accepted(ada, sent, batch_name="ward 3", patient_ref="p-9")
    assert [(one["position"], one["name"]) for one in told["files"]] == [
        (1, "scan 0.jpg"), (2, "note.txt"), (3, "scan 1.jpg"), (4, "empty.png"),
    ]  # fmt: skip
    assert told["files"][0]["sha256"] == hashlib.sha256(pictures[0][1]).hexdigest()
    done = finished(ada, told["batch_id"])
    assert (done["state"], done["done"], done["failed"], done["progress"]) == ("finished", 2, 2, 1.0)
    assert [one["state"] for one in done["results"]] == ["done", "failed"] * 2
    errors = [one["error"] for one in done["results"][1::2]]
    assert [(one["status"], one["code"]) for one in errors] == [(415, "unsupported_format"), (400, "empty_input")]
    assert [one["name"] for one in done["results"]] == [None] * 4, "names are not kept unasked"
    first = done["results"][0]
    record = ada.get(f"/history/{first['prediction_id']}")
    assert (record["record"]["patient_ref"], record["record"]["class_code"]) == ("p-9", first["class_code"])
    single = ada.predict(pictures[0][1])
    assert (single["class_code"], single["confidence"]) == (first["class_code"], first["confidence"])
    files = ada.get("/auth/export")["files"]
    kept = {one["address"].rsplit("/", 1)[1] for one in files}
    assert stored(records_app) - before <= kept, "what was sent goes once it is answered"
    assert {one["kind"] for one in files} == {"upload", "heatmap"}


def test_each_frame_of_a_dicom_file_is_answered_by_itself(records_app: Application, ada: Person) -> None:
    several = frames_of(100, 100, 100, rows_px=160, columns_px=200)
    levels = np.stack([chest_film(n)[:160, :200, 0] for n in range(3)])
    several.PixelData, several.Modality = levels.tobytes(), "XC"
    single = write(dataset(levels[0], Modality="XC"))
    files, key = [("cine.dcm", write(several)), ("one.dcm", single)], str(uuid.uuid4())
    before = stored(records_app)
    told = accepted(ada, files, key, frames="all")
    places = [(1, 1, "cine.dcm"), (2, 2, "cine.dcm"), (3, 3, "cine.dcm"), (4, None, "one.dcm")]
    assert [(one["position"], one["frame"], one["name"]) for one in told["files"]] == places
    assert accepted(ada, files, key, frames="all")["files"] == told["files"]
    done = finished(ada, told["batch_id"])
    assert [(one["frame"], one["state"]) for one in done["results"]] == [
        (1, "done"),
        (2, "done"),
        (3, "done"),
        (None, "done"),
    ]
    for one in done["results"][:3]:
        alone = ada.predict(files[0][1], frame=str(one["frame"]))
        assert (one["class_code"], one["confidence"]) == (alone["class_code"], alone["confidence"])
    assert len({one["confidence"] for one in done["results"][:3]}) == 3
    table = ada.call("GET", f"/batches/{told['batch_id']}/export?format=csv").text
    assert [row["frame"] for row in csv.DictReader(io.StringIO(table))] == ["1", "2", "3", ""]
    (middle,) = finished(ada, accepted(ada, files[:1])["batch_id"])["results"]
    assert (middle["frame"], middle["confidence"]) == (None, done["results"][1]["confidence"])
    kept = {one["address"].rsplit("/", 1)[1] for one in ada.get("/auth/export")["files"]}
    assert stored(records_app) - before <= kept, "no copy stays behind"


def test_more_frames_than_a_batch_may_have_are_refused_and_leave_nothing(records_app: Application, ada: Person) -> None:
    before = stored(records_app)
    endless = [("x.dcm", write(frames_of(*[100] * 2001)))]
    refused = send(ada, endless, frames="all")
    assert (refused.status_code, refused.get_json()["code"]) == (413, "input_too_large")
    both = send(ada, endless, frames="all", frame="2")
    assert (both.status_code, both.get_json()["code"]) == (422, "invalid_value")
    assert stored(records_app) == before


def test_a_zip_is_a_batch_and_names_are_kept_on_request(ada: Person, pictures: list[tuple[str, bytes]]) -> None:
    archive = zipped([("ward/", b""), *pictures, ("__MACOSX/._scan", b"x"), ("ward/.DS_Store", b"x")])
    told = accepted(ada, [("all.zip", archive)], keep_names="true", explain="none")
    done = finished(ada, told["batch_id"])
    assert [(one["name"], one["state"]) for one in done["results"]] == [(name, "done") for name, _ in pictures]
    assert {one["heatmap_url"] for one in done["results"]} == {None}


def test_recordings_and_pages_are_answered_as_where_each_is_sent_alone(records_file_app: Application) -> None:
    """All that one file can be: a WFDB recording is two."""
    ada, signal = person(records_file_app), heart(100)
    drawn = draw_page(EcgRecording(signal.astype(np.float32), 100.0)).pixels
    recordings = [csv_file(signal, 100)[0], edf_file(signal, 100)[0], dicom_file([dicom_group(signal, 100)])[0]]
    sent = [*(("record", *one) for one in recordings), ("image", "page.pdf", encode(Image.fromarray(drawn), "PDF"))]
    alone = [
        records_file_app.test_client().post("/analyze/heart", data={field: (io.BytesIO(data), name)}).get_json()
        for field, name, data in sent
    ]
    others = [
        wfdb_record(signal, 100)[0],
        ("x.csv", b"1,2,3"),
        ("none.dcm", write(dataset(np.zeros((9, 9), np.uint8)))),
        wfdb_record(signal, 100)[1],
    ]
    told = accepted(ada, [*((name, data) for _, name, data in sent), *others], task="heart")
    results = finished(ada, told["batch_id"])["results"]
    assert [one["state"] for one in results] == ["done"] * 4 + ["failed"] * 4, results
    errors = [one["error"]["error"] for one in results[4:]]
    assert "the signal file (.dat) of the WFDB record is missing" in errors[0]
    assert "a batch reads single files: CSV, EDF or DICOM" in errors[0]
    assert "but in a batch, WFDB" in errors[3], "of a signal file alone nothing says what it is"
    assert "shorter side" in errors[2], "a DICOM file without a waveform is a picture"
    kept = [ada.get(f"/history/{one['prediction_id']}") for one in results[:4]]
    assert [one["result"]["all_predictions"] for one in kept] == [one["all_predictions"] for one in alone]
    assert ["recording" in one["result"] for one in kept] == ["recording" in one for one in alone]
    files = {one["file_id"]: one["format"] for one in ada.get("/auth/export")["files"] if one["kind"] == "upload"}
    assert [files.get(one["record"]["file_id"]) for one in kept] == ["ECG"] * 3 + [None], "of a PDF there is no copy"


def test_what_cannot_be_kept_is_answered_and_its_record_has_no_file(records_app: Application) -> None:
    ada, sent = person(records_app), pixels_of_the_head(tiled=False)
    single = ada.predict(sent, gate="off")
    assert (single["file_id"], NOT_KEPT in single["warnings"]) == (None, True)
    record = ada.get(f"/history/{single['prediction_id']}")["record"]
    assert (record["file_id"], record["class_code"]) == (None, single["class_code"])
    refused = ada.call("POST", "/upload", data={"file": (io.BytesIO(sent), "x")})
    assert (refused.status_code, refused.get_json()["code"]) == (415, "unsupported_format")


@pytest.mark.parametrize(
    ("files", "fields", "status", "code"),
    [
        ([], {}, 400, "empty_input"),
        ([("a.zip", zipped([("a", b"x")])), ("b", b"x")], {}, 400, "unknown_field"),
        ([("a", b"x")], {"task": "palm"}, 404, "not_found"),
        ([("a", b"x")], {"colour": "red"}, 400, "unknown_field"),
        ([("a", b"x")], {"age_years": "400"}, 422, "invalid_value"),
        ([("a", b"x")], {"batch_name": "x\ty"}, 422, "invalid_value"),
        ([("a", b"x")], {"patient_ref": "=cmd()"}, 422, "invalid_value"),
        ([("a.zip", zipped([("../up.jpg", b"x")]))], {}, 422, "archive_refused"),
    ],
)  # fmt: skip
def test_what_is_no_batch_is_refused_and_leaves_nothing(
    records_app: Application, ada: Person, files: Any, fields: dict[str, str], status: int, code: str
) -> None:
    before, used = stored(records_app), ada.get("/auth/me")["files_bytes"]
    reply = send(ada, files, **fields)
    assert (reply.status_code, reply.get_json()["code"]) == (status, code)
    assert (stored(records_app), ada.get("/auth/me")["files_bytes"]) == (before, used)


def test_the_same_key_makes_one_batch(records_app: Application, ada: Person, pictures: list[tuple[str, bytes]]) -> None:
    key = str(uuid.uuid4())
    first = send(ada, pictures, key)
    before = stored(records_app)
    again = send(ada, pictures, key)
    assert (again.status_code, again.get_json()) == (202, first.get_json())
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    assert stored(records_app) <= before, "what is sent again is not kept again"
    for files, fields in ((pictures[:2], {}), (pictures, {"age_years": "40"})):
        other = send(ada, files, key, **fields)
        assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_key_reused")
    eve = person(records_app)
    assert send(eve, pictures, key).get_json()["batch_id"] != first.get_json()["batch_id"], "keys are an account's own"
    assert send(ada, pictures, "a key with spaces").status_code == 422
    for who, reply in ((ada, first), (eve, send(eve, pictures, key))):
        assert finished(who, reply.get_json()["batch_id"])["done"] == len(pictures)


def test_pages_states_and_exports(ada: Person, pictures: list[tuple[str, bytes]]) -> None:
    names = ["=1+1.jpg", "+a", "-b", "@c", "plain, with comma"]
    sent = [(name, b"none" if name == "@c" else pictures[number % 3][1]) for number, name in enumerate(names)]
    batch_id = accepted(ada, sent, keep_names="true", batch_name="=HYPERLINK(1)")["batch_id"]
    done = finished(ada, batch_id)
    page = ada.get(f"/batches/{batch_id}?per_page=2")
    rest = ada.get(f"/batches/{batch_id}?per_page=3&after={page['next_after']}")
    assert [*page["results"], *rest["results"]] == done["results"]
    assert rest["next_after"] is None
    assert [one["position"] for one in ada.get(f"/batches/{batch_id}?state=failed")["results"]] == [4]
    reply = ada.call("GET", f"/batches/{batch_id}/export")
    assert (reply.mimetype, reply.headers["Content-Disposition"]) == (
        "text/csv", f'attachment; filename="batch-{batch_id}.csv"',
    )  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    assert [row["name"] for row in rows] == ["'=1+1.jpg", "'+a", "'-b", "'@c", "plain, with comma"]
    assert [row["prediction_id"] or None for row in rows] == [one["prediction_id"] for one in done["results"]]
    assert float(rows[0]["confidence"]) == done["results"][0]["confidence"]
    assert (rows[3]["error_code"], rows[3]["class_code"]) == ("unsupported_format", "")
    exported = json.loads(ada.call("GET", f"/batches/{batch_id}/export?format=json").text)
    assert exported == {"results": done["results"]}


def test_a_batch_that_is_cancelled_keeps_what_is_done_and_nothing_else(
    make_records_app: Callable[..., Application], tmp_path: Path, pictures: list[tuple[str, bytes]]
) -> None:
    app = make_records_app(tmp_path)
    ada = person(app)
    work = app.services.records.open().executor
    app.services.readiness.draining_since = float("inf")  # nobody works
    batch_id = accepted(ada, pictures)["batch_id"]
    assert work.join(60.0)
    assert ada.get(f"/batches/{batch_id}")["state"] == "queued"
    gone = ada.call("DELETE", f"/batches/{batch_id}").get_json()
    assert (gone["state"], gone["cancelled"], gone["progress"]) == ("cancelled", 3, 1.0)
    assert (stored(app), ada.get("/auth/me")["files_bytes"]) == (set(), 0)
    app.services.readiness.draining_since = None
    work.wake()
    assert work.join(60.0)
    assert ada.get(f"/batches/{batch_id}") == gone
    assert ada.get("/history")["total"] == 0
    finished_id = accepted(ada, pictures)["batch_id"]
    done = finished(ada, finished_id)
    assert ada.call("DELETE", f"/batches/{finished_id}").get_json()["results"] == done["results"]


def test_a_batch_goes_with_its_account(
    make_records_app: Callable[..., Application], tmp_path: Path, pictures: list[tuple[str, bytes]]
) -> None:
    app = make_records_app(tmp_path)
    ada = person(app)
    app.services.readiness.draining_since = float("inf")
    accepted(ada, pictures)
    assert len(stored(app)) == 3
    app.services.readiness.draining_since = None
    assert ada.call("DELETE", "/auth/me", json={"password": PASSWORD}).status_code == 200
    assert stored(app) == set()


def test_a_quota_holds_for_what_waits(
    make_records_app: Callable[..., Application], tmp_path: Path, pictures: list[tuple[str, bytes]]
) -> None:
    room = sum(len(data) for _, data in pictures[:2]) + 10
    app = make_records_app(tmp_path, quota_bytes=room)
    ada = person(app)
    reply = send(ada, pictures)
    assert (reply.status_code, reply.get_json()["code"]) == (413, "quota_exceeded")
    assert stored(app) == set()
    done = finished(ada, accepted(ada, pictures[:2], explain="none")["batch_id"])
    assert done["done"] == 2, "a file and the copy that takes its place are not counted twice"


def test_an_example_is_no_result(
    make_records_app: Callable[..., Application], tmp_path: Path, pictures: list[tuple[str, bytes]]
) -> None:
    ada = person(make_records_app(tmp_path, model_dirs=()))
    done = finished(ada, accepted(ada, pictures[:1])["batch_id"])
    assert (done["failed"], done["results"][0]["error"]["code"]) == (1, "model_unavailable")
    assert ada.get("/history")["total"] == 0
