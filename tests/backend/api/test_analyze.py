"""What the answers say: rules that hold for every task, the explanation, demo mode, request ids."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_tasks import thresholds
from PIL import Image
from samples import HEART_VALUES, image_task, tiny_probabilities, upload

from backend.app import Application, create_app
from backend.config import Config
from ml_model.diagnosis.population import view_key
from ml_model.inference.bundle import Bundle
from ml_model.inputs.images.decoder import load_image
from ml_model.tasks.registry import ImageTask, load_image_tasks
from ml_model.tasks.triage_scale import LEVELS, SEVERITIES

IMAGE_TASKS = load_image_tasks()


def ask(app: Application, path: str, data: bytes) -> dict[str, Any]:
    reply = app.test_client().post(path, data=upload(data))
    assert reply.status_code == 200, reply.text
    return json.loads(reply.text, object_pairs_hook=dict)


def named(task: ImageTask, probabilities: np.ndarray) -> int:
    """The most probable class; of labels that are coarser than classes, the most probable label's."""
    by_code = dict(zip(task.codes, probabilities.tolist(), strict=True))
    kept = [task.codes] if task.multi_label else task.measured_labels.values()
    label = max(kept, key=lambda codes: sum(by_code[code] for code in codes))
    return task.codes.index(max(label, key=lambda code: by_code[code]))


@pytest.mark.parametrize("task", IMAGE_TASKS, ids=lambda t: t.id)
def test_the_numbers_are_the_model_s(live_app: Application, task: ImageTask, picture: Callable[..., bytes]) -> None:
    """Law 1 at the edge: what HTTP says is what the graph says for the decoder's pixels."""
    data = picture(seed=5)
    answer = ask(live_app, f"/analyze/{task.id}", data)
    expected = tiny_probabilities(task, load_image(data, task.input).pixels)
    found = {c["code"]: c["confidence"] for c in answer["all_predictions"]}
    assert found == pytest.approx(dict(zip(task.codes, expected, strict=True)), abs=1e-4)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    best = task.classes[named(task, expected)]
    assert answer["prediction"] == {
        "class_id": named(task, expected),
        "code": best.code,
        "name": best.name,
        "type": best.type,
        "confidence": found[best.code],
        "confidence_percent": f"{100 * found[best.code]:.1f}%",
        "settled": False,  # the tiny models have no thresholds
        "abstain": False,
        "abstain_reason": None,
        **({"birads": "0"} if best.birads else {}),
    }
    assert [one["state"] for one in answer["findings"]] == ["indeterminate"] * len(task.findings)
    assert (
        answer["severity"] == answer["recommendation"]["level"] == SEVERITIES[LEVELS.index(answer["triage"]["level"])]
    )
    actions = answer["recommendation"]["actions"]
    assert answer["recommendations"] == (actions if task.recommendations_as_list else answer["recommendation"])
    assert answer["triage"]["text"] == f"{answer['recommendation']['title']}. {answer['urgency']['action']}"
    assert answer["staging"]["description"] == task.unsettled.staging
    assert answer["demo_mode"] is False


@pytest.mark.parametrize("task", IMAGE_TASKS, ids=lambda t: t.id)
def test_demo_mode_is_marked_first_and_fixed(
    demo_app: Application, task: ImageTask, picture: Callable[..., bytes]
) -> None:
    first, second = (ask(demo_app, f"/analyze/{task.id}", picture(seed=seed)) for seed in (1, 2))
    assert next(iter(first)) == "warning"
    assert first["demo_mode"] is True
    assert first["all_predictions"] == second["all_predictions"]
    found = {c["code"]: c["confidence"] for c in first["all_predictions"]}
    assert found == pytest.approx(dict(zip(task.codes, task.demo_probabilities, strict=True)), abs=1e-6)
    assert first["explanation"]["method"] == "none"
    assert first["model"]["sha256"] is None
    assert first["model"]["evidence"] == "insufficient"
    assert first["prediction"]["settled"] is False
    assert {one["state"] for one in first["findings"]} == {"indeterminate"}


def test_demo_mode_without_pictures(demo_app: Application) -> None:
    client = demo_app.test_client()
    for path, body in (("/predict-disease", {"symptoms": ["fever"]}), ("/predict-heart", HEART_VALUES)):
        answer = json.loads(client.post(path, json=body).text)
        assert next(iter(answer)) == "warning"
        assert answer["demo_mode"] is True
    assert answer["risk_factors"]["age"]["value"] == 54
    assert set(answer["missing"]) == {"fasting_blood_sugar", "resting_ecg", "oldpeak"}


