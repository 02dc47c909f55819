"""The other shapes of answers made again: symptoms, heart risk, and those of single-purpose clients."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from pictures import detailed, encode
from samples import HEART_VALUES

from backend.app import Application
from ml_model.diagnosis.reproduction import NOTHING_NAMED, CannotReplay, replay
from ml_model.inference.bundle import MODELS_DIR, Bundle, load_bundle
from ml_model.inference.provenance import body_preprocessing_sha256
from ml_model.inputs.json_body import json_object, read_body
from ml_model.inputs.tabular import DiseaseQuestion, risk_values
from ml_model.replay import main
from ml_model.symptoms.checker import words_of
from ml_model.symptoms.engine import SymptomEngine
from ml_model.tabular.risk_model import HeartRiskModel
from ml_model.tabular.symptom_model import SymptomModel
from ml_model.tasks.registry import RiskTask, SymptomTask, load_task

SYMPTOMS = b'{ "symptoms": ["fever", "head ache",\n "chest pian", "qwxyz"], "age": 34, "sex": "female"}\n'
RISK = json.dumps({**HEART_VALUES, "oldpeak": 1.25, "resting_ecg": None}).encode()
PICTURE = encode(detailed(seed=3), "PNG")


def asked(app: Application, path: str, body: bytes) -> dict[str, Any]:
    reply = app.test_client().post(path, data=body, content_type="application/json")
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = json.loads(reply.text)
    return found


def shown(app: Application, path: str, field: str) -> dict[str, Any]:
    reply = app.test_client().post(path, data={field: (io.BytesIO(PICTURE), "a.png")})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = json.loads(reply.text)
    return found


def shipped(task_id: str) -> Bundle:
    return load_bundle(MODELS_DIR / task_id, task=task_id, contract_sha256=load_task(task_id).contract_sha256)


@pytest.mark.parametrize(
    ("path", "task", "body"),
    [("/predict-disease", "disease", SYMPTOMS), ("/predict-heart", "heart-risk", RISK)],
    ids=["symptoms", "risk"],
)
def test_an_answer_to_json_says_what_it_was_made_from(
    live_app: Application, demo_app: Application, path: str, task: str, body: bytes
) -> None:
    given, bundle = asked(live_app, path, body), shipped(task)
    named = (given["model"]["task"], given["model"]["source"], given["model"]["version"], given["model"]["sha256"])
    assert named == (task, "bundled", bundle.manifest.version, bundle.sha256)
    provenance = given["provenance"]
    assert provenance["input_sha256"] == [hashlib.sha256(body).hexdigest()]
    assert (provenance["engine"], provenance["request"]) == ("numpy", {})
    # The same content written otherwise is another body, read in the same way.
    spaced = asked(live_app, path, body + b" ")
    assert spaced["provenance"]["input_sha256"] == [hashlib.sha256(body + b" ").hexdigest()]
    assert spaced["provenance"]["preprocessing_sha256"] == provenance["preprocessing_sha256"]
    example = asked(demo_app, path, body)
    assert (example["model"]["source"], example["provenance"]["engine"]) == (None, None)
    assert example["provenance"]["input_sha256"] == provenance["input_sha256"]
    assert example["provenance"]["preprocessing_sha256"] != provenance["preprocessing_sha256"]  # no vocabulary in it


def test_symptoms_are_answered_again(live_app: Application) -> None:
    given = asked(live_app, "/predict-disease", SYMPTOMS)
    made = replay(given, [("body.json", SYMPTOMS)])
    assert made.identical
    assert made.same_preprocessing
    assert made.answered.figures["fever -> fever"] == 100.0
    checker, question = SymptomEngine.load(shipped("disease")).checker, read_body(SYMPTOMS, DiseaseQuestion)
    assert checker is not None
    ranking = checker.assess(words_of(question)).ranking
    assert {r.condition.name: r.probability for r in ranking}.items() <= made.again.figures.items()
    assert made.again.named == ranking[0].condition.name == given["prediction"]["disease"]
    # Age and sex are taken from the body too.
    old = SYMPTOMS.replace(b"34", b"3")
    assert replay(asked(live_app, "/predict-disease", old), [("b", old)]).again.figures != made.again.figures


def test_symptoms_ranked_by_the_table_are_answered_again(live_app: Application) -> None:
    body = SYMPTOMS.replace(b"{", b'{"ranking": "table",')
    made = replay(asked(live_app, "/predict-disease", body), [("body.json", body)])
    assert made.identical
    model, question = SymptomModel.load(shipped("disease")), read_body(SYMPTOMS, DiseaseQuestion)
    ranking = model.rank(model.match(question.symptoms).names, 34, "female", top_k=5)
    assert {r.disease: r.probability for r in ranking}.items() <= made.again.figures.items()
    assert made.again.named == ranking[0].disease


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({"description": "It burns when I pee, no fever. I am a woman of 34."}, True),
        ({"description": "a cough 😀", "symptoms": ["back pain"], "answers": {"fever": "yes", "chills": "no"}}, True),
        ({"description": "no fever"}, False),
        ({"description": "I want to die"}, False),
        ({"symptoms": ["fever", "I want to die"], "ranking": "table"}, False),
    ],
    ids=["description", "all of it", "nothing present", "help", "help by the table"],
)
def test_a_description_is_answered_again(live_app: Application, told: dict[str, Any], named: bool) -> None:
    body = json.dumps(told).encode()
    given = asked(live_app, "/predict-disease", body)
    made = replay(given, [("body.json", body)])
    assert made.identical
    assert made.same_preprocessing
    assert (made.again.named != NOTHING_NAMED) is named is bool(given["prediction"])
    for row in given["top_predictions"][:1]:
        row["probability"] *= 1 - 2**-53
        assert not replay(given, [("body.json", body)]).identical


def test_a_risk_is_answered_again_with_every_contribution(live_app: Application) -> None:
    given = asked(live_app, "/predict-heart", RISK)
    made = replay(given, [("body.json", RISK)])
    assert made.identical
    assert made.same_preprocessing
    task = load_task("heart-risk")
    assert isinstance(task, RiskTask)
    found = HeartRiskModel.load(shipped("heart-risk"), task).assess(risk_values(task, json_object(RISK)))
    assert made.again.figures["probability"] == found.probability == given["prediction"]["probability"]
    assert made.again.figures["imputed_log_odds"] == found.imputed_log_odds != 0
    assert len(made.again.figures) == 3 + len(HEART_VALUES) + 1
    assert made.again.named == f"{found.condition} ({found.risk_level})"


@pytest.mark.parametrize("figure", ["contribution", "probability", "named"])
def test_the_last_bit_of_any_figure_counts(live_app: Application, figure: str) -> None:
    given = asked(live_app, "/predict-heart", RISK)
    if figure == "contribution":
        given["risk_factors"]["age"]["contribution"] *= 1 + 2**-52
    elif figure == "probability":
        given["prediction"]["probability"] *= 1 - 2**-53
    else:
        given["prediction"]["risk_level"] = "Low" if given["prediction"]["risk_level"] != "Low" else "High"
    assert not replay(given, [("body.json", RISK)]).identical


def test_the_labels_of_the_breast_model_are_told_again(live_app: Application) -> None:
    given, files = shown(live_app, "/predict/breast-cancer", "image"), [("a.png", PICTURE)]
    assert given["provenance"]["input_sha256"] == [hashlib.sha256(PICTURE).hexdigest()]
    loaded = live_app.services.models.get("breast")
    assert loaded is not None
    made = replay(given, files, loaded.bundle.path.parent)
    assert made.identical
    assert made.same_preprocessing
    assert made.again.figures == {**given["class_probabilities"], "probability": given["probability"]}
    given["class_probabilities"]["normal"] += 1e-9
    assert not replay(given, files, loaded.bundle.path.parent).identical


def test_the_two_words_for_histology_are_told_again(live_app: Application) -> None:
    given, files = shown(live_app, "/predict", "file"), [("a.png", PICTURE)]
    loaded = live_app.services.models.get("histopathology")
    assert loaded is not None
    made = replay(given, files, loaded.bundle.path.parent)
    assert made.identical
    assert (made.again.named, made.again.figures) == (given["prediction"], {"confidence": given["confidence"]})
    given["prediction"] = "Benign" if given["prediction"] == "Malignant" else "Malignant"
    assert not replay(given, files, loaded.bundle.path.parent).identical


def test_what_cannot_be_made_again_is_refused_with_the_reason(live_app: Application, demo_app: Application) -> None:
    given, files = asked(live_app, "/predict-disease", SYMPTOMS), [("body.json", SYMPTOMS)]
    with pytest.raises(CannotReplay, match="the answer was to files of SHA-256"):
        replay(given, [("body.json", SYMPTOMS.strip())])
    with pytest.raises(CannotReplay, match="no model answered"):
        replay(asked(demo_app, "/predict-disease", SYMPTOMS), files)
    with pytest.raises(CannotReplay, match="no model answered"):
        replay(shown(demo_app, "/predict", "file"), [("a.png", PICTURE)])
    users = {**given, "model": {**given["model"], "source": "user", "version": "user-0123"}}
    with pytest.raises(CannotReplay, match=r"a user's own model answered \(user-0123\)"):
        replay(users, files)
    with pytest.raises(CannotReplay, match="'top_predictions' is missing"):
        replay({k: v for k, v in given.items() if k != "top_predictions"}, files)
    with pytest.raises(CannotReplay, match=r"the answer is of model 0{64}; in .* there is disease [0-9a-f]{64}"):
        replay({**given, "model": {**given["model"], "sha256": "0" * 64}}, files)


def test_the_command_takes_a_body(live_app: Application, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result, body = tmp_path / "result.json", tmp_path / "body.json"
    body.write_bytes(RISK)
    given = asked(live_app, "/predict-heart", RISK)
    result.write_text(json.dumps(given))
    assert main([str(result), str(body)]) == 0
    assert capsys.readouterr().out.endswith("\nidentical\n")
    given["baseline_log_odds"] += 1e-12
    result.write_text(json.dumps(given))
    assert main([str(result), str(body)]) == 1
    assert capsys.readouterr().out.endswith("\nNOT identical\n")
    body.write_bytes(RISK + b"\n")
    assert main([str(result), str(body)]) == 2
    assert "error: the answer was to files" in capsys.readouterr().err


def test_the_hash_of_a_body_s_preprocessing_follows_contract_data_and_kind() -> None:
    disease, risk = load_task("disease"), load_task("heart-risk")
    assert isinstance(disease, SymptomTask)
    assert isinstance(risk, RiskTask)
    files = shipped("disease").manifest.files
    plain = body_preprocessing_sha256(disease, files)
    assert plain == body_preprocessing_sha256(disease.model_copy(update={"title": "other"}), files)
    assert plain == body_preprocessing_sha256(disease, {**files, "model.npz": "0"})  # the model itself is not of it
    for name in ("vocabulary.json", "checker.json"):
        assert plain != body_preprocessing_sha256(disease, {**files, name: "0"})
    words = disease.language.model_copy(update={"negations": ("never",)})
    assert plain != body_preprocessing_sha256(disease.model_copy(update={"language": words}), files)
    filled = body_preprocessing_sha256(risk, shipped("heart-risk").manifest.files)
    assert filled != body_preprocessing_sha256(risk, {"model.json": "0"})
