"""A new task is one TOML file and one bundle: a made-up task is added in a temporary folder and called over HTTP."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from samples import tiny_probabilities

from backend.app import Application, create_app
from backend.config import Config
from ml_model.inference.bundle import Bundle
from ml_model.inputs.images.decoder import load_image
from ml_model.tasks.registry import TASKS_DIR, ImageTask, load_task

MADE_UP_TASK = """
kind = "image"
title = "Pictures of socks"
health_key = "socks"
licence = "CC0"
intended_use = "Telling socks apart in tests."
limits_of_use = ["Socks only."]
demo_probabilities = [0.2, 0.7, 0.1]

[input]
modality = "sock_photo"
height_px = 70
width_px = 84

[[datasets]]
name = "Socks"
folder = "socks"
group_key = "drawer"
population = "One household."
licence = "CC0"
citation = "none"
labels = { left = ["left"], right = ["right"], odd = ["odd"] }

[[findings]]
code = "widowed"
name = "a widowed sock"
classes = ["odd"]
min_sensitivity = 0.9
suspected = "A widowed sock is suspected."
open = { title = "Perhaps odd", message = "M.", actions = ["A"], timeline = "Soon", action = "Look", color = "#9a6700" }

[undecided]
title = "No sock can be told"
message = "M."
actions = ["Show it to a tailor"]
timeline = "Soon"
action = "Show it to a tailor"
color = "#9a6700"

[weak_evidence]
title = "Not to be leant on"
message = "This model knows too few socks."
actions = ["Show it to a tailor"]
timeline = "Soon"
action = "Show it to a tailor"
color = "#9a6700"

[unsettled]
staging = "Not worn out yet."
treatment = "No sock is darned on the strength of this."

[recommendations.low]
title = "Wear it"
message = "Nothing speaks against it."
actions = ["Put it on"]

[recommendations.high]
title = "Look for the other one"
message = "It has no partner."
actions = ["Search the drawer", "Search the dryer"]
"""
MADE_UP_CLASS = """
[[classes]]
code = "{code}"
name = "{code} sock"
type = "{type}"
severity = "{severity}"
treatment_options = ["Darning"]
staging = {{ stage = "Worn", description = "Has been worn.", prognosis = "Wears on." }}
urgency = {{ timeline = "within a week", action = "Look at it", color = "#2e7d32" }}
"""


@pytest.fixture(scope="module")
def sock_config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    root = tmp_path_factory.mktemp("one_toml")
    shutil.copytree(TASKS_DIR, root / "tasks")
    classes = (("left", "normal", "low"), ("right", "normal", "low"), ("odd", "abnormal", "high"))
    text = MADE_UP_TASK + "".join(MADE_UP_CLASS.format(code=c, type=t, severity=s) for c, t, s in classes)
    (root / "tasks" / "sock-check.toml").write_text(text, encoding="utf-8")
    return Config(
        tasks_dir=root / "tasks",
        model_dirs=(root / "models",),
        user_models_dir=root / "nothing",
        data_dir=root / "data",
        log=False,
    )


@pytest.fixture(scope="module")
def sock_task(sock_config: Config) -> ImageTask:
    task = load_task("sock-check", sock_config.tasks_dir)
    assert isinstance(task, ImageTask)
    return task


@pytest.fixture(scope="module")
def sock_app(sock_config: Config, sock_task: ImageTask, write_tiny_bundle: Callable[..., Bundle]) -> Application:
    write_tiny_bundle(sock_task, sock_config.model_dirs[0])
    app = create_app(sock_config)
    assert app.services.models.wait_ready()
    return app


def test_the_new_task_answers_with_its_own_model(
    sock_app: Application, sock_task: ImageTask, picture: Callable[..., bytes]
) -> None:
    data = picture(300, 200, "PNG")
    reply = sock_app.test_client().post("/analyze/sock-check", data={"image": (io.BytesIO(data), "x.txt")})
    assert reply.status_code == 200, reply.text
    answer = reply.get_json()
    expected = tiny_probabilities(sock_task, load_image(data, sock_task.input).pixels)
    best = int(expected.argmax())
    assert answer["demo_mode"] is False
    assert "warning" not in answer
    assert answer["prediction"]["code"] == sock_task.codes[best]
    assert answer["prediction"]["class_id"] == best
    found = {c["code"]: c["confidence"] for c in answer["all_predictions"]}
    assert found == pytest.approx(dict(zip(sock_task.codes, expected, strict=True)), abs=1e-4)
    assert answer["findings"][0]["state"] == "indeterminate", "the bundle has no thresholds for it"
    assert answer["recommendations"] == answer["recommendation"]
    assert answer["recommendation"]["title"] == sock_task.findings[0].open.title == "Perhaps odd"
    assert answer["model"]["task"] == "sock-check"
    heatmap = sock_app.test_client().get(answer["explanation"]["heatmap_url"])
    assert heatmap.mimetype == "image/png", heatmap.text
    with Image.open(io.BytesIO(heatmap.data)) as overlay:
        assert overlay.size == (448, 299)


def test_inline_heatmap_of_another_class(sock_app: Application, picture: Callable[..., bytes]) -> None:
    reply = sock_app.test_client().post(
        "/analyze/sock-check?explain=inline&target=odd", data={"image": (io.BytesIO(picture(90, 90, "PNG")), "x.png")}
    )
    explanation = reply.get_json()["explanation"]
    assert explanation["class"] == "odd"
    assert "heatmap_url" not in explanation
    with Image.open(io.BytesIO(base64.b64decode(explanation["heatmap_png_base64"]))) as overlay:
        assert np.asarray(overlay).shape == (448, 448, 3)


def test_models_health_and_documentation_pick_it_up(sock_app: Application, sock_task: ImageTask) -> None:
    client = sock_app.test_client()
    described = {m["task"]: m for m in client.get("/models").get_json()["models"]}["sock-check"]
    assert [c["code"] for c in described["classes"]] == ["left", "right", "odd"]
    assert described["endpoint"] == "/analyze/sock-check"
    assert described["loaded"] is True
    assert described["licence"] == "MIT", "the bundle's licence, not the task's"
    assert client.get("/health").get_json()["models"]["socks"] is True
    operation = client.get("/openapi.json").get_json()["paths"]["/analyze/sock-check"]["post"]
    assert sock_task.title in operation["summary"]
    target = next(p for p in operation["parameters"] if p["name"] == "target")
    assert target["schema"]["enum"] == ["left", "right", "odd"]
    card = client.get("/models/sock-check/card").text
    assert card == "# The tiny model sock-check\n\nAUC 0.500 (0.400-0.600)\n", "that of its bundle"
    unknown = client.post("/analyze/shoe-check")
    assert (unknown.status_code, unknown.get_json()["code"]) == (404, "not_found")
    assert "sock-check" in unknown.get_json()["error"]