def test_top_k_and_no_explanation(live_app: Application, picture: Callable[..., bytes]) -> None:
    answer = ask(live_app, "/analyze/skin?top_k=2&explain=none", picture())
    assert len(answer["all_predictions"]) == 2
    assert answer["explanation"]["method"] == "none"
    assert answer["explanation"]["heatmap_url"] is None


def test_prediction_set_is_the_smallest_that_reaches_90_percent(
    live_app: Application, picture: Callable[..., bytes]
) -> None:
    for seed in range(5):
        answer = ask(live_app, "/analyze/skin", picture(seed=seed))
        chosen = answer["prediction_set"]["classes"]
        confidences = [c["confidence"] for c in answer["all_predictions"]]
        assert chosen == [c["code"] for c in answer["all_predictions"]][: len(chosen)]
        assert sum(confidences[: len(chosen)]) >= 0.9
        assert sum(confidences[: len(chosen) - 1]) < 0.9
        assert "not yet" in answer["prediction_set"]["note"]


def test_a_finding_is_suspected_from_its_threshold_on(
    tmp_path: Path, write_tiny_bundle: Callable[..., Bundle], picture: Callable[..., bytes]
) -> None:
    task = image_task("xray")
    data = picture(seed=3)
    probability = tiny_probabilities(task, load_image(data, task.input).pixels)[task.codes.index("pneumonia")]
    for shift, state in ((-0.01, "suspected"), (0.01, "indeterminate")):
        from_ = min(1.0, max(0.0, probability + shift * min(probability, 1 - probability)))
        write_tiny_bundle(task, tmp_path / state, findings={"pneumonia": thresholds(0.0, from_)})
        app = create_app(Config(model_dirs=(tmp_path / state,), user_models_dir=tmp_path, data_dir=tmp_path, log=False))
        answer = ask(app, "/analyze/xray", data)
        assert (answer["findings"][0]["state"], answer["findings"][0]["rule_in_from"]) == (state, from_)
        assert answer["model"]["operating_point"] == {
            "positive": "pneumonia", "threshold": from_, "rule_out_below": 0.0
        }  # fmt: skip


def test_an_age_chooses_the_thresholds_of_its_population(
    tmp_path: Path, write_tiny_bundle: Callable[..., Bundle], picture: Callable[..., bytes]
) -> None:
    task = image_task("xray")
    always, never = ({"pneumonia": thresholds(0.0, from_)} for from_ in (0.0, 1.0))
    children, adults = (dataset.name for dataset in task.datasets)
    write_tiny_bundle(task, tmp_path, findings=never, findings_by_population={children: never, adults: always})
    app = create_app(Config(model_dirs=(tmp_path,), user_models_dir=tmp_path, data_dir=tmp_path, log=False))
    for query, population, state in (
        ("", None, "indeterminate"),
        ("?age_years=17.9", children, "indeterminate"),
        ("?age_years=18", adults, "suspected"),
    ):
        answer = ask(app, f"/analyze/xray{query}", picture(seed=3))
        assert (answer["model"]["population"], answer["findings"][0]["state"]) == (population, state)
        assert answer["model"]["operating_point"]["threshold"] == (0.0 if state == "suspected" else 1.0)
    refused = app.test_client().post("/analyze/xray?age_years=400", data=upload(picture()))
    assert (refused.status_code, refused.get_json()["code"]) == (422, "invalid_value")


