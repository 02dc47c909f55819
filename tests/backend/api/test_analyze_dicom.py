"""A DICOM film over HTTP: answered like the picture in it, and judged for the population and view of its header."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dicom_files import dataset, write
from made_tasks import thresholds
from pictures import chest_film
from PIL import Image
from samples import image_task, upload

from backend.app import Application, create_app
from backend.config import Config
from ml_model.diagnosis.population import view_key
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
