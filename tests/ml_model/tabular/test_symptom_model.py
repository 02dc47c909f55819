"""Diseases ranked by symptoms: on a small trained bundle, and on the shipped one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_symptoms import TASK, small_task

from ml_model.errors import BundleInvalid, NothingRecognised
from ml_model.inference.bundle import Bundle, load_bundle
from ml_model.tabular.symptom_model import SymptomModel, recommendations
from ml_model.tasks.registry import SymptomTask


def test_small_model_ranks_by_bayes(small_disease_model: SymptomModel) -> None:
    ranked = small_disease_model.rank(["fever", "cough", "headache"], top_k=4)
    assert [d.disease for d in ranked][0] == "flu"
    assert sum(d.probability for d in ranked) == pytest.approx(1, abs=1e-6)
    assert ranked[0].description == "A viral infection."
    assert ranked[0].precautions == ("Rest.",)
    measles = next(d for d in ranked if d.disease == "measles")
    assert measles.description.startswith(
        "In the synthetic data behind this model, measles came most often with skin rash"
    )
    assert measles.precautions == TASK.general_precautions


def test_probabilities_are_the_written_formula(small_disease_model: SymptomModel) -> None:
    bayes = small_disease_model._bayes
    present = np.array([[1, 0, 0, 1, 0, 0]], np.float32)
    w, t = float(bayes.absent_weight[2]), float(bayes.temperature[2])
    scores = [
        float(bayes.log_prior[d])
        + sum(float(bayes.log_present[d, s]) for s in (0, 3))
        + w * sum(float(bayes.log_absent[d, s]) for s in (1, 2, 4, 5))
        for d in range(4)
    ]
    expected = np.exp(np.array(scores) / t) / np.exp(np.array(scores) / t).sum()
    assert bayes.probabilities(present)[0] == pytest.approx(expected, abs=1e-5)


def test_age_and_sex_leave_out_only_what_cannot_be(small_disease_model: SymptomModel) -> None:
    names = ["pelvic pain", "fever"]
    everyone = {d.disease: d.probability for d in small_disease_model.rank(names, top_k=9)}
    infant = {d.disease for d in small_disease_model.rank(["fever", "cough"], age_years=3, top_k=9)}
    assert infant == set(everyone) - {"cystitis"}
    assert {d.disease: d.probability for d in small_disease_model.rank(names, 30, "female", top_k=9)} == everyone
    assert {d.disease: d.probability for d in small_disease_model.rank(names, 30, "other", top_k=9)} == everyone
    male = {d.disease: d.probability for d in small_disease_model.rank(["fever", "cough"], 30, "male", top_k=9)}
    whole = {d.disease: d.probability for d in small_disease_model.rank(["fever", "cough"], top_k=9)}
    assert "cystitis" not in male
    assert male["flu"] == pytest.approx(whole["flu"] / (1 - whole["cystitis"]))


def test_symptoms_that_contradict_the_sex_win(disease_model: SymptomModel) -> None:
    names = ["vaginal discharge", "vaginal itching", "vaginal redness", "vulvar irritation"]
    assert disease_model.rank(names, 30, "male") == disease_model.rank(names)


@pytest.mark.parametrize(("names", "message"), [([], "no symptom"), (["feverr"], "unknown symptom 'feverr'")])
def test_ranking_nothing_is_refused(small_disease_model: SymptomModel, names: list[str], message: str) -> None:
    with pytest.raises(NothingRecognised, match=message):
        small_disease_model.rank(names)


def test_recommendations_put_what_is_urgent_first() -> None:
    urgent = recommendations(TASK, ["cough", "sharp chest pain"])
    assert "emergency number" in urgent[0]
    assert urgent[1] == TASK.few_symptoms_note
    assert urgent[2:] == TASK.recommendations
    assert recommendations(TASK, ["cough", "sneezing", "coryza"]) == TASK.recommendations


def test_bundle_is_bound_to_the_task_file_and_to_its_bytes(small_disease_bundle: Bundle, tmp_path: Path) -> None:
    changed = small_task().model_dump(mode="json")
    changed["language"]["aliases"]["fever"] = ["cold"]
    other = SymptomTask.model_validate(changed)
    with pytest.raises(BundleInvalid, match="train it again"):
        load_bundle(small_disease_bundle.path, task="disease", contract_sha256=other.contract_sha256)
    copy = tmp_path / "disease"
    copy.mkdir()
    for name in (*small_disease_bundle.manifest.files, "manifest.json"):
        (copy / name).write_bytes((small_disease_bundle.path / name).read_bytes())
    (copy / "diseases.json").write_bytes((copy / "diseases.json").read_bytes().replace(b"flu", b"flo"))
    with pytest.raises(BundleInvalid, match="SHA-256"):
        load_bundle(copy, task="disease", contract_sha256=small_task().contract_sha256)


def test_more_symptoms_make_the_model_surer(disease_model: SymptomModel) -> None:
    names = ["sharp chest pain", "shortness of breath", "palpitations", "dizziness", "irregular heartbeat"]
    first = [disease_model.rank(names[:k])[0].probability for k in (1, 3, 5)]
    assert first[0] < 0.2
    assert first == sorted(first)


def test_shipped_figures_meet_the_bars(disease_bundle: Bundle) -> None:
    test = disease_bundle.manifest.metrics.test
    assert test.distinct_vectors.top1.value >= 0.875
    assert test.distinct_vectors.top5.value >= 0.98
    assert test.complete_lists.top5.value >= 0.98
    # Reading short lists as perhaps cut short costs a little on complete ones, and never more than this.
    plain = test.plain_naive_bayes.top1.value
    assert test.complete_lists.top1.value >= plain - 0.003
    assert test.if_all_lists_were_known_to_be_complete.top1.value >= plain - 0.001
    for count in "12345":
        assert test.by_symptoms_given[count].cut_short.ece <= 0.05
    assert sum(f.stat().st_size for f in disease_bundle.path.iterdir()) < 5_000_000


def test_serving_imports_neither_training_nor_its_libraries() -> None:
    code = (
        "import sys; from ml_model.tabular.symptom_model import SymptomModel;"
        "from ml_model.inference.bundle import load_bundle, MODELS_DIR; from ml_model.tasks.registry import load_task;"
        "task = load_task('disease');"
        "SymptomModel.load(load_bundle(MODELS_DIR / 'disease', task='disease', contract_sha256=task.contract_sha256));"
        "heavy = {'sklearn', 'scipy', 'pandas', 'tensorflow', 'ml_model.training'} & set(sys.modules);"
        "sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, "")