def flat(red: int, blue: int) -> bytes:
    """A picture with a bright square, as of a film, of a colour that the tiny model takes a population from."""
    pixels = np.full((96, 96, 3), (red, 90, blue), np.uint8) // 3
    pixels[24:72, 24:72] *= 3
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def test_without_an_age_the_picture_tells_the_population_and_an_age_overrules_it(
    tmp_path: Path, write_tiny_bundle: Callable[..., Bundle]
) -> None:
    task = image_task("xray")
    low, middle, high = ({"pneumonia": thresholds(0.0, from_)} for from_ in (0.1, 0.5, 1.0))
    children, adults = (dataset.name for dataset in task.datasets)
    write_tiny_bundle(
        task,
        tmp_path,
        findings=middle,
        findings_by_population={children: low, adults: high, view_key(adults, "AP"): low},
        populations=(children, adults),
        evidence_by_population={children: "sufficient", adults: "limited"},
    )
    app = create_app(Config(model_dirs=(tmp_path,), user_models_dir=tmp_path, data_dir=tmp_path, log=False))
    reddish, bluish, grey = flat(200, 90), flat(90, 200), flat(120, 120)
    for data, query, population, told_by, view, threshold, evidence in (
        (reddish, "", children, "picture", None, 0.1, "sufficient"),
        (bluish, "", adults, "picture", None, 1.0, "limited"),
        (bluish, "?view=AP", adults, "picture", "AP", 0.1, "limited"),
        (bluish, "?view=PA", adults, "picture", None, 1.0, "limited"),
        (bluish, "?age_years=4&view=AP", children, "age_years", None, 0.1, "sufficient"),
        (grey, "", None, None, None, 0.1, "insufficient"),  # not told: the most cautious
    ):
        model = ask(app, f"/analyze/xray{query}", data)["model"]
        assert (model["population"], model["population_told_by"], model["view"]) == (population, told_by, view)
        assert (model["operating_point"]["threshold"], model["evidence"]) == (threshold, evidence)
    listed = app.test_client().get("/models/xray").get_json()["populations"]
    assert [(p["name"], p["evidence"]) for p in listed] == [(children, "sufficient"), (adults, "limited")]
    assert [p["findings"]["pneumonia"]["rule_in_from"] for p in listed] == [0.1, 1.0]
    refused = app.test_client().post("/analyze/xray?view=lateral", data=upload(grey))
    assert (refused.status_code, refused.get_json()["code"]) == (422, "invalid_value")


def test_breast_cancer_clients_get_the_categories_summed_to_three(
    tmp_path: Path, write_tiny_bundle: Callable[..., Bundle], picture: Callable[..., bytes]
) -> None:
    task = image_task("breast")
    write_tiny_bundle(task, tmp_path)
    app = create_app(Config(model_dirs=(tmp_path,), user_models_dir=tmp_path, data_dir=tmp_path, log=False))
    for seed in range(4):
        data = picture(seed=seed)
        expected = tiny_probabilities(task, load_image(data, task.input).pixels)
        answer = ask(app, "/predict/breast-cancer", data)
        sums = {"normal": expected[0], "benign": expected[1:3].sum(), "malignant": expected[3:].sum()}
        assert answer["class_probabilities"] == pytest.approx(sums, abs=1e-5)
        assert answer["classification"] == max(sums, key=lambda label: sums[label])
        assert answer["probability"] == answer["class_probabilities"][answer["classification"]]
        assert answer["risk_level"] == answer["classification"].capitalize()
        named = ask(app, "/analyze/breast", data)["prediction"]
        assert answer["diagnosis"].startswith(f"{named['name']} most likely; malignant lesion not ruled out. ")
        assert (next(iter(answer)), answer["settled"]) == ("warning", False)
        assert answer["demo_mode"] is False
    client = app.test_client()
    nothing = client.post("/predict/breast-cancer")
    assert (nothing.status_code, nothing.get_json()["code"]) == (400, "empty_input")
    text = client.post("/predict/breast-cancer", data=upload(b"not a picture"))
    assert (text.status_code, text.get_json()["code"]) == (415, "unsupported_format")


def test_a_model_without_maps_says_so(
    tmp_path: Path, write_tiny_bundle: Callable[..., Bundle], picture: Callable[..., bytes]
) -> None:
    task = image_task("skin")
    write_tiny_bundle(task, tmp_path, maps=False)
    app = create_app(Config(model_dirs=(tmp_path,), user_models_dir=tmp_path, data_dir=tmp_path, log=False))
    answer = ask(app, "/analyze/skin", picture())
    assert answer["demo_mode"] is False
    assert answer["explanation"]["method"] == "none"


def test_a_client_s_request_id_is_not_the_heatmap_s_address(
    live_app: Application, picture: Callable[..., bytes]
) -> None:
    reply = live_app.test_client().post("/analyze/skin", data=upload(picture()), headers={"X-Request-ID": "guess-me"})
    answer = reply.get_json()
    assert answer["request_id"] == reply.headers["X-Request-ID"] == "guess-me"
    assert "guess-me" not in answer["explanation"]["heatmap_url"]
    own = ask(live_app, "/analyze/skin", picture())
    assert own["request_id"] not in own["explanation"]["heatmap_url"], "the log has the id"
