"""An answer made again from the answer and the file: the same bits; else it is said what does not fit."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from beats import twelve_leads
from dicom_files import dataset, write
from pictures import chest_film, detailed, encode
from PIL import Image

from backend.app import Application
from ml_model.diagnosis.reproduction import CannotReplay, replay
from ml_model.ecg.export import as_wfdb
from ml_model.ecg.page_renderer import draw_page
from ml_model.ecg.recording import EcgRecording
from ml_model.inference.provenance import preprocessing_sha256
from ml_model.replay import main
from ml_model.tasks.registry import ImageTask, load_image_tasks, load_task

RECORDING = EcgRecording(twelve_leads(seed=4), 100.0)
FILM = chest_film()[..., 0].astype(np.uint16) * 16
Files = list[tuple[str, bytes]]


def answer(app: Application, task: str, files: Files, field: str = "image", query: str = "") -> dict[str, Any]:
    sent = {field: [(io.BytesIO(content), name) for name, content in files]}
    reply = app.test_client().post(f"/analyze/{task}{query}", data=sent)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = json.loads(reply.text)
    return found


def models_of(app: Application, task: str) -> Path:
    loaded = app.services.models.get(task)
    assert loaded is not None
    return loaded.bundle.path.parent


@pytest.mark.parametrize("task", [t.id for t in load_image_tasks() if not t.signal])
def test_a_picture_gets_the_same_answer_again(live_app: Application, task: str) -> None:
    files = [("a.png", encode(detailed(seed=3), "PNG"))]
    given = answer(live_app, task, files, query="?top_k=2")
    assert given["provenance"]["input_sha256"] == [hashlib.sha256(files[0][1]).hexdigest()]
    assert given["provenance"]["request"] == {"top_k": 2}
    made = replay(given, files, models_of(live_app, task))
    assert made.identical
    assert made.same_preprocessing
    assert made.answered.figures == {row["code"]: row["confidence"] for row in given["all_predictions"]}
    assert len(made.again.figures) == len(given["all_predictions"]) or len(made.again.figures) > 2


def test_views_of_one_case_and_the_age_in_the_header_are_taken_again(live_app: Application) -> None:
    views = [(f"{seed}.png", encode(detailed(seed=seed), "PNG")) for seed in (1, 2)]
    given = answer(live_app, "mammogram", views, query="?modality=mammogram")
    assert replay(given, views, models_of(live_app, "mammogram")).identical
    film = [("film.dcm", write(dataset(FILM, PatientAge="004Y", ViewPosition="AP")))]
    given = answer(live_app, "xray", film, query="?explain=none")
    assert replay(given, film, models_of(live_app, "xray")).identical


def test_recordings_and_pages_are_answered_again_from_the_signal(live_app: Application) -> None:
    models = models_of(live_app, "heart")
    files = list(as_wfdb(RECORDING, "r1").items())
    assert replay(answer(live_app, "heart", files, "record"), files, models).identical
    page = [("page.jpg", encode(Image.fromarray(draw_page(RECORDING).pixels), "JPEG"))]
    given = answer(live_app, "heart", page)
    assert given["recording"]["read_as"] == "page_signal"
    assert replay(given, page, models).identical
    rate = next(row for row in given["measurements"] if row["code"] == "heart_rate")
    assert replay(given, page, models).again.figures["measured heart_rate"] == rate["value"]
    rate["value"] += 0.1
    assert not replay(given, page, models).identical


def test_another_file_another_model_and_no_answer_are_refused(live_app: Application, demo_app: Application) -> None:
    files, models = [("a.png", encode(detailed(), "PNG"))], models_of(live_app, "skin")
    given = answer(live_app, "skin", files)
    with pytest.raises(CannotReplay, match="the answer was to files of SHA-256"):
        replay(given, [("b.png", encode(detailed(seed=9), "PNG"))], models)
    with pytest.raises(CannotReplay, match=r"the answer is of model [0-9a-f]{64}; in .* there is skin [0-9a-f]{64}"):
        replay(given, files)
    with pytest.raises(CannotReplay, match="no model answered"):
        replay(answer(demo_app, "skin", files), files)
    with pytest.raises(CannotReplay, match="'provenance' is missing"):
        replay({k: v for k, v in given.items() if k != "provenance"}, files, models)


def test_the_command_compares_to_the_last_bit(
    live_app: Application, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = encode(detailed(), "PNG")
    given, models = answer(live_app, "skin", [("a.png", content)]), str(models_of(live_app, "skin"))
    (tmp_path / "a.png").write_bytes(content)
    result = tmp_path / "result.json"
    result.write_text(json.dumps(given))
    command = [str(result), str(tmp_path / "a.png"), "--models", models]
    assert main(command) == 0
    assert capsys.readouterr().out.endswith("\nidentical\n")
    given["all_predictions"][0]["confidence"] += 1e-9
    given["provenance"]["preprocessing_sha256"] = "0" * 64
    result.write_text(json.dumps(given))
    assert main(command) == 1
    told = capsys.readouterr().out
    assert "the decoding code, its libraries or the task's input differ" in told
    assert told.endswith("\nNOT identical\n")
    assert main([str(result), str(result)]) == 2
    result.write_text("{")
    assert main(command) == 2
    assert "error: " in capsys.readouterr().err


def test_the_preprocessing_hash_follows_what_the_task_takes() -> None:
    skin, xray = load_task("skin"), load_task("xray")
    assert isinstance(skin, ImageTask)
    assert isinstance(xray, ImageTask)
    larger = skin.model_copy(update={"input": skin.input.model_copy(update={"height_px": 999})})
    assert preprocessing_sha256(skin) == preprocessing_sha256(skin.model_copy(update={"title": "other"}))
    assert preprocessing_sha256(skin) != preprocessing_sha256(larger)
