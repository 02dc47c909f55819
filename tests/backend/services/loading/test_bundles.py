"""A bundle that is there but cannot be used: what needs it answers 503 with the reason, never the demo example."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from beats import twelve_leads
from flask.testing import FlaskClient
from PIL import Image
from samples import HEART_VALUES, image_task, write_tiny, write_tiny_gate, write_tiny_signal

from backend.app import Application, create_app
from backend.config import Config
from backend.services.loading.bundles import find_bundle
from ml_model.ecg.export import as_csv
from ml_model.ecg.page_renderer import draw_page
from ml_model.ecg.recording import EcgRecording
from ml_model.inference.bundle import MODELS_DIR, Bundle
from ml_model.tasks.registry import load_image_tasks

RECORDING = EcgRecording(twelve_leads(seed=4), 100.0)
UNREADABLE = b"\xff\xfe\x00{"
Answer = tuple[int, dict[str, Any]]


def encoded(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def red() -> bytes:
    """What the tiny gate takes for dermatoscopy, in two halves, so that it is not blank."""
    pixels = np.full((200, 260, 3), (200, 10, 10), np.uint8)
    pixels[:, 130:] = (240, 50, 50)
    return encoded(pixels)


def form(client: FlaskClient, path: str, field: str, data: bytes) -> Answer:
    reply = client.post(path, data={field: (io.BytesIO(data), "x")})
    return reply.status_code, reply.get_json()


def body(client: FlaskClient, path: str, content: object) -> Answer:
    reply = client.post(path, json=content)
    return reply.status_code, reply.get_json()


# What each kind of bundle answers, by the bundle's name; `heart` is asked with a page, `heart-signal` with a recording.
CALLS: dict[str, Callable[[FlaskClient], Answer]] = {
    "skin": lambda client: form(client, "/analyze/skin", "image", red()),
    "heart": lambda client: form(client, "/analyze/heart?gate=warn", "image", encoded(draw_page(RECORDING).pixels)),
    "heart-signal": lambda client: form(client, "/analyze/heart", "record", as_csv(RECORDING).encode()),
    "disease": lambda client: body(client, "/predict-disease", {"symptoms": ["fever"]}),
    "heart-risk": lambda client: body(client, "/predict-heart", HEART_VALUES),
}
HEALTH_KEYS = {
    "skin": "skin_cancer",
    "heart": "heart_image",
    "heart-signal": "heart_signal",
    "disease": "disease",
    "heart-risk": "heart_risk",
}
# Which calls a damaged bundle closes, beside its own: a page is read by both models of the heart task.
ALSO_CLOSED = {"heart-signal": {"heart"}, "input-gate": {"skin", "heart"}}


def alter_model(bundle: Path) -> None:
    largest = max(bundle.iterdir(), key=lambda file: (file.name != "manifest.json", file.stat().st_size))
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)


def rewrite(bundle: Path, **changes: object) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    (bundle / "manifest.json").write_text(json.dumps({**manifest, **changes}), encoding="utf-8")


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "altered": (alter_model, "SHA-256 differs"),
    "not UTF-8": (lambda bundle: (bundle / "manifest.json").write_bytes(UNREADABLE), "manifest.json: Invalid JSON"),
    "not JSON": (lambda bundle: (bundle / "manifest.json").write_text("{"), "manifest.json: Invalid JSON"),
    "no manifest": (lambda bundle: (bundle / "manifest.json").unlink(), "no manifest.json"),
    "empty folder": (lambda bundle: [file.unlink() for file in bundle.iterdir()], "no manifest.json"),
    "of another task": (lambda bundle: rewrite(bundle, task="xray"), "manifest.json: made for task xray"),
    "of other classes": (lambda bundle: rewrite(bundle, contract_sha256="0" * 64), "manifest.json: made for other"),
    "a field missing": (lambda bundle: rewrite(bundle, files=None), "manifest.json: files:"),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one bundle of every kind."""
    folder = tmp_path_factory.mktemp("sound") / "models"
    for task in map(image_task, ("skin", "heart")):
        write_tiny(task, folder)
    write_tiny_signal(image_task("heart"), folder)
    write_tiny_gate(folder)
    for name in ("disease", "heart-risk"):
        shutil.copytree(MODELS_DIR / name, folder / name)
    return folder


def served(models: Path, **settings: Any) -> Application:
    root = models.parent
    app = create_app(Config(model_dirs=(models,), user_models_dir=root, data_dir=root / "data", log=False, **settings))
    assert app.services.models.wait_ready()
    return app


