"""Records as DICOM objects over HTTP: of the copies that are kept, in their studies, of nobody."""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from clients.dicom import items, read
from dicom_files import dataset, write
from ecg_files import csv_file, heart
from pictures import detailed
from pydicom.uid import MultiFrameTrueColorSecondaryCaptureImageStorage as MultiFrame
from records.people import Person, person

from backend.app import Application

Picture = Callable[..., bytes]
STUDY = "1.2.826.0.1.7.1"
KINDS = {"sr": "SR", "sc": "OT", "seg": "SEG", "pdf": "DOC"}


def dicom_picture() -> bytes:
    """Two photographs of somebody with a name, in a study."""
    frames = np.stack([np.asarray(detailed(280, 256, seed).convert("RGB"), np.uint8) for seed in (3, 4)])
    made = dataset(frames[0], Modality="XC", SOPClassUID=MultiFrame, NumberOfFrames=2)
    made.PatientName, made.PatientID, made.PatientBirthDate = "Smith^Anna", "N-4711", "19610203"
    made.StudyDate = "20260102"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID = STUDY, f"{STUDY}.1", f"{STUDY}.2"
    made.PixelData = frames.tobytes()
    return write(made)


@pytest.fixture(scope="module")
def kept(records_file_app: Application) -> tuple[Person, str]:
    """Somebody and the record of a DICOM file of theirs."""
    ada = person(records_file_app)
    return ada, ada.predict(dicom_picture(), frame="2", patient_ref="p-7")["prediction_id"]


def test_each_object_lies_in_the_study_that_was_sent(kept: tuple[Person, str]) -> None:
    ada, record_id = kept
    whole = ada.get(f"/history/{record_id}")
    for kind, modality in KINDS.items():
        reply = ada.call("GET", f"/predictions/{record_id}/dicom-{kind}")
        assert (reply.status_code, reply.mimetype) == (200, "application/dicom"), reply.text
        assert reply.headers["Cache-Control"] == "no-store"
        made = read(reply.data)
        assert (made.Modality, made.StudyInstanceUID) == (modality, STUDY)
        assert not [one for one in (b"Smith", b"N-4711", b"19610203", b"20260102") if one in reply.data]
        references = {e.value for e in made.iterall() if e.keyword == "ReferencedSOPInstanceUID"}
        assert references == {f"{STUDY}.2"}
        assert {int(e.value) for e in made.iterall() if e.keyword == "ReferencedFrameNumber"} == {2}
        if kind == "sr":
            text = [value for _, name, value in items(made) if name == "Device Observer Serial Number"]
            assert text == [f"SHA-256 {whole['record']['model_sha256']}"]
            assert whole["result"]["headline"] in str(items(made))
        if kind == "seg":
            assert (made.Rows, made.Columns) == (256, 280)
            assert 0 < int.from_bytes(made.PixelData, "little").bit_count() < 256 * 280
    done = [one["action"] for one in ada.get("/auth/export")["audit"] if one["object_id"] == record_id]
    assert done.count("dicom") == len(KINDS)


def test_all_come_in_one_archive(kept: tuple[Person, str]) -> None:
    ada, record_id = kept
    reply = ada.call("GET", f"/predictions/{record_id}/dicom")
    assert (reply.status_code, reply.mimetype) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(reply.data)) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert list(found) == [f"{kind}.dcm" for kind in KINDS]
    for kind in ("sr", "sc", "seg"):  # a report says when it was made
        assert found[f"{kind}.dcm"] == ada.call("GET", f"/predictions/{record_id}/dicom-{kind}").data


def test_a_photograph_gets_a_study_of_its_own(records_file_app: Application, picture: Picture) -> None:
    ada = person(records_file_app)
    record_id = ada.predict(picture(seed=44), patient_ref="p-8")["prediction_id"]
    with zipfile.ZipFile(io.BytesIO(ada.call("GET", f"/predictions/{record_id}/dicom").data)) as archive:
        made = {name: read(archive.read(name)) for name in archive.namelist()}
    assert list(made) == ["sr.dcm", "sc.dcm", "seg.dcm", "pdf.dcm", "picture.dcm"]
    assert len({m.StudyInstanceUID for m in made.values()}) == 1
    assert {m.PatientID for m in made.values()} == {"p-8"}
    assert (made["picture.dcm"].Rows, made["picture.dcm"].Columns) == (450, 600)


def test_what_has_no_object_says_so(records_file_app: Application, kept: tuple[Person, str]) -> None:
    ada, record_id = kept
    bob = person(records_file_app)
    for who, path, status in (
        (ada, f"/predictions/{record_id}/dicom-picture", 404), (ada, f"/predictions/{record_id}/dicom-rt", 404),
        (ada, f"/predictions/{uuid.uuid4()}/dicom-sr", 404), (ada, "/predictions/x/dicom", 404),
        (bob, f"/predictions/{record_id}/dicom", 404), (bob, f"/predictions/{record_id}/dicom-seg", 404),
    ):  # fmt: skip
        reply = who.call("GET", path)
        assert (reply.status_code, reply.get_json()["success"]) == (status, False), path
    told = ada.call("GET", f"/predictions/{record_id}/dicom-picture").get_json()["error"]
    assert told == "this record has no object picture, but sr, sc, pdf; the picture itself is in its study already"
    unexplained = ada.predict(dicom_picture(), explain="none")["prediction_id"]
    assert ada.call("GET", f"/predictions/{unexplained}/dicom-sc").status_code == 404
    assert ada.call("GET", f"/predictions/{unexplained}/dicom-sr").status_code == 200
    ((name, csv),) = csv_file(heart())
    recording = ada.call("POST", "/upload", data={"record": (io.BytesIO(csv), name)}).get_json()["file_id"]
    answer = ada.call("POST", "/predict", json={"file_id": recording, "task": "heart"}).get_json()
    reply = ada.call("GET", f"/predictions/{answer['prediction_id']}/dicom")
    assert (reply.status_code, reply.get_json()["code"]) == (415, "unsupported_format")


def test_the_document_describes_them(records_file_app: Application) -> None:
    paths = records_file_app.test_client().get("/openapi.json").get_json()["paths"]
    one: dict[str, Any] = paths["/api/v1/predictions/{prediction_id}/dicom-{dicom_object}"]["get"]
    assert {"200", "401", "404", "413", "415", "503", "504"} <= one["responses"].keys()
    assert one["responses"]["200"]["content"].keys() == {"application/dicom"}
    assert [p["schema"].get("enum") for p in one["parameters"]][1] == ["sr", "sc", "seg", "pdf", "picture"]
