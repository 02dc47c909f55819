"""A DICOM film over HTTP: answered like the picture in it, and judged for the population and view of its header."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import ct_slice, dataset, write
from made_tasks import thresholds
from pictures import chest_film
from PIL import Image
from samples import image_task, upload

from backend.app import Application, create_app
from backend.config import Config
from ml_model.diagnosis.population import view_key
from ml_model.diagnosis.reproduction import replay
from ml_model.inference.bundle import Bundle

FILM = chest_film()[..., 0]


@pytest.fixture
def xray_app(tmp_path: Path, write_tiny_bundle: Callable[..., Bundle]) -> Application:
    task = image_task("xray")
    children, adults = (d.name for d in task.datasets)
    points = [{"pneumonia": thresholds(0.1, from_)} for from_ in (0.1, 0.2, 0.3, 0.4)]
    names = (children, adults, view_key(adults, "AP"))
    apart = dict(zip(names, points[:3], strict=True))
    write_tiny_bundle(task, tmp_path, findings=points[3], findings_by_population=apart)
    return create_app(Config(model_dirs=(tmp_path,), user_models_dir=tmp_path, data_dir=tmp_path, log=False))


def asked(app: Application, data: bytes, query: str = "") -> dict[str, Any]:
    response = app.test_client().post(f"/analyze/xray{query}", data=upload(data, file_name="film"))
    assert response.status_code == 200, response.get_json()
    answer: dict[str, Any] = response.get_json()
    return answer


def test_a_film_gets_the_answer_of_its_picture(xray_app: Application) -> None:
    png = io.BytesIO()
    Image.fromarray(FILM).save(png, "PNG")
    of_png, of_dicom = asked(xray_app, png.getvalue()), asked(xray_app, write(dataset(FILM)))
    assert of_dicom["all_predictions"] == of_png["all_predictions"]
    assert of_dicom["model"]["population"] is None
    inverted = write(dataset(255 - FILM, PhotometricInterpretation="MONOCHROME1"))
    assert asked(xray_app, inverted)["all_predictions"] == of_png["all_predictions"]


@pytest.mark.parametrize(
    ("age", "view", "query", "told_by", "threshold"),
    [
        ("004Y", "AP", "", "dicom", 0.1),
        ("044Y", None, "", "dicom", 0.2),
        ("044Y", "AP", "", "dicom", 0.3),
        ("044Y", "AP", "?view=PA", "dicom", 0.2),
        ("004Y", "AP", "?age_years=50", "age_years", 0.3),
        (None, "AP", "", None, 0.4),
    ],
)
def test_age_and_view_come_from_the_header_unless_the_request_says_them(
    xray_app: Application, age: str | None, view: str | None, query: str, told_by: str | None, threshold: float
) -> None:
    facts = {k: v for k, v in {"PatientAge": age, "ViewPosition": view}.items() if v is not None}
    model = asked(xray_app, write(dataset(FILM, **facts)), query)["model"]
    assert (model["population_told_by"], model["operating_point"]["threshold"]) == (told_by, threshold)


def test_the_name_in_the_header_goes_nowhere(xray_app: Application) -> None:
    film = dataset(FILM, PatientName="Nobody^Secret", PatientID="4711-secret", PatientAge="044Y")
    response = xray_app.test_client().post("/analyze/xray", data=upload(write(film)))
    assert response.status_code == 200
    assert b"ecret" not in response.data


@pytest.mark.parametrize(("modality", "status"), [("DX", 200), ("CR", 200), ("OT", 200), ("US", 422), ("CT", 422)])
def test_a_file_that_says_it_is_something_else_is_refused(xray_app: Application, modality: str, status: int) -> None:
    response = xray_app.test_client().post("/analyze/xray", data=upload(write(dataset(FILM, Modality=modality))))
    assert response.status_code == status
    if status == 422:
        error = response.get_json()
        assert error["code"] == "wrong_modality"
        assert error["error"].startswith(
            f"xray reads a frontal chest X-ray; the DICOM header says modality {modality}: send it to /analyze/"
        )


def series(*frames: np.ndarray, **changes: object) -> bytes:
    """A film of several frames."""
    made = dataset(frames[0], NumberOfFrames=len(frames), **changes)
    made.PixelData = b"".join(frame.tobytes() for frame in frames)
    return write(made)


def test_a_frame_is_answered_like_the_film_it_is_and_made_again_from_the_answer(
    xray_app: Application, tmp_path: Path
) -> None:
    others = [np.clip(FILM.astype(int) // 2 + 40 * n, 0, 255).astype(np.uint8) for n in (0, 2)]
    frames = [others[0], FILM, others[1]]
    data = series(*frames, ImagerPixelSpacing=[0.2, 0.1], BodyPartExamined="CHEST", ViewPosition="PA")
    alone = [asked(xray_app, write(dataset(one, ViewPosition="PA")))["all_predictions"] for one in frames]
    assert alone[0] != alone[1] != alone[2]
    for query, frame in (("", 2), ("?frame=1", 1), ("?frame=2", 2), ("?frame=3", 3)):
        answer = asked(xray_app, data, query)
        assert answer["all_predictions"] == alone[frame - 1]
        assert answer["input_check"]["dicom"] == [{
            "modality": "DX", "body_part": "CHEST", "view": "PA", "laterality": None, "pixel_spacing_mm": [0.2, 0.1],
            "frame": frame, "frames": 3,
        }]  # fmt: skip
        assert f"holds 3 frames; only frame {frame} was read" in str(answer["input_check"]["warnings"])
        assert answer["provenance"]["request"] == ({"frame": frame} if query else {})
        made = replay(json.loads(json.dumps(answer)), [("film", data)], tmp_path)
        assert (made.identical, made.same_preprocessing) == (True, True)
    response = xray_app.test_client().post("/analyze/xray?frame=4", data=upload(data))
    assert (response.status_code, response.get_json()["code"]) == (422, "invalid_value")
    assert response.get_json()["error"] == "frame: received 4; the file holds 3 frames: send 1 to 3"


def test_a_window_is_that_of_the_picture_seen_through_it(xray_app: Application, tmp_path: Path) -> None:
    values = FILM.astype(np.int16) * 8 - 1000
    data, png = ct_slice(values), io.BytesIO()
    seen = np.rint(np.clip((values + 600.5) / 1499 + 0.5, 0, 1) * 255).astype(np.uint8)
    Image.fromarray(seen).save(png, "PNG")
    of_lung = asked(xray_app, data, "?gate=off&window=lung")
    assert of_lung["all_predictions"] == asked(xray_app, png.getvalue(), "?gate=off")["all_predictions"]
    assert of_lung["all_predictions"] == asked(xray_app, data, "?gate=off&window=-600,1500")["all_predictions"]
    assert of_lung["all_predictions"] != asked(xray_app, data, "?gate=off")["all_predictions"]
    assert of_lung["provenance"]["request"] == {"gate": "off", "window": "lung"}
    assert replay(json.loads(json.dumps(of_lung)), [("x", data)], tmp_path).identical
    for window, film, told in (
        ("lung", write(dataset(FILM)), "lung is in Hounsfield units"),
        ("lung", png.getvalue(), "this is a PNG file"),
        ("wide", data, "expected lung, bone, brain, soft, or centre,width"),
    ):
        response = xray_app.test_client().post(f"/analyze/xray?gate=off&window={window}", data=upload(film))
        assert (response.status_code, response.get_json()["code"]) == (422, "invalid_value")
        assert told in response.get_json()["error"]


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"Modality": "CT", "BodyPartExamined": "CHEST"}, "modality CT: send it to /analyze/lung-ct"),
        ({"BodyPartExamined": "HAND"}, "body part HAND: no endpoint here"),
        ({"ViewPosition": "LL"}, "view LL: no endpoint here"),
        ({"Modality": "SMITH"}, "modality unknown: no endpoint here"),
    ],
)
def test_a_header_of_another_kind_is_refused_with_the_reason(
    xray_app: Application, facts: dict[str, str], told: str
) -> None:
    data = write(dataset(FILM, PatientName="Nobody^Secret", **facts))
    refused = xray_app.test_client().post("/analyze/xray", data=upload(data))
    assert (refused.status_code, refused.get_json()["code"]) == (422, "wrong_modality")
    assert told in refused.get_json()["error"]
    warned = asked(xray_app, data, "?gate=warn")
    assert told in str(warned["input_check"]["warnings"])
    for text in (b"ecret", b"SMITH"):
        assert text not in refused.data + json.dumps(warned).encode()
