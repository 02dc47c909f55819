"""A user's own files: served in place of the bundled model, or reported while that one goes on serving."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from samples import image_task, upload

from backend.app import Application, create_app
from backend.config import Config
from ml_model.diagnosis.reproduction import CannotReplay, replay
from ml_model.inference.bundle import Bundle
from ml_model.tasks.registry import SymptomTask, load_task

COLUMNS = ["itching", "skin_rash", "high_fever", "chest_pain"]
DISEASES = ["allergy", "heart attack", "typhoid"]


def application(root: Path, **settings: bool) -> Application:
    config = Config(model_dirs=(root / "models",), user_models_dir=root, data_dir=root / "data", log=False, **settings)
    app = create_app(config)
    assert app.services.models.wait_ready()
    return app


def problem(app: Application, task_id: str) -> str:
    """What /health says about the task, once the background thread has come to it."""
    for _ in range(600):
        problems = app.test_client().get("/health").get_json()["problems"]
        if task_id in problems:
            return str(problems[task_id])
        time.sleep(0.05)
    raise AssertionError("no problem was reported")


@pytest.fixture
def user_folder(tmp_path: Path) -> Path:
    """Three files as scikit-learn users write them."""
    joblib = pytest.importorskip("joblib")
    from sklearn.naive_bayes import BernoulliNB
    from sklearn.preprocessing import LabelEncoder

    encoder = LabelEncoder().fit(DISEASES)
    rows = np.array([[1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]] * 20)
    model = BernoulliNB().fit(rows, encoder.transform(DISEASES * 20))
    joblib.dump(model, tmp_path / "disease_model.joblib")
    joblib.dump(encoder, tmp_path / "label_encoder.joblib")
    (tmp_path / "symptom_list.json").write_text(json.dumps(COLUMNS), encoding="utf-8")
    return tmp_path


def test_a_pickle_is_not_opened_without_the_flag(user_folder: Path) -> None:
    (user_folder / "disease_model.joblib").write_bytes(b"cos\nsystem\n(S'touch opened'\ntR.")
    app = application(user_folder)
    assert "--allow-pickle" in problem(app, "disease")
    assert app.test_client().get("/models/disease").get_json()["source"] is None


def test_a_user_s_symptom_model_answers_with_the_flag(user_folder: Path) -> None:
    app = application(user_folder, allow_pickle=True)
    client = app.test_client()
    for _ in range(600):
        described = client.get("/models/disease").get_json()
        if described["loaded"]:
            break
        time.sleep(0.05)
    assert described["source"] == "user"
    assert described["evidence"] == "insufficient"
    answer = client.post("/predict-disease", json={"symptoms": ["chest pian"]}).get_json()
    assert answer["prediction"]["disease"] == "heart attack"
    assert answer["symptoms_analyzed"] == ["chest pain"]
    assert answer["demo_mode"] is False
    assert (answer["model"]["source"], answer["provenance"]["engine"]) == ("user", "scikit-learn")
    with pytest.raises(CannotReplay, match=rf"a user's own model answered \({answer['model']['version']}\)"):
        replay(answer, [("body.json", b'{"symptoms": ["chest pian"]}')])
    assert [s["name"] for s in client.get("/symptoms").get_json()["symptoms"]] == [
        "chest pain",
        "high fever",
        "itching",
        "skin rash",
    ]


def test_files_that_do_not_fit_are_reported(user_folder: Path) -> None:
    (user_folder / "symptom_list.json").write_text(json.dumps(COLUMNS[:3]), encoding="utf-8")
    message = problem(application(user_folder, allow_pickle=True), "disease")
    assert "symptom_list.json" in message


def test_a_bad_keras_file_is_reported_and_the_bundle_serves(
    tmp_path: Path, write_tiny_bundle: Callable[..., Bundle], picture: Callable[..., bytes]
) -> None:
    task = image_task("skin")
    write_tiny_bundle(task, tmp_path / "models")
    (tmp_path / "skin_cancer_model.keras").write_bytes(b"not a Keras file")
    (tmp_path / "skin_cancer_model_config.json").write_text('{"classes": ["cat", "dog"]}', encoding="utf-8")
    app = application(tmp_path)
    assert "skin_cancer_model" in problem(app, "skin")
    answer = app.test_client().post("/analyze/skin", data=upload(picture())).get_json()
    assert answer["demo_mode"] is False
    assert answer["model"]["version"] == "0.0.1"
    assert next(iter(answer)) == "warning"
    assert answer["warning"].startswith("a model of your own is there but does not answer: skin_cancer_model")
    assert answer["warning"].endswith("; the bundled model did")


def test_the_task_named_here_is_the_symptom_task() -> None:
    assert isinstance(load_task("disease"), SymptomTask)
