"""POST /predict and GET /history: two words for a histology picture, remembered for the session."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from dicom_files import dataset, write
from pictures import detailed

from backend.app import Application
from backend.services.records.sessions import SessionHistory
from ml_model.diagnosis.reproduction import replay


def test_predictions_are_remembered_for_their_session_newest_first(
    live_app: Application, picture: Callable[..., bytes]
) -> None:
    client, other = live_app.test_client(), live_app.test_client()
    assert client.get("/history").get_json() == {"success": True, "history": [], "count": 0}
    answers = []
    for seed in (1, 2):
        reply = client.post(
            "/predict", data={"file": (io.BytesIO(picture(seed=seed, format="PNG")), "secret-name.png")}
        )
        assert reply.status_code == 200, reply.text
        answers.append(reply.get_json())
        direct = client.post(
            "/analyze/histopathology", data={"image": (io.BytesIO(picture(seed=seed, format="PNG")), "x")}
        )
        named = direct.get_json()["prediction"]
        assert (answers[-1]["prediction"], answers[-1]["confidence"]) == (
            named["type"].capitalize(),
            named["confidence"],
        )
        assert (next(iter(answers[-1])), answers[-1]["settled"]) == ("warning", False)
    found = client.get("/history").get_json()
    assert found["count"] == 2
    assert [e["settled"] for e in found["history"]] == [False, False]
    assert [e["request_id"] for e in found["history"]] == [a["request_id"] for a in reversed(answers)]
    assert "secret-name" not in client.get("/history").text
    assert other.get("/history").get_json()["count"] == 0


def test_the_example_is_not_remembered(demo_app: Application, picture: Callable[..., bytes]) -> None:
    client = demo_app.test_client()
    answer = client.post("/predict", data={"file": (io.BytesIO(picture()), "x")})
    assert answer.get_json()["demo_mode"] is True
    assert "Set-Cookie" not in answer.headers
    assert client.get("/history").get_json()["count"] == 0


def test_the_field_is_file(live_app: Application, picture: Callable[..., bytes]) -> None:
    reply = live_app.test_client().post("/predict", data={"image": (io.BytesIO(picture()), "x")})
    assert reply.status_code == 400
    assert "file" in reply.get_json()["error"]


def test_old_sessions_are_dropped_first() -> None:
    from backend.services.records import sessions

    history = SessionHistory()
    ids = [history.add(None, _entry(n)) for n in range(sessions.MOST_SESSIONS + 1)]
    assert history.of(ids[0]) == ()
    assert history.of(ids[-1])[0].request_id == str(sessions.MOST_SESSIONS)


def _entry(n: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
    from backend.schemas.images import HistoryEntry

    return HistoryEntry(
        task="histopathology",
        prediction="Benign",
        settled=True,
        confidence=0.9,
        answered_at="now",
        request_id=str(n),
        model_version="1",
    )


def test_a_field_far_off_the_scale_is_said_so(live_app: Application, picture: Callable[..., bytes]) -> None:
    """pixel_size_um of 700 x 460 pixels: at 0.485 micrometres the trained field, at 4 an overview."""

    def asked(pixel_size_um: float) -> dict[str, Any]:
        data = {"image": (io.BytesIO(picture(700, 460)), "x")}
        reply = live_app.test_client().post(f"/analyze/histopathology?pixel_size_um={pixel_size_um}", data=data)
        found: dict[str, Any] = reply.get_json()["input_check"]
        return found

    trained, overview = asked(0.485), asked(4)
    assert trained["field_of_view"] == {
        "width_um": 339.5, "height_um": 223.1, "told_by": "pixel_size_um", "expected_um": [200, 340],
    }  # fmt: skip
    assert trained["warnings"] == []
    assert len(overview["warnings"]) == 1
    assert "2800 x 1840 micrometres" in overview["warnings"][0]


@pytest.mark.parametrize(
    ("path", "field", "modality"), [("/predict", "file", "SM"), ("/predict/breast-cancer", "image", "US")]
)
def test_a_frame_of_a_dicom_file_is_answered_and_made_again(
    live_app: Application, path: str, field: str, modality: str
) -> None:
    frames = np.stack([detailed(seed=seed) for seed in (1, 2, 3)])
    made = dataset(frames[0], NumberOfFrames=3, Modality=modality)
    made.PixelData = frames.tobytes()
    data = write(made)

    def asked(query: str, sent: bytes = data) -> dict[str, Any]:
        reply = live_app.test_client().post(f"{path}{query}", data={field: (io.BytesIO(sent), "x")})
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.get_json()
        return found

    third = asked("?frame=3")
    task = live_app.services.models.get(third["model"]["task"])
    assert task is not None
    assert replay(json.loads(json.dumps(third)), [("x", data)], task.bundle.path.parent).identical
    alone = asked("", write(dataset(frames[2], Modality=modality)))
    assert third.get("class_probabilities", third.get("confidence")) == alone.get(
        "class_probabilities", alone.get("confidence")
    )
    reply = live_app.test_client().post(f"{path}?window=10,20", data={field: (io.BytesIO(data), "x")})
    assert (reply.status_code, reply.get_json()["code"]) == (422, "invalid_value")
    assert "in colour" in reply.get_json()["error"]
