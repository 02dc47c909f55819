"""The networks on recordings: augmentation, averaging, export with exact maps, and a user's path to a bundle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from beats import twelve_leads, write_ptb_xl
from networks import wrap, write_tensors
from samples import ROOT, image_task, write_tiny

from ml_model.ecg.recording import EcgRecording, network_signal, read_wfdb
from ml_model.inference.bundle import MODELS_DIR, Manifest, load_bundle
from ml_model.inference.interval import Interval
from ml_model.inference.ood import OOD_FILE, OodDetector
from ml_model.inference.predictor import MODEL_FILE, Predictor
from ml_model.inference.publishing import fresh_draft
from ml_model.tasks.registry import ImageTask
from ml_model.training import pipeline
from ml_model.training.augmentation.signal_corruptions import RECORDING_CHANGES
from ml_model.training.augmentation.signals import SignalAugmentation, augment_signal, windows_of
from ml_model.training.data.readers import read_task
from ml_model.training.evaluation import ecg_page_metrics
from ml_model.training.evaluation.answers import Evaluator
from ml_model.training.reports.model_card import card_markdown

QUIET = SignalAugmentation(
    shift=0, gain=0, lead_gain=0, wander_mv=0, noise_mv=0, crop=0, page=0, lead_off=0
)  # fmt: skip


def heart() -> ImageTask:
    task = image_task("heart")
    assert task.signal is not None
    return task


def test_a_page_of_four_columns_shows_each_lead_for_its_quarter() -> None:
    keep = windows_of(1000, 12, 4)
    assert keep.sum(axis=0).tolist() == [250] * 12
    assert keep[:250, :3].all()
    assert keep[750:, 9:].all()
    assert windows_of(1000, 12, 2, simultaneous=True)[:500].all()


def test_quiet_augmentation_changes_nothing_and_loud_one_hides_leads() -> None:
    signal, rng = twelve_leads(), np.random.default_rng(0)
    assert np.array_equal(augment_signal(signal, QUIET, 100, rng), signal)
    loud = SignalAugmentation(shift=0, gain=0, lead_gain=0, wander_mv=0, noise_mv=0, crop=0, page=0, lead_off=1)
    off = (augment_signal(signal, loud, 100, rng) == 0).all(axis=0).sum()
    assert 1 <= off <= loud.most_leads_off


@pytest.mark.parametrize("name", ["five_times_the_rate", "first_5_seconds", "page_of_3_by_4"])
def test_changes_of_a_recording_keep_what_they_leave(name: str) -> None:
    task = heart()
    assert task.signal is not None
    recording = EcgRecording(twelve_leads(), 100.0)
    plain = network_signal(recording, task.signal)
    changed = network_signal(RECORDING_CHANGES["variants"][name](recording), task.signal)
    assert changed.shape == plain.shape
    seen = changed != 0
    assert seen.mean() > 0.2
    difference = (changed - plain)[20:-20][seen[20:-20]]
    assert np.median(np.abs(difference)) < 0.02


def test_averaged_networks_give_the_mean_of_their_logits_and_export_with_exact_maps(tmp_path: Path) -> None:
    import keras

    from ml_model.training.models.onnx_export import export_onnx
    from ml_model.training.models.signal_classifier import averaged, build_network

    keras.utils.set_random_seed(3)
    members = [
        build_network("xresnet1d", classes=5, samples=200),
        build_network("inception_time", classes=5, samples=200),
    ]
    both = averaged(members)
    signals = np.stack([twelve_leads(seconds=2, seed=s) for s in range(3)])
    logits = [np.asarray(m(signals)) for m in members]
    assert np.abs(np.asarray(both(signals)) - np.mean(logits, axis=0)).max() < 1e-5
    export_onnx(both, tmp_path / "model.onnx", multi_label=True)
    expected = 1 / (1 + np.exp(-np.mean(logits, axis=0)))
    for engine in ("openvino", "onnxruntime"):
        got = Predictor(wrap(tmp_path), engine=engine).predict_signals(signals)
        assert np.abs(got.probabilities - expected).max() < 2e-3, engine
        assert got.activation_maps.shape == (3, 5, 1, 25)


def test_the_predictor_takes_float_signals_only(tmp_path: Path) -> None:
    import keras

    from ml_model.training.models.onnx_export import export_onnx
    from ml_model.training.models.signal_classifier import averaged, build_network

    keras.utils.set_random_seed(3)
    export_onnx(
        averaged([build_network("xresnet1d", classes=2, samples=80)]), tmp_path / "model.onnx", multi_label=True
    )
    with pytest.raises(ValueError, match="expected float32"):
        Predictor(wrap(tmp_path)).predict_signals(np.zeros((1, 80, 12)))


def run_recipe(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "ml_model/train_heart_signal_model.py"), *options]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)


def test_a_recipe_on_a_users_records_ends_in_a_bundle_that_answers(tmp_path: Path) -> None:
    task = heart()
    assert task.signal is not None
    root = write_ptb_xl(tmp_path / "Dataset", records=50)
    out, tensors = tmp_path / "runs" / "heart-signal", write_tensors(tmp_path, "loss_bce")
    ran = run_recipe(
        "--data", str(root), "--out", str(out), "--epochs", "2", "--members", "1", "--published", str(tensors)
    )
    assert ran.returncode == 0, ran.stderr
    bundle = load_bundle(out, task="heart-signal", contract_sha256=task.signal_contract_sha256)
    test = bundle.manifest.image_test
    assert test.count == 5
    assert set(test.variants) == set(RECORDING_CHANGES["variants"])
    signal = network_signal(read_wfdb(next(root.rglob("*.hea"))), task.signal)
    assert Predictor(bundle).predict_signals(signal[None]).probabilities.shape == (1, 5)
    card = (out / "card.md").read_text()
    assert "loss_bce (seed 2)" in card
    assert "They start from tensors.npz" in card
    assert (bundle.manifest.recipe["weights"], bundle.manifest.recipe["tuned_epochs"]) == ("tensors.npz", 2)


def test_a_data_folder_without_records_is_refused(tmp_path: Path) -> None:
    ran = run_recipe("--data", str(tmp_path))
    assert ran.returncode == 1
    assert "ptb-xl" in ran.stderr


def test_a_card_sets_the_answers_to_pictures_beside_those_from_the_signal() -> None:
    folder = MODELS_DIR / "heart-signal"
    manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    plain = card_markdown(heart(), manifest)
    assert "| pages | answered | from the signal | macro AUC |\n" in plain
    metrics = manifest.image_metrics
    assert metrics.pages is not None
    alone = {"picture_alone": Interval(value=0.8, low=0.7, high=0.9)}
    rows = {n: row.model_copy(update=alone) for n, row in metrics.pages.rows() if not n.startswith("many looks, ")}
    told = metrics.model_copy(update={"pages": metrics.pages.model_copy(update=rows)})
    both = manifest.model_copy(update={"metrics": told})
    rows = [line for line in card_markdown(heart(), both).splitlines() if line.startswith("| usual look ")]
    assert rows[0].endswith("| 0.800 (0.700-0.900) |")
    assert "| pages | answered | from the signal | macro AUC | the picture alone |\n" in card_markdown(heart(), both)
    layout = next(x for x in card_markdown(heart(), both).splitlines() if x.startswith("| many looks, "))
    assert layout.endswith("| not measured |")


def test_pages_are_answered_from_the_signal_and_by_the_picture_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ecg_page_metrics, "CONDITIONS", {"usual_look": None})
    monkeypatch.setattr(ecg_page_metrics, "DRAWS", 5)
    task = heart()
    write_ptb_xl(tmp_path, records=50)
    samples = read_task(tmp_path / "ptb-xl", task)[:10]
    figures = ecg_page_metrics.beside_recordings(task, samples, Predictor(write_tiny(task, tmp_path / "models")))
    assert (figures.usual_look.from_signal, figures.usual_look.answered) == (1, 1)
    assert figures.usual_look.triage.harmless == sum(s.codes == ("normal",) for s in samples) > 0
    assert set(figures.usual_look.findings) <= {rule.code for rule in task.findings}
    assert 0 < figures.usual_look.prediction_sets.coverage <= 1
    assert 0 <= figures.usual_look.picture_alone.value <= 1
    assert figures.usual_look.picture_alone != figures.usual_look.macro_auc


def test_what_answers_come_to_is_measured_with_what_they_may_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a model whose evidence is insufficient none is calm; measured so, no model's serious cases would be."""
    manifest = write_tiny(heart(), tmp_path, evidence="sufficient").manifest
    draft, kept = fresh_draft(tmp_path / "out"), manifest.model_dump(exclude={"files", "format_version"})
    (draft / MODEL_FILE).write_bytes((tmp_path / "heart" / MODEL_FILE).read_bytes())
    OodDetector(np.zeros(3), np.eye(3)[:, :1]).write(draft / OOD_FILE)
    claimed: list[str] = []

    def evaluate(evaluator: Evaluator, samples: object) -> None:
        claimed.append(evaluator.manifest.evidence)
        raise StopIteration

    monkeypatch.setattr(pipeline, "evaluate", evaluate)
    job: Any = SimpleNamespace(task=heart(), out_dir=tmp_path / "out", pick=lambda split: [])
    sent = pipeline.Sent(lambda predictor: lambda sample, change: predictor, {}, {}, [])
    decided = {name: kept[name] for name in (*pipeline.NAMING, "familiarity")}
    for old in (None, manifest, manifest.model_copy(update={"evidence": "insufficient"})):
        with pytest.raises(StopIteration):
            pipeline.measure(job, sent, lambda metrics, **more: {**kept, **more}, manifest.image_metrics, decided, old)
    assert claimed == ["limited", "sufficient", "insufficient"]
