"""Training from a table of symptoms: what is learnt, the split, and the bundle that is or is not put in place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from samples import real_member
from small_symptoms import TASK, small_task, write_small_data

from ml_model.inference.bundle import Bundle, file_sha256, load_bundle
from ml_model.tabular.symptom_model import SymptomModel
from ml_model.tasks.registry import SymptomTask
from ml_model.training.commands.train_tabular import run_symptom_recipe
from ml_model.training.data.splits import SplitError
from ml_model.training.reports.symptom_card import symptom_card
from ml_model.training.symptoms import bundle as symptom_bundle
from ml_model.training.symptoms import data as symptom_data
from ml_model.training.symptoms import fit as symptom_fit


def test_training_learns_the_table_and_leaves_out_what_has_no_data(small_disease_bundle: Bundle) -> None:
    manifest = small_disease_bundle.manifest
    assert manifest.classes == ("flu", "measles", "cystitis", "migraine")
    assert manifest.metrics.test.symptoms_without_data == ("never seen",)
    assert manifest.metrics.test.diseases_without_data == ("no rows",)
    card = small_disease_bundle.file("card.md").read_text(encoding="utf-8")
    assert card == symptom_card(small_task(), manifest)
    assert "- Symptoms of the data set without rows (1): never seen." in card
    stored = json.loads(small_disease_bundle.file("vocabulary.json").read_text(encoding="utf-8"))
    assert stored["names"] == ["fever", "cough", "skin rash", "pelvic pain", "headache", "knee pain"]
    assert stored["synonyms"] == {"fever": ["burning hot fever"]}, "claimed twice or a name itself: not kept"


def test_training_and_serving_give_the_same_probabilities(small_disease_model: SymptomModel) -> None:
    rng = np.random.default_rng(0)
    present = rng.random((50, 6)) < 0.4
    present[:, 0] |= ~present.any(axis=1)
    lists = symptom_fit.Lists(present, np.zeros(50, int), np.arange(50))
    served = small_disease_model._bayes.probabilities(present.astype(np.float32))
    assert symptom_fit.probabilities(small_disease_model._bayes, lists) == pytest.approx(served, abs=1e-5)


def test_a_leaking_split_stops_the_training(tmp_path: Path) -> None:
    write_small_data(tmp_path)
    table = symptom_data.read_symptom_table(tmp_path / "diseases773.npz")
    split = symptom_data.split_symptom_table(table, seed=0)
    assert [int((split == k).sum()) > 0 for k in range(3)] == [True, True, True]
    leaking = split.copy()
    leaking[np.flatnonzero(split == 0)[0]] = 2
    with pytest.raises(SplitError, match="symptom vectors are in two splits"):
        symptom_data.check_symptom_split(table, leaking)
    without = replace(table, diseases=(*table.diseases, "unlearned"))
    with pytest.raises(SplitError, match="1 diseases have no row in train, first unlearned"):
        symptom_data.check_symptom_split(without, split)


def test_a_training_that_fails_while_it_writes_leaves_the_bundle_that_was_there(tmp_path: Path) -> None:
    write_small_data(tmp_path)
    out = tmp_path / "out"
    before = symptom_bundle.train(small_task(), tmp_path, out, seed=0)
    unknown = small_task().model_dump(mode="json")
    unknown["demographics"][0]["diseases"].append("no such disease")
    with pytest.raises(ValueError, match="no such disease"):
        symptom_bundle.train(SymptomTask.model_validate(unknown), tmp_path, out, seed=3)
    after = load_bundle(out, task="disease", contract_sha256=small_task().contract_sha256)
    assert after.sha256 == before.sha256


def test_command_line_names_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_symptom_recipe("disease", "", ["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "no symptoms tables in" in capsys.readouterr().err


def test_test_figures_come_from_the_test_split(disease_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "diseases773.npz").write_bytes(real_member("symptoms.zip", "diseases773.npz"))
    fingerprint = file_sha256(tmp_path / "diseases773.npz")
    assert fingerprint == disease_bundle.manifest.data_fingerprints[TASK.datasets[0].name]
    table = symptom_data.read_symptom_table(tmp_path / "diseases773.npz")
    assert table.diseases == disease_bundle.manifest.classes
    split = symptom_data.split_symptom_table(table, disease_bundle.manifest.seed)
    test = symptom_fit.lists_of(table, split == 2)
    bayes = SymptomModel.load(disease_bundle)._bayes
    top1 = float((symptom_fit.probabilities(bayes, test).argmax(axis=1) == test.disease).mean())
    assert top1 == pytest.approx(disease_bundle.manifest.metrics.test.complete_lists.top1.value, abs=1e-4)
