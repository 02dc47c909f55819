"""Files of any kind over HTTP: their task is found, each gets an answer or an error, the last are remembered."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from dicom_files import ct_slice, dataset, write
from ecg_files import csv_file, dicom_file, dicom_group, heart, wfdb_record
from flask.testing import FlaskClient
from made_tasks import sets, thresholds
from pictures import chest_film
from PIL import Image
from records.people import person
from samples import image_task, write_tiny, write_tiny_gate, write_tiny_signal

from backend.app import Application, create_app
from backend.config import TestingConfig
from ml_model.tasks.registry import load_image_tasks

RED, BLUE, YELLOW, GREY = (220, 30, 30), (30, 30, 220), (220, 220, 30), (128, 128, 128)
# Whatever the tiny models say: suspected, ruled out, open.
SUSPECTED, RULED_OUT, OPEN = thresholds(0.0, 0.0), thresholds(0.5, 0.9), thresholds(0.0, 1.0)
FOUND = {"skin": SUSPECTED, "breast": RULED_OUT, "mammogram": OPEN}


def png(colour: tuple[int, int, int], seed: int = 0) -> bytes:
    """A film in one colour, by which the tiny gate knows its kind."""
    tinted = chest_film(seed).astype(float)[..., :1] / 255 * 40 - 20 + np.array(colour)
    stream = io.BytesIO()
    Image.fromarray(np.clip(tinted, 0, 255).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Application:
    root = tmp_path_factory.mktemp("scans")
    for task in load_image_tasks():
        findings = {rule.code: FOUND.get(task.id, OPEN) for rule in task.findings}
        settled = {"evidence": "sufficient", "prediction_sets": sets(task)} if task.id in FOUND else {}
        write_tiny(task, root / "models", findings=findings, **settled)
    write_tiny_signal(image_task("heart"), root / "models")
    write_tiny_gate(root / "models")
    folders = {"model_dirs": (root / "models",), "user_models_dir": root, "data_dir": root / "data"}
    app = create_app(TestingConfig(**folders, log=False))
    assert app.services.models.wait_ready()
    return app


def sent(
    client: FlaskClient, files: Sequence[bytes | tuple[str, bytes]], query: str = "", **headers: str
) -> tuple[int, dict[str, Any]]:
    named = [one if isinstance(one, tuple) else ("a name", one) for one in files]
    form = {"file": [(io.BytesIO(data), name) for name, data in named]}
    reply = client.post(f"/api/analyze{query}", data=form, headers=headers)
    body: dict[str, Any] = reply.get_json()
    return reply.status_code, body


def test_the_kind_is_found_and_answered_as_its_own_address_does(app: Application) -> None:
    client = app.test_client()
    for colour, task, kind in ((RED, "skin", "dermatoscopy"), (BLUE, "xray", "chest_xray")):
        status, answer = sent(client, [png(colour)])
        assert status == 200, answer
        assert (answer["model"]["task"], answer["scan_type"], answer["scan_type_told_by"]) == (task, kind, "picture")
        own = client.post(f"/analyze/{task}", data={"image": (io.BytesIO(png(colour)), "x")}).get_json()
        for field in own.keys() - {"explanation", "request_id", "processing_ms"}:
            assert answer[field] == own[field]
        assert client.get(answer["heatmap_url"]).data == client.get(own["explanation"]["heatmap_url"]).data
    targets = (sent(client, [png(RED)], f"?target={code}")[1] for code in image_task("skin").codes)
    shown = [(one["explanation"]["peak_region"], one["regions"]) for one in targets]
    assert any(regions for _, regions in shown)
    for peak, regions in shown:
        assert [[one[side] for side in "xywh"] for one in regions[:1]] == ([peak] if peak else [])
        assert [one["score"] for one in regions][:1] == ([1.0] if peak else [])
    status, refused = sent(client, [png(GREY)])
    assert (status, refused["code"]) == (422, "wrong_modality")
    assert "none of the pictures that are read here" in refused["error"]


@pytest.mark.parametrize(
    ("facts", "task", "told"),
    [
        ({"BodyPartExamined": "CHEST"}, "lung-ct", "dicom"),
        ({"BodyPartExamined": "ABDOMEN"}, None, "body part ABDOMEN, which no task here reads (lung-ct reads"),
        ({"Modality": "NM"}, None, "modality NM, which no task here reads"),
        ({"Modality": "OT"}, None, "looks like none of the pictures"),
    ],
)
def test_a_dicom_header_is_believed(app: Application, facts: dict[str, str], task: str | None, told: str) -> None:
    film = chest_film()[..., 0].astype(np.int16) * 6 - 700
    status, answer = sent(app.test_client(), [ct_slice(film, PatientName="Nobody^Secret", **facts)], "?gate=warn")
    assert status == (200 if task else 422)
    assert "ecret" not in str(answer)
    if task:
        assert (answer["model"]["task"], answer["scan_type_told_by"]) == (task, told)
    else:
        assert told in answer["error"]


def test_recordings_are_known_by_their_content(app: Application) -> None:
    client, signal_mv = app.test_client(), heart()
    for files in (csv_file(signal_mv), wfdb_record(signal_mv), dicom_file([dicom_group(signal_mv)])):
        status, answer = sent(client, [("photo.jpg" if name.endswith(".csv") else name, data) for name, data in files])
        assert status == 200, answer
        assert (answer["model"]["task"], answer["scan_type"]) == ("heart", "ecg_recording")
        assert answer["tumor_detected"] is None
        assert (answer["tumor_findings"], answer["regions"]) == ([], [])
    for text in (b"{}", b"<html>", b"just words"):
        assert sent(client, [text])[0] in (415, 422)


def test_each_of_several_gets_an_answer_or_an_error_of_its_own(app: Application) -> None:
    header, signal = wfdb_record(heart())
    files = [png(RED, 1), header, b"nothing", png(BLUE, 1), signal, png(GREY, 1), b""]
    status, told = sent(app.test_client(), files, "?explain=none")
    assert status == 200
    assert (told["count"], told["answered"], told["failed"]) == (6, 3, 3)
    assert [one["positions"] for one in told["results"]] == [[1], [2, 5], [3], [4], [6], [7]]
    tasks = [one["answer"]["model"]["task"] if "answer" in one else one["failure"]["code"] for one in told["results"]]
    assert tasks == ["skin", "heart", "unsupported_format", "xray", "wrong_modality", "empty_input"]
    assert [one["failure"]["status"] for one in told["results"] if "failure" in one] == [415, 422, 400]
    graver = max((one["answer"]["triage"]["level"] for one in told["results"] if "answer" in one), key=_gravity)
    assert told["triage_level"] == graver
    status, refused = sent(app.test_client(), [b"x"] * 17)
    assert (status, refused["code"]) == (400, "unknown_field")


def _gravity(level: str) -> int:
    return ("none", "routine", "soon", "urgent", "emergency").index(level)


@pytest.mark.parametrize(
    ("scan_type", "colour", "task", "detected"),
    [
        ("dermatoscopy", RED, "skin", True),
        ("Ultrasound", RED, "breast", False),
        ("MRI", RED, "brain-mri", None),
        ("mammogram", YELLOW, "mammogram", None),
        ("x-ray", BLUE, "xray", None),
        ("CT", RED, "lung-ct", None),
    ],
)
def test_a_tumour_is_told_of_by_the_states_of_findings(
    app: Application, scan_type: str, colour: tuple[int, int, int], task: str, detected: bool | None
) -> None:
    status, answer = sent(app.test_client(), [png(colour, 2)], f"?gate=off&scan_type={scan_type}")
    assert status == 200, answer
    assert (answer["model"]["task"], answer["scan_type_told_by"]) == (task, "request")
    assert answer["tumor_detected"] is detected
    about = {rule.name for rule in image_task(task).findings if rule.tumour}
    assert set(answer["tumor_findings"]) == about
    if detected is False:
        assert answer["prediction"]["settled"]


def test_a_word_that_is_no_kind_or_two_is_refused_with_those_there_are(app: Application) -> None:
    for word, told in (("brainscan", "expected brain-mri, breast, heart"), ("chest", "expected lung-ct or xray")):
        status, refused = sent(app.test_client(), [png(RED)], f"?scan_type={word}")
        assert (status, refused["code"]) == (422, "invalid_value")
        assert told in refused["error"]


def test_the_same_question_is_answered_from_memory_to_whoever_asked_it(app: Application) -> None:
    client, picture = app.test_client(), png(RED, 3)
    _, first = sent(client, [picture])
    _, again = sent(client, [picture])
    assert (first["cached"], again["cached"]) == (False, True)
    assert again["request_id"] != first["request_id"]
    passing = ("request_id", "processing_ms", "cached")
    assert {k: v for k, v in again.items() if k not in passing} == {k: v for k, v in first.items() if k not in passing}
    assert sent(client, [picture], "?age_years=60")[1]["cached"] is False, "another question"
    owners = [{"Authorization": f"Bearer {person(app).access_token}"} for _ in range(2)]
    for owner in owners:
        assert [sent(client, [picture], **owner)[1]["cached"] for _ in range(2)] == [False, True]
    kept = [sent(client, [picture], "?keep=true", **owners[0])[1] for _ in range(2)]
    assert [one["cached"] for one in kept] == [False, False]
    assert kept[0]["prediction_id"] != kept[1]["prediction_id"]
    address = sent(client, [picture], **owners[0])[1]["heatmap_url"]
    assert client.get(address).status_code == 404, "an account's"
    assert client.get(address, headers=owners[0]).status_code == 200


def test_an_answer_is_forgotten_no_later_than_its_heatmap(app: Application) -> None:
    client, picture = app.test_client(), png(RED, 4)
    address = sent(client, [picture])[1]["heatmap_url"]
    app.services.images._heatmaps.pop(address.removeprefix("/heatmaps/").removesuffix(".png"))
    again = sent(client, [picture])[1]
    assert again["cached"] is False
    assert client.get(again["heatmap_url"]).status_code == 200


def test_without_a_gate_somebody_has_to_say_what_it_is(demo_app: Application) -> None:
    client = demo_app.test_client()
    status, refused = sent(client, [png(RED)])
    assert (status, refused["code"]) == (422, "invalid_value")
    assert "say which it is, for example by scan_type=" in refused["error"]
    for _ in range(2):
        status, example = sent(client, [png(RED)], "?scan_type=skin")
        assert (example["demo_mode"], example["tumor_detected"], example["cached"]) == (True, None, False)
    film = write(dataset(chest_film()[..., 0], Modality="MG", ViewPosition="CC", BodyPartExamined="BREAST"))
    assert sent(client, [film])[1]["model"]["task"] == "mammogram", "a header tells it all the same"
