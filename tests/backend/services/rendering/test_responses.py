"""What an answer says of its own worth: sets, abstention, figures, pictures unlike those that were learnt."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from made_tasks import thresholds
from pictures import detailed
from PIL import Image
from samples import image_task, measured_test, tiny_probabilities, write_tiny

from backend.app import create_app
from backend.config import Config
from ml_model.inference.bundle import write_bundle
from ml_model.inference.ood import OOD_FILE, OodDetector
from ml_model.inference.predictor import Predictor
from ml_model.inputs.images.decoder import load_image
from ml_model.tasks.registry import ImageTask

CALIBRATION = {"method": "temperature", "slope": (0.5,) * 7, "intercept": (0.0,) * 7}
FIGURE = {"value": 0.8, "low": 0.7, "high": 0.9}
OTHER_FIGURE = {"value": 0.6, "low": 0.5, "high": 0.7}


def skin() -> ImageTask:
    return image_task("skin")


def photo(red: int = 150, green: int = 90) -> bytes:
    """A picture of about one colour that is not blurred."""
    fine = np.asarray(detailed(224, 224), np.float64) - 128
    pixels = np.clip(np.array([red, green, 60]) + 0.3 * fine, 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def client_of(folder: Path, **fields: Any) -> FlaskClient:
    """A service whose tiny skin model has these manifest fields, and knows reddish pictures."""
    task = skin()
    bundle = write_tiny(task, folder / "models")
    known = Predictor(bundle).predict(load_image(photo(), task.input).pixels[None]).embedding
    OodDetector(known[0] / np.linalg.norm(known[0]), np.zeros((3, 1))).write(bundle.path / OOD_FILE)
    kept = bundle.manifest.model_dump(mode="json", exclude={"files", "format_version"})
    write_bundle(bundle.path, {**kept, "calibration": CALIBRATION, **fields}, ["model.onnx", OOD_FILE])
    app = create_app(Config(model_dirs=(folder / "models",), user_models_dir=folder, data_dir=folder / "d", log=False))
    assert app.services.models.wait_ready()
    return app.test_client()


def melanoma(sensitivity: dict[str, float], specificity: dict[str, float]) -> dict[str, Any]:
    figures = {"sensitivity": sensitivity, "suspected": FIGURE, "specificity": specificity, "ruled_out": FIGURE}
    return {"melanoma": {"count": 1, "auc": FIGURE, **figures}}


def trusted(**in_set_from: float) -> dict[str, Any]:
    """Manifest fields with these thresholds of the sets; classes that are not named are never in question."""
    return {
        "prediction_sets": {"coverage": 0.9, "thresholds": {c: in_set_from.get(c, 1.0) for c in skin().codes}},
        "familiarity": {"warn_from": 0.1, "refuse_from": 0.2, "rule": "x"},
        "findings": {rule.code: thresholds(0.0, 1e-6) for rule in skin().findings},
        "metrics": {"kind": "image", "test": measured_test(findings=melanoma(FIGURE, OTHER_FIGURE))},
    }


def posted(client: FlaskClient, picture: bytes, query: str = "") -> tuple[int, dict[str, Any]]:
    reply = client.post(f"/analyze/skin{query}", data={"image": (io.BytesIO(picture), "x.png")})
    body: dict[str, Any] = reply.get_json()
    return reply.status_code, body


def test_confidences_are_the_calibrated_probabilities(tmp_path: Path) -> None:
    _, body = posted(client_of(tmp_path), photo())
    raw = tiny_probabilities(skin(), load_image(photo(), skin().input).pixels)
    expected = raw**0.5 / (raw**0.5).sum()
    told = {row["code"]: row["confidence"] for row in body["all_predictions"]}
    assert [told[code] for code in skin().codes] == pytest.approx(expected.tolist(), abs=1e-5)


def test_the_set_holds_the_classes_that_reach_their_thresholds(tmp_path: Path) -> None:
    _, body = posted(client_of(tmp_path, **trusted(nv=0.0, mel=0.0)), photo())
    assert set(body["prediction_set"]["classes"]) == {"nv", "mel"}
    assert body["prediction_set"]["coverage"] == 0.9
    assert "conformal" in body["prediction_set"]["note"]
    assert body["prediction"]["abstain"] is False
    assert body["prediction"]["abstain_reason"] is None


def test_an_answer_of_which_nothing_is_typical_abstains(tmp_path: Path) -> None:
    _, body = posted(client_of(tmp_path, **trusted()), photo())
    assert (body["prediction"]["abstain"], body["prediction"]["settled"]) == (True, False)
    assert "typical of none" in body["prediction"]["abstain_reason"]
    assert body["triage"]["text"].startswith(skin().undecided.title)


def test_a_picture_unlike_all_that_was_learnt_is_refused_or_warned_of(tmp_path: Path) -> None:
    client, strange = client_of(tmp_path, **trusted(nv=0.0)), photo(red=60, green=200)
    status, body = posted(client, strange)
    assert (status, body["code"]) == (422, "out_of_distribution")
    assert "below 0.200 is needed" in body["error"]
    status, body = posted(client, strange, "?gate=warn")
    assert status == 200
    assert body["input_check"]["accepted"] is False
    assert body["input_check"]["distance"] > body["input_check"]["distance_limit"] == 0.2
    assert "unlike" in body["prediction"]["abstain_reason"]
    status, body = posted(client, photo())
    assert status == 200
    assert body["input_check"]["distance"] < 0.1
    assert body["input_check"]["accepted"] is True


def test_a_finding_says_what_it_is_worth_at_a_prevalence(tmp_path: Path) -> None:
    client = client_of(tmp_path, **trusted(nv=0.0))
    _, body = posted(client, photo())
    first = body["findings"][0]
    assert (first["code"], first["state"], first["sensitivity"]) == ("melanoma", "suspected", FIGURE)
    assert first["message"] == body["operating_points"][0]["message"] == skin().findings[0].suspected
    assert "prevalence" not in first
    _, body = posted(client, photo(), "?prevalence=0.1")
    first = body["findings"][0]
    assert first["positive_predictive_value"] == pytest.approx(0.08 / (0.08 + 0.36))
    assert first["negative_predictive_value"] == pytest.approx(0.72 / (0.72 + 0.02))
    status, body = posted(client, photo(), "?prevalence=1.5")
    assert status == 422
    assert "prevalence" in body["error"]


def test_with_an_age_a_finding_is_worth_what_was_measured_with_ages(tmp_path: Path) -> None:
    aged = {
        "count": 1, "accuracy": FIGURE, "calibration_error": FIGURE, "brier_score": FIGURE,
        "findings": melanoma(OTHER_FIGURE, FIGURE),
        "prediction_sets": {
            "by_label": {"nv": {"count": 1, "coverage": 0.6, "coverage_interval": OTHER_FIGURE}},
            "by_source": {}, "coverage": 0.6, "mean_size": 1, "sizes": {},
        },
    }  # fmt: skip
    test = measured_test(findings=melanoma(FIGURE, OTHER_FIGURE), age_given=aged)
    effect = {
        "reference_years": 50, "youngest_years": 5, "oldest_years": 85,
        "at_reference": (0.0,) * 7, "per_decade": (0.1,) * 7,
    }  # fmt: skip
    fields = trusted(nv=0.0) | {"age_effect": effect, "metrics": {"kind": "image", "test": test}}
    client = client_of(tmp_path, **fields)
    for query, sensitivity, specificity in (("", FIGURE, OTHER_FIGURE), ("?age_years=70", OTHER_FIGURE, FIGURE)):
        body = posted(client, photo(), query)[1]
        told = body["findings"][0]
        assert (told["sensitivity"], told["specificity"]) == (sensitivity, specificity)
        assert body["prediction_set"]["measured"] == ({"nv": OTHER_FIGURE} if query else {})


def test_a_model_without_them_says_that_its_set_is_its_own_estimate(tmp_path: Path) -> None:
    _, body = posted(client_of(tmp_path), photo())
    assert "not yet conformally" in body["prediction_set"]["note"]
    assert body["prediction"]["abstain"] is False
    assert body["operating_points"] == []