def damaged(sound: Path, folder: Path, name: str, damage: str) -> Path:
    shutil.copytree(sound, folder / "models")
    DAMAGES[damage][0](folder / "models" / name)
    return folder / "models"


def test_all_are_sound_to_begin_with(sound: Path) -> None:
    client = served(sound).test_client()
    health = client.get("/health").get_json()
    assert (health["status"], health["problems"], client.get("/readyz").status_code) == ("healthy", {}, 200)
    for name, call in CALLS.items():
        status, answer = call(client)
        assert (status, answer["demo_mode"], answer["model"]["source"]) == (200, False, "model_dir"), name


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *(("skin", damage) for damage in DAMAGES),
        *((name, damage) for name in [*CALLS, "input-gate"] if name != "skin" for damage in ("altered", "not UTF-8")),
    ],
)
def test_a_damaged_bundle_is_503_and_hides_no_other(sound: Path, tmp_path: Path, name: str, damage: str) -> None:
    client = served(damaged(sound, tmp_path, name, damage)).test_client()
    health, reason = client.get("/health").get_json(), DAMAGES[damage][1]
    assert (health["status"], list(health["problems"])) == ("degraded", [name])
    assert health["problems"][name].startswith(f"{name}: ")
    assert reason in health["problems"][name]
    lost = {key for key in HEALTH_KEYS.values() if not health["models"][key]}
    assert lost == ({HEALTH_KEYS[name]} if name in HEALTH_KEYS else set())
    assert client.get("/readyz").status_code == 200, "the others answer"
    for asked, call in CALLS.items():
        status, answer = call(client)
        if asked == name or asked in ALSO_CLOSED.get(name, ()):
            assert (status, answer["code"]) == (503, "model_invalid"), (asked, answer)
            assert health["problems"][name] in answer["error"]
        else:
            assert (status, answer["demo_mode"]) == (200, False), (asked, answer)
    assert str(tmp_path) not in json.dumps([health, CALLS.get(name, CALLS["skin"])(client)])


def test_nothing_of_the_task_answers_but_it_is_still_described(sound: Path, tmp_path: Path) -> None:
    client = served(damaged(sound, tmp_path, "skin", "altered")).test_client()
    described = client.get("/models/skin").get_json()
    assert (described["loaded"], described["source"], described["version"]) == (False, None, None)
    card = client.get("/models/skin/card").get_data(as_text=True)
    assert "cannot be used" in card
    assert "model.onnx is not the file the manifest was written for" in card
    assert "marked example" not in card
    assert 'medidiagnose_model_loaded{task="skin"} 0.0' in client.get("/metrics").text


@pytest.mark.parametrize("query", ["", "?gate=warn", "?gate=off"])
def test_a_damaged_gate_lets_nothing_through_unless_it_is_switched_off(sound: Path, tmp_path: Path, query: str) -> None:
    models = damaged(sound, tmp_path, "input-gate", "altered")
    status, answer = form(served(models).test_client(), f"/analyze/skin{query}", "image", red())
    assert (status, answer["code"]) == (503, "model_invalid")
    off = served(models, input_gate=False).test_client()
    assert off.get("/health").get_json()["status"] == "healthy"
    status, answer = form(off, f"/analyze/skin{query}", "image", red())
    assert (status, answer["input_check"]["modality"], answer["demo_mode"]) == (200, None, False)


def test_a_damaged_gate_is_no_demo_either(sound: Path, tmp_path: Path) -> None:
    models = damaged(sound, tmp_path, "input-gate", "no manifest")
    shutil.rmtree(models / "skin")
    assert CALLS["skin"](served(models).test_client())[1]["code"] == "model_invalid"


def test_a_gate_without_a_threshold_for_a_kind_is_damaged(sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "models")
    thresholds = json.loads((sound / "input-gate" / "manifest.json").read_text())["thresholds"]
    rewrite(tmp_path / "models" / "input-gate", thresholds={k: v for k, v in thresholds.items() if k != "dermatoscopy"})
    status, answer = CALLS["skin"](served(tmp_path / "models").test_client())
    assert (status, answer["code"]) == (503, "model_invalid")
    assert "input-gate: manifest.json has no threshold for dermatoscopy" in answer["error"]


