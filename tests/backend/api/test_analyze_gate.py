"""The input gate: pictures of another kind are refused, warned of or let through, and routed by what they show."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image, ImageFilter
from samples import write_tiny, write_tiny_gate

from backend.app import Application, create_app
from backend.config import Config
from backend.services.loading.models import ModelStore
from ml_model.input_gate.modality_classifier import OTHER, modality_spec
from ml_model.tasks.registry import load_image_tasks
from ml_model.training.augmentation.synthetic_negatives import KINDS, draw_other
from ml_model.training.data.samples import Sample
from ml_model.training.input_gate.data import DRAWN
from ml_model.training.input_gate.fit import thresholds_of
from ml_model.training.input_gate.report import acceptance_table, gate_figures

RED, BLUE, YELLOW, GREY, DARK = (220, 30, 30), (30, 30, 220), (220, 220, 30), (128, 128, 128), (15, 15, 15)


def png(colour: tuple[int, int, int]) -> bytes:
    """Two halves around a colour, so that the picture is not blank."""
    pixels = np.empty((200, 260, 3), np.uint8)
    pixels[:, :130], pixels[:, 130:] = (np.clip(np.array(colour) + change, 0, 255) for change in (-20, 20))
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Application:
    root = tmp_path_factory.mktemp("gated")
    for task in load_image_tasks():
        write_tiny(task, root / "models")
    write_tiny_gate(root / "models")
    app = create_app(Config(model_dirs=(root / "models",), user_models_dir=root, data_dir=root / "data", log=False))
    assert app.services.models.wait_ready()
    return app


def sent(client: FlaskClient, task: str, picture: bytes, query: str = "") -> tuple[int, dict[str, Any]]:
    reply = client.post(f"/analyze/{task}{query}", data={"image": (io.BytesIO(picture), "x.png")})
    body: dict[str, Any] = reply.get_json()
    return reply.status_code, body


def test_kinds_are_those_of_the_tasks_and_one_for_the_rest() -> None:
    assert set(modality_spec().codes) == {*(task.input.modality for task in load_image_tasks()), OTHER}


def test_a_picture_of_the_expected_kind_is_answered_with_its_score(app: Application) -> None:
    status, body = sent(app.test_client(), "skin", png(RED))
    assert status == 200
    check = body["input_check"]
    assert (check["modality"], check["accepted"], check["threshold"]) == ("dermatoscopy", True, 0.4)
    assert check["score"] > 0.99
    assert check["warnings"] == []


def test_another_kind_is_refused_with_what_it_looks_like_and_where_it_belongs(app: Application) -> None:
    status, body = sent(app.test_client(), "skin", png(BLUE))
    assert (status, body["code"]) == (422, "wrong_modality")
    for part in ("looks like a frontal chest X-ray", "skin reads a dermatoscope picture", "0.400", "/analyze/xray"):
        assert part in body["error"]
    status, body = sent(app.test_client(), "skin", png(GREY))
    assert (status, body["code"]) == (422, "wrong_modality")
    assert "none of the pictures that are read here" in body["error"]
    assert "/analyze/" not in body["error"]


def test_asked_only_to_warn_the_answer_comes_with_the_reason(app: Application) -> None:
    status, body = sent(app.test_client(), "skin", png(BLUE), "?gate=warn")
    assert status == 200
    assert body["input_check"]["accepted"] is False
    assert "looks like a frontal chest X-ray" in body["input_check"]["warnings"][0]
    assert sent(app.test_client(), "xray", png(DARK))[1]["code"] == "poor_quality"
    assert "too dark" in sent(app.test_client(), "xray", png(DARK), "?gate=warn")[1]["input_check"]["warnings"][0]


def test_a_blurred_picture_is_refused_or_warned_of_with_the_measured_value(app: Application) -> None:
    stream = io.BytesIO()
    Image.open(io.BytesIO(png(RED))).filter(ImageFilter.GaussianBlur(24)).save(stream, "PNG")
    blurred = stream.getvalue()
    status, body = sent(app.test_client(), "skin", blurred)
    assert (status, body["code"]) == (422, "poor_quality")
    assert "blurred beyond use" in body["error"]
    assert "at least 0.001 is needed" in body["error"]
    status, answer = sent(app.test_client(), "skin", blurred, "?gate=warn")
    assert (status, answer["input_check"]["accepted"]) == (200, False)
    assert answer["input_check"]["warnings"] == [body["error"]]
    assert f"hold {answer['input_check']['quality']['detail']:.2g} of" in body["error"]
    assert sent(app.test_client(), "skin", blurred, "?gate=off")[1]["input_check"]["warnings"] == []


def test_switched_off_nothing_is_looked_at(app: Application) -> None:
    for picture in (png(BLUE), png(DARK)):
        status, body = sent(app.test_client(), "skin", picture, "?gate=off")
        assert status == 200
        check = body["input_check"]
        assert (check["modality"], check["score"], check["accepted"], check["warnings"]) == (None, None, True, [])
    assert sent(app.test_client(), "skin", png(BLUE), "?gate=maybe")[0] == 422


def test_a_task_that_reads_two_kinds_hands_over_by_what_the_picture_shows(app: Application) -> None:
    client = app.test_client()
    status, body = sent(client, "breast", png(YELLOW))
    assert (status, body["model"]["task"]) == (200, "mammogram")
    assert body["input_check"]["modality"] == "mammogram"
    # What is of neither kind stays where it was sent.
    assert sent(client, "breast", png(GREY), "?gate=warn")[1]["model"]["task"] == "breast"
    # Said by the client, it is taken at its word, and refused for what it is.
    status, body = sent(client, "breast", png(YELLOW), "?modality=ultrasound")
    assert (status, body["code"]) == (422, "wrong_modality")
    assert "/analyze/mammogram" in body["error"]


def test_a_mammogram_is_no_ultrasound_to_the_client_that_knows_three_labels(app: Application) -> None:
    reply = app.test_client().post("/predict/breast-cancer", data={"image": (io.BytesIO(png(YELLOW)), "x.png")})
    body = reply.get_json()
    assert (reply.status_code, body["code"]) == (422, "wrong_modality")
    assert "/analyze/mammogram" in body["error"]


def test_the_server_can_run_without_it(app: Application, tmp_path: Path) -> None:
    config = Config(
        model_dirs=app.services.config.model_dirs, user_models_dir=tmp_path, data_dir=tmp_path, log=False,
        input_gate=False,
    )  # fmt: skip
    ungated = create_app(config)
    assert ungated.services.models.wait_ready()
    status, body = sent(ungated.test_client(), "skin", png(BLUE))
    assert (status, body["input_check"]["score"]) == (200, None)


def test_thresholds_accept_nearly_all_of_validation_within_limits() -> None:
    p = np.array([[0.9, 0.1, 0.0]] * 400 + [[0.1, 0.9, 0.0]] * 400 + [[0.0, 0.0, 1.0]])
    p[0, 0], p[1, 0], p[2, 0] = 0.2, 0.25, 0.3
    p[400:403, 1] = 0.001
    kinds = ["a"] * 400 + ["b"] * 400 + [OTHER]
    found = thresholds_of(p, kinds, ("a", "b", OTHER))
    assert found == {"a": pytest.approx(0.3, abs=0.01), "b": 0.02}


def test_figures_say_who_is_accepted_where() -> None:
    def sample(kind: str, source: str) -> Sample:
        return Sample(Path("x"), source, kind, (kind,), "g", "test")

    samples = [sample("a", "set"), sample("a", "set"), sample("b", "set"), sample(OTHER, f"{DRAWN}noise")]
    p = np.array([[0.9, 0.1, 0.0], [0.3, 0.6, 0.1], [0.2, 0.8, 0.0], [0.1, 0.1, 0.8]])
    figures = gate_figures(p, samples, ("a", "b", OTHER), {"a": 0.5, "b": 0.5})
    noise = f"{DRAWN}noise"
    assert figures.accepted == {"a": {"a": 0.5, "b": 0.0, noise: 0.0}, "b": {"a": 0.5, "b": 1.0, noise: 0.0}}
    assert figures.count == {"a": 2, "b": 1, noise: 1}
    assert figures.most_probable_kind_right == 0.75
    assert (figures.worst_own_accepted, figures.worst_other_accepted) == (0.5, 0.5)
    assert "| noise | 1 | 0.000 | 0.000 |" in acceptance_table(figures)


@pytest.mark.parametrize("kind", list(KINDS))
def test_drawn_pictures_follow_from_their_seed(kind: str) -> None:
    one = draw_other(kind, 3)
    np.testing.assert_array_equal(one, draw_other(kind, 3))
    assert one.dtype == np.uint8
    assert min(one.shape[:2]) >= 64
    assert one.shape != draw_other(kind, 4).shape or (one != draw_other(kind, 4)).any()


def test_a_request_during_the_start_waits_for_the_gate(
    app: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(model_dirs=app.services.config.model_dirs, user_models_dir=tmp_path, data_dir=tmp_path, log=False)
    load = ModelStore._load_gate

    def slowly(store: ModelStore) -> None:
        time.sleep(0.5)
        load(store)

    monkeypatch.setattr(ModelStore, "_load_gate", slowly)
    status, body = sent(create_app(config).test_client(), "breast", png(YELLOW))
    assert (status, body["model"]["task"]) == (200, "mammogram")
