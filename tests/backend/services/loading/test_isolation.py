"""One bad bundle or folder hides no other, blocks no start, and is said without where it lies."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from samples import image_task, write_tiny, write_tiny_gate

from backend.app import Application, create_app
from backend.config import Config
from ml_model.inference.bundle import MANIFEST, MODELS_DIR

SOUND = "xray"


def replaced(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


def manifest_of(size_bytes: int) -> Callable[[Path], object]:
    """A manifest of so many bytes that the disk does not hold."""
    return lambda path: os.truncate(path, size_bytes)


# What becomes of each bundle, and what is said of it.
FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "brain-mri": (lambda b: (b / MANIFEST).write_bytes(b"\xff\xfe\x00{"), "manifest.json: Invalid JSON"),
    "breast": (lambda b: (b / MANIFEST).write_text("[" * 200_000), "manifest.json: Invalid JSON"),
    "heart": (lambda b: manifest_of(100_000_000)(b / MANIFEST), "manifest.json cannot be read: it is larger than 4 MB"),
    "histopathology": (
        lambda b: replaced(b / MANIFEST, lambda p: os.mkfifo(p)),
        "manifest.json cannot be read: it is no ordinary file",
    ),
    "lung-ct": (
        lambda b: replaced(b / MANIFEST, lambda p: p.mkdir()),
        "manifest.json cannot be read: it is no ordinary",
    ),
    "mammogram": (lambda b: replaced(b / MANIFEST, lambda p: p.symlink_to("nowhere")), "no manifest.json"),
    "skin": (lambda b: (b.rename(b.with_name("away")), b.symlink_to("not-there")), "no manifest.json"),
}


def served(models: Path, **settings: Path) -> Application:
    root = models.parent
    given = {"user_models_dir": root, "data_dir": root / "data", **settings}
    app = create_app(Config(model_dirs=(models, MODELS_DIR), log=False, input_gate=False, **given))
    assert app.services.models.wait_ready(60)
    return app


def test_seven_bundles_damaged_in_seven_ways_leave_the_eighth(tmp_path: Path, picture: Callable[..., bytes]) -> None:
    models = tmp_path / "where it lies: here" / "models"
    for task_id in (*FAULTS, SOUND):
        write_tiny(image_task(task_id), models)
    for task_id, (damage, _) in FAULTS.items():
        damage(models / task_id)
    client = served(models).test_client()
    health = client.get("/health").get_json()
    assert (health["status"], set(health["problems"])) == ("degraded", set(FAULTS))
    for task_id, (_, reason) in FAULTS.items():
        assert reason in health["problems"][task_id]
        reply = client.post(f"/analyze/{task_id}", data={"image": (io.BytesIO(picture()), "x")})
        assert (reply.status_code, reply.get_json()["code"]) == (503, "model_invalid"), task_id
    reply = client.post(f"/analyze/{SOUND}", data={"image": (io.BytesIO(picture()), "x")})
    assert (reply.status_code, reply.get_json()["demo_mode"]) == (200, False)
    assert reply.get_json()["model"]["source"] == "model_dir"
    assert "where it lies" not in json.dumps(health)


@pytest.mark.parametrize("kind", ["missing", "a file", "a pipe as its manifest"])
def test_a_folder_of_bundles_that_is_none_is_said(tmp_path: Path, kind: str) -> None:
    models = tmp_path / "models"
    if kind == "a file":
        models.touch()
    elif kind != "missing":
        models.mkdir()
        os.mkfifo(models / MANIFEST)
    reasons = {"missing": "No such file or directory", "a file": "Not a directory"}
    app = create_app(Config(model_dirs=(models,), user_models_dir=tmp_path, data_dir=tmp_path / "data", log=False))
    assert app.services.models.wait_ready(60)
    health = app.test_client().get("/health").get_json()
    assert health["status"] == "degraded"
    if reason := reasons.get(kind):
        assert health["problems"] == {"MODEL_DIR": f"MODEL_DIR cannot be read ({reason}): none of its models answers"}
    else:
        assert health["problems"] == {"models": "models: manifest.json names no task known here"}


def test_a_bundle_of_no_task_and_a_missing_folder_of_users_are_notes(tmp_path: Path) -> None:
    models = tmp_path / "models"
    for name in ("skin", "xray"):
        write_tiny(image_task(name), models)
    (models / "skin").rename(models / "skinn")
    write_tiny_gate(models)
    app = create_app(Config(model_dirs=(models,), user_models_dir=tmp_path / "no", data_dir=tmp_path / "d", log=False))
    assert app.services.models.wait_ready(60)
    health = app.test_client().get("/health").get_json()
    assert (health["status"], health["problems"]) == ("healthy", {})
    assert health["notes"] == {
        "MODEL_DIR": "bundles of no task known here: skinn",
        "USER_MODELS_DIR": "there is no such folder",
    }


def test_a_damaged_compiled_graph_is_counted_and_noted(tmp_path: Path, picture: Callable[..., bytes]) -> None:
    models = tmp_path / "models"
    write_tiny(image_task("skin"), models)

    def asked() -> tuple[dict[str, str], object, str]:
        app = create_app(Config(model_dirs=(models,), user_models_dir=tmp_path, data_dir=tmp_path / "d", log=False))
        assert app.services.models.wait_ready(60)
        client = app.test_client()
        reply = client.post("/analyze/skin", data={"image": (io.BytesIO(picture()), "x")}).get_json()
        return client.get("/health").get_json()["notes"], reply["all_predictions"], client.get("/metrics").text

    first = asked()
    (kept,) = (tmp_path / "d" / "compiled").iterdir()
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    kept.write_bytes(content)
    second, third = asked(), asked()
    assert first[1] == second[1] == third[1]
    damaged = "its compiled graph on the disk was damaged (SHA-256 differs): removed and made again"
    assert (first[0], second[0], third[0]) == ({}, {"skin": damaged}, {})
    counted = 'medidiagnose_compiled_graphs_total{{outcome="{}"}} 1.0'
    assert counted.format("damaged") in second[2]
    assert counted.format("written") in second[2]
    assert counted.format("read") in third[2]


def test_a_card_that_changed_since_the_start_is_not_given(tmp_path: Path) -> None:
    models = tmp_path / "models"
    card = write_tiny(image_task("skin"), models).path / "card.md"
    app = create_app(Config(model_dirs=(models,), user_models_dir=tmp_path, data_dir=tmp_path / "d", log=False))
    assert app.services.models.wait_ready(60)
    client = app.test_client()
    assert "The tiny model skin" in client.get("/models/skin/card").text
    card.write_text("# Another card")
    reply = client.get("/models/skin/card")
    assert (reply.status_code, reply.get_json()["code"]) == (503, "model_invalid")
    card.unlink()
    assert client.get("/models/skin/card").get_json()["error"].startswith("skin: file card.md is missing")