def test_what_a_damaged_task_also_reads_is_still_answered(sound: Path, tmp_path: Path) -> None:
    """A mammogram sent to the task of ultrasound pictures is read by the mammogram's own model."""
    shutil.copytree(sound / "input-gate", tmp_path / "models" / "input-gate")
    for task in map(image_task, ("breast", "mammogram")):
        write_tiny(task, tmp_path / "models")
    DAMAGES["altered"][0](tmp_path / "models" / "breast")
    client, yellow = served(tmp_path / "models").test_client(), np.full((200, 260, 3), (200, 200, 10), np.uint8)
    yellow[:, 130:] = (240, 240, 50)
    status, answer = form(client, "/analyze/breast", "image", encoded(yellow))
    assert (status, answer["model"]["task"], answer["demo_mode"]) == (200, "mammogram", False)
    status, answer = form(client, "/analyze/breast?modality=ultrasound", "image", encoded(yellow))
    assert (status, answer["code"]) == (503, "model_invalid")


def test_a_task_without_any_bundle_shows_its_example(sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "models")
    shutil.rmtree(tmp_path / "models" / "skin")
    client = served(tmp_path / "models").test_client()
    status, answer = CALLS["skin"](client)
    assert (status, answer["demo_mode"]) == (200, True)
    assert client.get("/health").get_json()["status"] == "healthy"


@pytest.mark.parametrize("gate_too", [False, True])
def test_ready_ends_where_every_task_that_has_a_bundle_is_down(sound: Path, tmp_path: Path, gate_too: bool) -> None:
    models = tmp_path / "models"
    for name in ("skin", "heart-risk", "input-gate"):
        shutil.copytree(sound / name, models / name)
    DAMAGES["altered"][0](models / "heart-risk")
    assert served(models).test_client().get("/readyz").status_code == 200
    DAMAGES["altered"][0](models / ("input-gate" if gate_too else "skin"))
    reply = served(models).test_client().get("/readyz")
    assert (reply.status_code, reply.get_json()["status"]) == (503, "degraded")
    assert int(reply.headers["Retry-After"]) > 0


def test_a_folder_that_is_itself_a_bundle(sound: Path, tmp_path: Path) -> None:
    """MODEL_DIR may be the bundle: a damaged one is told by its folder's name, one of no task is reported."""
    shutil.copytree(sound / "skin", tmp_path / "skin")
    for damage in ("not UTF-8", "not JSON"):
        DAMAGES[damage][0](tmp_path / "skin")
        client = served(tmp_path / "skin").test_client()
        assert CALLS["skin"](client)[1]["code"] == "model_invalid"
        assert CALLS["heart-risk"](client)[1]["demo_mode"] is True
    shutil.copytree(sound / "skin", tmp_path / "mine")
    rewrite(tmp_path / "mine", task="knee")
    health = served(tmp_path / "mine").test_client().get("/health").get_json()
    assert (health["status"], health["problems"]) == (
        "degraded", {"knee": "mine: manifest.json names no task known here"}
    )  # fmt: skip


def test_an_engine_s_message_keeps_the_folder_to_itself(sound: Path, tmp_path: Path) -> None:
    """The manifest fits the file, which is no model: what the engine says quotes where the file lies."""
    from ml_model.inference.bundle import file_sha256

    shutil.copytree(sound, tmp_path / "models")
    (tmp_path / "models" / "skin" / "model.onnx").write_bytes(b"no graph")
    sha256 = file_sha256(tmp_path / "models" / "skin" / "model.onnx")
    rewrite(tmp_path / "models" / "skin", files={"model.onnx": sha256})
    status, answer = CALLS["skin"](served(tmp_path / "models").test_client())
    assert (status, answer["code"]) == (503, "model_invalid")
    assert "skin: model.onnx does not compile" in answer["error"]
    assert str(tmp_path) not in answer["error"]


def test_a_shipped_bundle_is_called_so() -> None:
    config = Config(user_models_dir=MODELS_DIR.parent / "none", log=False)
    described = create_app(config).services
    assert described.models.wait_ready(120)
    assert {loaded.source for task in described.models.tasks if (loaded := described.models.get(task))} == {"bundled"}


def test_find_bundle_prefers_the_first_folder(tmp_path: Path, write_tiny_bundle: Callable[..., Bundle]) -> None:
    task = load_image_tasks()[0]
    write_tiny_bundle(task, tmp_path / "shipped")
    own = write_tiny_bundle(task, tmp_path / "own").path
    assert find_bundle(task.id, (tmp_path / "own", tmp_path / "shipped")) == own
    assert find_bundle(task.id, (own,)) == own, "MODEL_DIR may be the bundle itself"
    assert find_bundle("other", (own, tmp_path / "shipped")) is None
