"""A bundle loads only for the task, the input and the class order it was made for, and only untouched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from samples import image_task

from ml_model.errors import BundleInvalid
from ml_model.inference.bundle import MODELS_DIR, Bundle, load_bundle, write_bundle
from ml_model.inference.measured import ImageMetrics
from ml_model.tasks.registry import ImageTask, load_image_tasks

FIELDS = {
    "task": "skin", "version": "1", "classes": ("a", "b"), "trained_on": "x", "licence": "x", "evidence": "limited",
    "created": "2026-01-01", "git_commit": "0", "seed": 0, "library_versions": {}, "recipe": {},
    "data_fingerprints": {}, "metrics": ImageMetrics(),
}  # fmt: skip
CONTRACT = "c" * 64


def written(folder: Path, **changes: object) -> Bundle:
    (folder / "model.onnx").write_bytes(b"graph")
    return write_bundle(folder, {**FIELDS, "contract_sha256": CONTRACT, **changes}, ["model.onnx"])


def test_what_is_written_is_what_is_loaded(tmp_path: Path) -> None:
    bundle = written(tmp_path)
    assert load_bundle(tmp_path, task="skin", contract_sha256=CONTRACT) == bundle
    assert bundle.file("model.onnx") == tmp_path / "model.onnx"
    with pytest.raises(BundleInvalid, match="the manifest names no weights.h5"):
        bundle.file("weights.h5")


@pytest.mark.parametrize("task", load_image_tasks(), ids=lambda t: t.id)
def test_reordered_classes_refuse_to_load(task: ImageTask, tmp_path: Path) -> None:
    written(tmp_path, task=task.id, classes=task.codes, contract_sha256=task.contract_sha256)
    load_bundle(tmp_path, task=task.id, contract_sha256=task.contract_sha256)
    reordered = task.model_copy(update={"classes": tuple(reversed(task.classes))})
    with pytest.raises(BundleInvalid, match=f"another class order .*tasks/{task.id}.toml declares; train it again"):
        load_bundle(tmp_path, task=task.id, contract_sha256=reordered.contract_sha256)


def test_an_altered_file_is_refused(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"grapf")
    with pytest.raises(BundleInvalid, match=r"model\.onnx is not the file the manifest was written for"):
        load_bundle(tmp_path, task="skin", contract_sha256=CONTRACT)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "model.onnx").unlink()
    with pytest.raises(BundleInvalid, match=r"file model\.onnx is missing"):
        load_bundle(tmp_path, task="skin", contract_sha256=CONTRACT)


def test_a_file_outside_the_bundle_is_refused(tmp_path: Path) -> None:
    written(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["files"] = {"../secret": "0" * 64}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path.parent / "secret").write_text("x")
    with pytest.raises(BundleInvalid, match=r"file \.\./secret is missing"):
        load_bundle(tmp_path, task="skin", contract_sha256=CONTRACT)


def test_a_bundle_of_another_task_is_refused(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(BundleInvalid, match="made for task skin, not xray"):
        load_bundle(tmp_path, task="xray", contract_sha256=CONTRACT)


def test_no_manifest_or_a_broken_one_is_said(tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match=r"no manifest\.json; train the task or restore the bundle"):
        load_bundle(tmp_path, task="skin", contract_sha256=CONTRACT)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(BundleInvalid, match="Invalid JSON"):
        load_bundle(tmp_path, task="skin", contract_sha256=CONTRACT)


def test_shipped_bundles_fit_their_task_files() -> None:
    skin = image_task("skin")
    bundle = load_bundle(MODELS_DIR / "skin", task="skin", contract_sha256=skin.contract_sha256)
    assert bundle.manifest.classes == skin.codes
