"""A user's path through training: folder of pictures -> one command -> a bundle that answers; resumed after a kill."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from pictures import chest_film
from PIL import Image
from samples import ROOT, image_task

from ml_model.inference.bundle import Bundle, load_bundle
from ml_model.inference.measured import Refused
from ml_model.inference.predictor import Predictor
from ml_model.inputs.images.decoder import load_image
from ml_model.tasks.registry import ImageTask

LEVELS = {"NORMAL": 70, "PNEUMONIA": 180}


def film(label: str, seed: int, adult: bool = False) -> Image.Image:
    """A faint chest film, upright, on a level that gives the label away, behind bars if it is an adult's: learnable in
    a few steps."""
    shades = cv2.resize(chest_film(seed)[..., 0], (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
    levels = LEVELS[label] + 0.4 * (shades - shades.mean()) + np.random.default_rng(seed).normal(0, 10, (64, 64))
    if adult:
        levels[:, ::4] += 75
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("Dataset")
    for label, prefix in (("NORMAL", "IM-{:04}-0001"), ("PNEUMONIA", "person{}_bacteria_1")):
        for split, count in (("train", 60), ("test", 12)):
            for n in range(count):
                path = folder / "chest_xray" / split / label / f"{prefix.format(n)}.jpeg"
                path.parent.mkdir(parents=True, exist_ok=True)
                film(label, n + (1000 if split == "test" else 0)).save(path, quality=90)
    rows = ["file,label,group,split,view"]
    for label in LEVELS:
        for n in range(60):
            name = f"adult_chest_xray/{label}/{n:04}.png"
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            film(label, n + 2000, adult=True).save(path)
            rows.append(f"{name},{label},{label}{n},{('train', 'val', 'val', 'test')[n % 4]},PA")
    (folder / "adult_chest_xray" / "split.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def command(data: Path, out: Path, *extra: str) -> list[str]:
    script = [sys.executable, str(ROOT / "ml_model/image_classification.py"), "--task", "xray"]
    small = ["--backbone", "small_cnn", "--weights", "none", "--size", "32", "--batch", "16", "--epochs", "4"]
    return [*script, *small, "--data", str(data), "--out", str(out), *extra]


def epochs_logged(out: Path) -> list[int]:
    log = out / "log-full-resolution.csv"
    if not log.is_file():
        return []
    with log.open(newline="") as stream:
        # The training may be in the middle of a line.
        return [int(row["epoch"]) for row in csv.DictReader(stream) if row.get("epoch")]


def xray() -> ImageTask:
    return image_task("xray")


@pytest.fixture(scope="module")
def bundle(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Trained in two sittings: killed after its second epoch, then resumed."""
    out = tmp_path_factory.mktemp("runs") / "xray"
    first = subprocess.Popen(command(data, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(epochs_logged(out)) < 2 and time.monotonic() < deadline and first.poll() is None:
        time.sleep(0.05)
    first.kill()
    first.wait()
    before = epochs_logged(out)
    assert len(before) in (2, 3)
    resumed = subprocess.run(command(data, out, "--resume"), capture_output=True, encoding="utf-8", check=False)
    assert resumed.returncode == 0, resumed.stderr[-2000:]
    assert epochs_logged(out) == [0, 1, 2, 3]
    said = resumed.stdout.splitlines()
    assert said[-8].split() == ["split", "n", "accuracy", "balanced", "accuracy", "AUC"]
    names = ["test", *(d.name for d in xray().datasets)]
    assert [re.split("  +", line)[:2] for line in said[-7:-4]] == [
        [name, n] for name, n in zip(names, ("54", "24", "30"), strict=True)
    ]
    assert said[-4:-2] == [f"bundle: {out}", f"card:   {out / 'card.md'}"]
    assert "TensorFlow" not in resumed.stderr
    assert "absl" not in resumed.stderr
    return load_bundle(out, task="xray", contract_sha256=xray().contract_sha256)


def test_the_bundle_says_what_it_was_made_from(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert manifest.classes == xray().codes
    assert manifest.recipe["backbone"] == "small_cnn"
    assert manifest.image_test.count == 24 + 30
    assert set(manifest.image_test.variants) == {"jpeg_75", "jpeg_95", "png", "twice_the_size"}
    corruptions = manifest.image_test.corruptions
    assert set(corruptions) == {"blur", "noise", "jpeg_30", "brighter", "darker", "rotated_left", "rotated_right"}
    assert corruptions["rotated_left"].macro_auc > 0.9
    assert manifest.image_test.macro_auc.value > 0.95
    found = manifest.findings["pneumonia"]
    assert (found.rule_out_below is None) == (found.groups_with < 19)
    assert found.groups_with + found.groups_without == manifest.image_metrics.validation.count
    plots = {"confusion_matrix.png", "training_curves.png", "reliability.png", "risk_coverage.png"}
    assert set(manifest.files) == {"model.onnx", "familiarity.npz", "card.md", "classification_report.txt", *plots}
    assert manifest.image_metrics.explanation.pictures == 24 + 30
    card = (bundle.path / "card.md").read_text()
    assert "### What the heatmaps are worth" in card
    assert f"{manifest.image_test.accuracy.value:.3f}" in card


def test_what_answers_may_claim_was_settled_on_validation_and_measured_on_test(bundle: Bundle) -> None:
    manifest, test = bundle.manifest, bundle.manifest.image_test
    assert manifest.calibration is not None
    assert manifest.prediction_sets is not None
    assert set(manifest.prediction_sets.thresholds) == set(xray().measured_labels)
    assert test.prediction_sets.coverage > 0.8
    before, after = (c.calibration_error.value for c in (test.calibration.before, test.calibration.after))
    assert after < before - 0.05  # four epochs leave a network far less sure than it may be
    assert test.familiarity.own_refused < 0.1
    assert manifest.familiarity is not None
    rng = np.random.default_rng(0)
    strange = Predictor(bundle).predict(rng.integers(0, 256, (4, 224, 224, 3), dtype=np.uint8)).distance
    assert (strange > manifest.familiarity.warn_from).all()
    card = (bundle.path / "card.md").read_text()
    for title in ("Calibration", "Prediction sets", "Abstention", "Pictures unlike those of training"):
        assert f"### {title}\n" in card
    assert "## Reporting checklist (CLAIM)" in card


def test_a_bundle_is_measured_again_without_training(bundle: Bundle, data: Path, tmp_path: Path) -> None:
    shipped, strangers = tmp_path / "shipped", {"photographs": {"count": 60, "refused": 0.9}}
    shutil.copytree(bundle.path, shipped)
    written = json.loads((shipped / "manifest.json").read_text())
    (shipped / "manifest.json").write_text(
        json.dumps(written | {"metrics": written["metrics"] | {"strangers": strangers}})
    )
    again = subprocess.run(
        command(data, tmp_path / "xray", "--measure", str(shipped)), capture_output=True, encoding="utf-8", check=False
    )
    assert again.returncode == 0, again.stderr[-2000:]
    measured = load_bundle(tmp_path / "xray", task="xray", contract_sha256=xray().contract_sha256)
    old, new = bundle.manifest, measured.manifest
    assert new.files["model.onnx"] == old.files["model.onnx"]
    assert new.files["training_curves.png"] == old.files["training_curves.png"]
    assert (new.recipe, new.created, new.calibration) == (old.recipe, old.created, old.calibration)
    assert (new.findings_by_population, new.familiarity) == (old.findings_by_population, old.familiarity)
    assert new.image_metrics.strangers == {"photographs": Refused(count=60, refused=0.9)}
    assert new.image_test.macro_auc == old.image_test.macro_auc
    assert new.image_metrics.training == old.image_metrics.training
    other = tmp_path / "other"
    shutil.copytree(data, other)
    next((other / "chest_xray" / "test" / "NORMAL").iterdir()).unlink()
    refused = subprocess.run(
        command(other, tmp_path / "refused", "--measure", str(bundle.path)),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert refused.returncode == 1
    assert "not the data that the bundle" in refused.stderr


def test_measuring_in_place_that_is_killed_leaves_the_bundle(bundle: Bundle, data: Path, tmp_path: Path) -> None:
    """Killed where it has settled and not yet measured: the draft has its manifest, the folder still the old one."""
    out = tmp_path / "xray"
    shutil.copytree(bundle.path, out)
    process = subprocess.Popen(command(data, out, "--measure", str(out)), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (out / "draft" / "familiarity.npz").is_file() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert (out / "draft" / "model.onnx").is_file()
    assert load_bundle(out, task="xray", contract_sha256=xray().contract_sha256).sha256 == bundle.sha256


def test_the_populations_are_told_apart_and_judged_each_at_its_own_point(bundle: Bundle) -> None:
    children, adults = (dataset.name for dataset in xray().datasets)
    manifest = bundle.manifest
    assert manifest.populations == (children, adults)
    # Twelve children to validate on are too few for thresholds of their own, thirty adults with pneumonia are enough.
    assert set(manifest.findings_by_population) == {adults, f"{adults}, view PA"}
    assert set(manifest.evidence_by_population) == {adults}
    told = manifest.image_test.populations_told
    assert told[children][adults] == 0 == told[adults][children]
    assert told[children][children] == 0, "without thresholds of their own they are judged by those of all"
    assert told[adults][adults] > 0.8
    given = manifest.image_test.part(adults, known="age")
    assert given.count == 30
    predictor = Predictor(bundle)
    for adult in (False, True):
        stream = io.BytesIO()
        film("NORMAL", 6000, adult).save(stream, "PNG")
        population = predictor.predict(load_image(stream.getvalue(), xray().input).pixels[None]).population
        assert population.shape == (1, 2)
        assert population.argmax() == int(adult)


def test_the_bundle_answers(bundle: Bundle) -> None:
    predictor = Predictor(bundle)
    for label, column in (("NORMAL", 0), ("PNEUMONIA", 1)):
        stream = io.BytesIO()
        film(label, 5000).save(stream, "PNG")
        pixels = load_image(stream.getvalue(), xray().input).pixels
        prediction = predictor.predict(pixels[None])
        assert prediction.probabilities[0, xray().codes.index(("normal", "pneumonia")[column])] > 0.5
        assert prediction.probabilities.sum() == pytest.approx(1, abs=1e-5)
        assert prediction.activation_maps.shape[:2] == (1, 2)


def test_a_folder_without_the_data_set_is_said(tmp_path: Path) -> None:
    done = subprocess.run(command(tmp_path, tmp_path / "out"), capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1
    assert f"error: {tmp_path}: none of " in done.stderr
    assert "docs/training.md" in done.stderr


def test_asked_without_options_it_asks(tmp_path: Path) -> None:
    script = [sys.executable, str(ROOT / "ml_model/image_classification.py")]
    done = subprocess.run(script, input=f"2\n{tmp_path}\n", capture_output=True, encoding="utf-8", check=False)
    assert done.stdout.startswith("Which model? 1 skin, 2 pneumonia: ")
    assert f"error: {tmp_path}: none of " in done.stderr
