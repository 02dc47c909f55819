"""The lines of docs/records.md and docs/clinic.md, run as they stand there."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from clients.dicom import read as read_dicom
from clients.fhir import observed, read
from dicom_files import ct_slice
from pictures import chest_film
from PIL import Image
from records.documented import run_lines
from samples import write_tiny_gate

from backend.app import Application
from ml_model.inference.bundle import MODELS_DIR


def test_the_journey_of_the_documentation(
    make_records_app: Callable[..., Application], tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    app = make_records_app(tmp_path)
    folder = tmp_path / "somebody"
    folder.mkdir()
    (folder / "photo.jpg").write_bytes(picture())
    printed = run_lines("records.md", app, folder)
    first, second, record = (
        json.loads((folder / f"{n}.json").read_text("utf-8")) for n in ("first", "second", "record")
    )
    assert first["result"]["model"]["age_told_by"] in (None, "age_years")
    assert second["file_id"] != first["file_id"]
    assert record["result"] == first["result"]
    assert (folder / "heatmap.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF-")
    batch = json.loads((folder / "batch.json").read_text("utf-8"))
    assert [one["state"] for one in batch["results"]] == ["done", "done", "failed"]
    assert (folder / "batch.csv").read_text("utf-8").count("\n") == 4
    of_batch = [one["prediction_id"] for one in batch["results"][:2]]
    export = json.loads((folder / "export.json").read_text("utf-8"))
    *exported, first_kept = (one["id"] for one in export["predictions"])
    assert (sorted(exported), first_kept) == (sorted(of_batch), second["prediction_id"])
    assert '"refusals":{}' in printed
    assert re.search(r"\d+ entries, unbroken; head [0-9a-f]{64}\n$", printed)
    assert list((app.services.config.data_dir / "files").glob("*/*")) == []


def test_the_lines_of_the_clinic(
    make_records_app: Callable[..., Application], tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    for task in ("disease", "heart-risk"):
        shutil.copytree(MODELS_DIR / task, tmp_path / "shipped" / task)
    write_tiny_gate(tmp_path / "models")
    app = make_records_app(tmp_path, model_dirs=(tmp_path / "models", tmp_path / "shipped"), input_gate=True)
    folder = tmp_path / "clinic"
    folder.mkdir()
    red = np.array([1.0, 0.1, 0.1])  # by which the tiny gate knows skin
    Image.fromarray((np.asarray(Image.open(io.BytesIO(picture()))) * red).astype(np.uint8)).save(folder / "photo.jpg")
    for number in (1, 2, 3):
        film = chest_film(number)[..., 0].astype(np.int16) * 6 - 900
        told = {"SeriesInstanceUID": "1.2.3", "InstanceNumber": number, "BodyPartExamined": "CHEST"}
        (folder / f"ct-{number}.dcm").write_bytes(ct_slice(film, **told))
    printed = run_lines("clinic.md", app, folder)
    state = json.loads((folder / "state.json").read_text("utf-8"))
    assert (state["done"], state["slices_in_series"], state["measured"]) == (2, 3, False)
    found, several = (json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("any", "several"))
    assert (found["model"]["task"], found["scan_type_told_by"], found["cached"]) == ("skin", "picture", False)
    assert several["answered"] == 2
    assert json.loads((folder / "processed.json").read_text("utf-8"))["scan_type"] == "dermatoscopy"
    assert (folder / "enhanced.png").read_bytes().startswith(b"\x89PNG")
    assert "Imaging Measurement Report" in printed
    assert printed.endswith("reason\n0 pictures are tried again\n")
    assert read_dicom((folder / "report.dcm").read_bytes()).PatientID == "case-17"
    with zipfile.ZipFile(folder / "objects.zip") as objects:
        assert objects.namelist() == ["sr.dcm", "sc.dcm", "seg.dcm", "pdf.dcm", "picture.dcm"]
        assert objects.read("sr.dcm") == (folder / "report.dcm").read_bytes()
    record = read((folder / "record.fhir.json").read_text("utf-8"))
    assert record["Patient"][0]["identifier"][0]["value"] == "case-17"
    for kind, title in (("picture", "Named class"), ("any", "Named class"), ("symptoms", "Most probable condition")):
        found = read((folder / f"{kind}.fhir.json").read_text("utf-8"))
        assert observed(found, title)["valueCodeableConcept"]["text"]
        assert found["Patient"][0].keys() == {"resourceType", "id"}
    (risk,) = read((folder / "risk.fhir.json").read_text("utf-8"))["RiskAssessment"]
    assert 0 < risk["prediction"][0]["probabilityDecimal"] < 100
