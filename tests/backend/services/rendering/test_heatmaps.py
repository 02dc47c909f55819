"""GET /heatmaps/<id>.json: the numbers behind an overlay are the model's."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from beats import twelve_leads
from samples import image_task, upload

from backend.app import Application
from backend.services.rendering.heatmaps import Heatmap, activation_map_answer
from ml_model.ecg.export import as_csv
from ml_model.ecg.recording import EcgRecording, network_signal
from ml_model.inference.predictor import Predictor
from ml_model.inputs.images.decoder import load_image
from ml_model.inputs.images.geometry import Frame
from ml_model.tasks.registry import ImageTask, load_image_tasks


def served(app: Application, name: str) -> Predictor:
    loaded = app.services.models.get(name)
    assert loaded is not None
    assert isinstance(loaded.engine, Predictor)
    return loaded.engine


@pytest.mark.parametrize("task", load_image_tasks(), ids=lambda t: t.id)
def test_the_map_of_every_class_is_the_model_s(
    live_app: Application, task: ImageTask, picture: Callable[..., bytes]
) -> None:
    client, data = live_app.test_client(), picture(seed=5)
    image = load_image(data, task.input)
    expected = served(live_app, task.id).predict(image.pixels[None]).activation_maps[0]
    for index, code in enumerate(task.codes):
        explanation = client.post(f"/analyze/{task.id}?target={code}", data=upload(data)).get_json()["explanation"]
        assert explanation["map_url"] == explanation["heatmap_url"].replace(".png", ".json")
        reply = client.get(explanation["map_url"])
        assert reply.mimetype == "application/json"
        told = reply.get_json()
        assert (told["class"], told["method"], told["note"]) == (code, explanation["method"], explanation["note"])
        assert (told["rows"], told["columns"]) == expected[index].shape
        cells = expected[index][:, ::-1] if image.frame.mirrored else expected[index]
        assert told["peak"] == pytest.approx(float(cells.max()), rel=1e-5)
        assert np.array(told["values"]) * told["peak"] == pytest.approx(cells, abs=1e-5 * max(1.0, told["peak"]))
        frame = image.frame
        assert told["frame"] == pytest.approx([frame.left_px, frame.top_px, frame.width_px, frame.height_px])
        assert told["seconds"] is None
    assert expected.max() > 0 or len(task.classes) == 2  # the tiny model of two classes has nothing for either


def test_a_mirrored_map_is_told_in_the_sides_of_the_picture() -> None:
    cells = np.array([[0.5, 0.0, 0.0], [2.0, 1.0, 0.0]], np.float32)
    pixels, left = np.zeros((2, 2, 3), np.uint8), ((0.25, 0.0, 0.0), (1.0, 0.5, 0.0))
    for mirrored, values in ((False, left), (True, tuple(row[::-1] for row in left))):
        told = activation_map_answer(Heatmap(pixels, cells, Frame(40, 10, 200, 100, mirrored), 400, 500, "cancer"))
        assert told.values == values
        assert (told.peak, told.frame, told.seconds) == (2, (40, 10, 200, 100), None)


def test_the_map_of_a_recording_lies_in_time(live_app: Application) -> None:
    task = image_task("heart")
    assert task.signal is not None
    recording = EcgRecording(twelve_leads(), 100.0)
    form = {"record": (io.BytesIO(as_csv(recording).encode()), "ecg.csv")}
    client = live_app.test_client()
    answer = client.post("/analyze/heart?sampling_rate_hz=100", data=form).get_json()
    told = client.get(answer["explanation"]["map_url"]).get_json()
    signals = live_app.services.models.current_signal("heart")
    assert signals is not None
    assert isinstance(signals.engine, Predictor)
    maps = signals.engine.predict_signals(network_signal(recording, task.signal)[None]).activation_maps[0]
    expected = maps[task.codes.index(told["class"])]
    assert np.array(told["values"]) * told["peak"] == pytest.approx(expected, abs=1e-2 * float(expected.max()))
    assert (told["rows"], told["seconds"], told["frame"]) == (1, [0, 10], None)


def test_an_empty_map_is_all_zeros() -> None:
    heatmap = Heatmap(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3), np.float32), Frame(0, 0, 2, 2), 2, 2, "mel")
    told = activation_map_answer(heatmap)
    assert told.values == ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    assert (told.peak, told.explained) == (0.0, "mel")


def test_a_map_that_is_not_kept_is_said_and_the_document_has_it(live_app: Application) -> None:
    reply = live_app.test_client().get("/heatmaps/00.json")
    assert (reply.status_code, reply.get_json()["code"]) == (404, "not_found")
    assert "not kept any more" in reply.get_json()["error"]
    document = live_app.test_client().get("/openapi.json").get_json()
    operation = document["paths"]["/heatmaps/{answer_id}.json"]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
    described = document["components"]["schemas"][schema]["properties"]
    assert {"class", "rows", "columns", "values", "peak", "frame", "seconds", "note"} <= described.keys()
