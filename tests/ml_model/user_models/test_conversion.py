"""A user's own Keras file: converted in a process of its own, equal to Keras, or refused with the reason."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from samples import SUPPORT

from ml_model.errors import BundleInvalid
from ml_model.inference.bundle import Bundle, file_sha256, load_bundle
from ml_model.inference.measured import ImageMetrics
from ml_model.inference.predictor import Predictor
from ml_model.tasks.registry import ImageTask
from ml_model.user_models import conversion
from ml_model.user_models.conversion import ConversionJob, convert_user_model

HEIGHT, WIDTH = 64, 48
CODES = ("akiec", "bcc", "mel")

# Everything that needs TensorFlow runs in one process: models, what Keras itself answers, and the conversions.
BUILDER = SUPPORT / "child_processes" / "build_keras_files.py"


def pictures() -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (4, HEIGHT, WIDTH, 3), dtype=np.uint8)


def prepared(height_px: int, width_px: int, channels: int) -> NDArray[np.float32]:
    """The pictures as a model of another size sees them, resized by Pillow itself."""
    planes = pictures().astype(np.float32)
    if channels == 1:
        planes = (planes @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]

    def resized(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(Image.fromarray(plane).resize((width_px, height_px), Image.Resampling.BILINEAR))

    return np.stack([np.stack([resized(p[..., c]) for c in range(channels)], axis=-1) for p in planes])


JOB = ConversionJob(
    source="",
    target_dir="",
    height_px=HEIGHT,
    width_px=WIDTH,
    codes=CODES,
    output_codes=None,
    positive="bcc",
    multi_label=False,
    model_size_px=None,
    input_scale=1 / 255,
)
PAIR = {"codes": ("normal", "pneumonia"), "positive": "pneumonia"}
JOBS: dict[str, tuple[str, dict[str, Any]]] = {
    "smaller": ("smaller.keras", {"model_size_px": (32, 40)}),
    "larger": ("larger.keras", {}),
    "reordered": ("smaller.keras", {"output_codes": ("mel", "akiec", "bcc")}),
    "logits": ("logits.keras", {"input_scale": 1.0}),
    "single_logit": ("single_logit.keras", PAIR),
    "single_first": ("single_logit.keras", PAIR | {"positive": "normal"}),
    "single_by_config": ("single_logit.keras", PAIR | {"output_codes": ("pneumonia", "normal")}),
    "many_labels": ("many_labels.keras", {"multi_label": True}),
}
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "lambda_keras": ("lambda.keras", PAIR, "Lambda layer.*replace it by ordinary layers"),
    "lambda_h5": ("lambda.h5", PAIR, "Lambda layer"),
    "cut": ("cut.keras", {}, "Keras cannot read it"),
    "text": ("text.h5", {}, "Keras cannot read it"),
    "homemade": ("homemade.keras", {}, "it uses Homemade, which is no layer of Keras"),
    "seven": ("seven.keras", {}, "7 outputs for the 3 classes akiec, bcc, mel"),
    "single_for_three": ("single_logit.keras", {}, "1 outputs for the 3 classes"),
    "unnormalised": ("many_labels.keras", {}, "sum to .* instead of 1"),
    "rectified": ("rectified.keras", {"multi_label": True}, "no probabilities"),
    "two_channels": ("two_channels.keras", {}, "last axis must be 3"),
    "map": ("map.keras", {}, "one row of class probabilities"),
    "table": ("table.keras", {}, "one picture"),
    "two_inputs": ("two_inputs.keras", {}, "one picture"),
    "other_size": ("smaller.keras", {"model_size_px": (64, 48)}, r"32x40 pixels, but .* input_size \[64, 48\]"),
}


@dataclasses.dataclass(frozen=True)
class Converted:
    """What the processes left behind."""

    folder: Path
    reports: dict[str, dict[str, Any]]
    bundle: Bundle

    def keras(self, name: str) -> NDArray[np.float32]:
        """Keras' own answers."""
        return np.load(self.folder / f"{name}.npy")

    def onnx(self, name: str) -> NDArray[np.float32]:
        """The exported graph's answers."""
        import onnxruntime

        session = onnxruntime.InferenceSession(self.folder / f"out_{name}" / "model.onnx")
        assert [(i.name, i.type, i.shape[1:]) for i in session.get_inputs()] == [
            ("image", "tensor(uint8)", [HEIGHT, WIDTH, 3])
        ]
        assert [o.name for o in session.get_outputs()] == ["probabilities"]
        return session.run(None, {"image": pictures()})[0]


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory, film_task: Callable[..., ImageTask]) -> Converted:
    folder = tmp_path_factory.mktemp("keras")
    for height, width, channels in ((40, 40, 1), (32, 40, 3), (80, 96, 3), (64, 48, 3)):
        np.save(folder / f"pictures_{height}x{width}x{channels}.npy", prepared(height, width, channels))
    jobs = {
        name: dataclasses.replace(JOB, source=str(folder / case[0]), target_dir=str(folder / f"out_{name}"), **case[1])
        for name, case in (JOBS | REFUSED).items()
    }
    (folder / "jobs.json").write_text(json.dumps({name: dataclasses.asdict(job) for name, job in jobs.items()}))
    with subprocess.Popen([sys.executable, str(BUILDER), str(folder)], stderr=subprocess.PIPE) as builder:
        while not (folder / "ready").exists() and builder.poll() is None:
            pass_time(builder)
        bundle = convert_user_model(folder / "pneumonia_model.h5", film_task(), folder / "cache")
        _, errors = builder.communicate(timeout=900)
        assert builder.returncode == 0, errors.decode()[-2000:]
    return Converted(folder, json.loads((folder / "found.json").read_text()), bundle)


def pass_time(process: subprocess.Popen[bytes]) -> None:
    """Wait a moment, or for the process to end."""
    try:
        process.wait(0.05)
    except subprocess.TimeoutExpired:
        return


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return 1 / (1 + np.exp(-logits))


def assert_equal(found: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    assert found.dtype == np.float32
    assert expected.std(axis=0).min() > 1e-4  # the pictures tell the answers apart
    np.testing.assert_allclose(found, expected, atol=1e-4)


# The whole way


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_one_grey_sigmoid_serves_a_task_of_two_classes(converted: Converted, engine: Any) -> None:
    positive = converted.keras("pneumonia_model")
    prediction = Predictor(converted.bundle, engine=engine).predict(pictures())
    assert_equal(prediction.probabilities, np.concatenate([1 - positive, positive], axis=1))
    assert prediction.activation_maps.shape == (4, 2, 0, 0)
    assert prediction.embedding.shape == (4, 0)


def test_manifest_says_what_is_and_is_not_known(converted: Converted) -> None:
    manifest = converted.bundle.manifest
    source = converted.folder / "pneumonia_model.h5"
    assert (manifest.evidence, manifest.metrics, manifest.findings) == ("insufficient", ImageMetrics(), {})
    assert manifest.classes == ("normal", "pneumonia")
    assert manifest.data_fingerprints == {"source_file_sha256": file_sha256(source)}
    assert manifest.version == f"user-{file_sha256(source)[:12]}"
    assert manifest.recipe["model_input"] == [40, 40, 1]
    assert manifest.recipe["greatest_difference_from_keras"] < 1e-4
    assert {path.name for path in converted.bundle.path.iterdir()} == {"manifest.json", "model.onnx"}


def test_second_time_comes_from_the_cache(
    converted: Converted, monkeypatch: pytest.MonkeyPatch, film_task: Callable[..., ImageTask]
) -> None:
    monkeypatch.setattr(conversion, "CONVERTER", "ml_model.there_is_no_such_module")
    source, cache = converted.folder / "pneumonia_model.h5", converted.folder / "cache"
    assert convert_user_model(source, film_task(), cache) == converted.bundle
    # Another meaning of the same file is another bundle, so this one has to be converted.
    with pytest.raises(BundleInvalid, match="broke off"):
        convert_user_model(source, film_task(positive="normal"), cache)


def test_damaged_cache_is_not_served(
    converted: Converted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, film_task: Callable[..., ImageTask]
) -> None:
    monkeypatch.setattr(conversion, "CONVERTER", "ml_model.there_is_no_such_module")
    copy = tmp_path / converted.bundle.path.name
    copy.mkdir()
    for file in converted.bundle.path.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    task = film_task()
    assert load_bundle(copy, task="film", contract_sha256=task.contract_sha256).sha256 == converted.bundle.sha256
    (copy / "model.onnx").write_bytes(b"tampered")
    with pytest.raises(BundleInvalid, match="broke off"):
        convert_user_model(converted.folder / "pneumonia_model.h5", task, tmp_path)
    assert list(tmp_path.iterdir()) == [copy], "nothing of the conversion"
    monkeypatch.setattr(conversion, "CONVERTER", "child_processes.instant_converter")
    monkeypatch.setenv("PYTHONPATH", f"{SUPPORT}:{os.environ.get('PYTHONPATH', '')}")
    made = convert_user_model(converted.folder / "pneumonia_model.h5", task, tmp_path)
    assert (made.path, made.read("model.onnx")) == (copy, b"a model")
    assert list(tmp_path.iterdir()) == [copy]


# The converting process


def test_other_sizes_are_resized_inside_as_pillow_does(converted: Converted) -> None:
    assert_equal(converted.onnx("smaller"), converted.keras("smaller"))
    assert_equal(converted.onnx("larger"), converted.keras("larger"))


def test_outputs_are_brought_into_the_order_of_the_task(converted: Converted) -> None:
    # The model's outputs are mel, akiec, bcc; the task's are akiec, bcc, mel.
    assert_equal(converted.onnx("reordered"), converted.keras("smaller")[:, [1, 2, 0]])


def test_logits_become_probabilities_and_the_scale_is_the_configured_one(converted: Converted) -> None:
    assert_equal(converted.onnx("logits"), softmax(converted.keras("logits")))


def test_single_output_stands_for_the_positive_class(converted: Converted) -> None:
    positive = sigmoid(converted.keras("single_logit"))
    both = np.concatenate([1 - positive, positive], axis=1)
    assert_equal(converted.onnx("single_logit"), both)
    assert_equal(converted.onnx("single_first"), both[:, ::-1])
    assert_equal(converted.onnx("single_by_config"), both[:, ::-1])


def test_independent_labels_stay_independent(converted: Converted) -> None:
    assert_equal(converted.onnx("many_labels"), converted.keras("many_labels"))


@pytest.mark.parametrize("name", JOBS)
def test_process_checks_itself_against_keras(converted: Converted, name: str) -> None:
    assert 0 <= converted.reports[name]["greatest_difference"] < 1e-4


@pytest.mark.parametrize("name", REFUSED)
def test_unfit_files_are_refused_with_the_reason(converted: Converted, name: str) -> None:
    error = converted.reports[name].get("error", "accepted")
    assert re.search(REFUSED[name][2], error), error


# Without TensorFlow


def test_slow_and_crashing_conversions_end_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, film_task: Callable[..., ImageTask]
) -> None:
    source = tmp_path / "film_model.keras"
    source.write_bytes(b"x")
    with pytest.raises(BundleInvalid, match="longer than 0.05 s"):
        convert_user_model(source, film_task(), tmp_path / "cache", timeout_s=0.05)
    monkeypatch.setattr(conversion, "CONVERTER", "ml_model.there_is_no_such_module")
    with pytest.raises(BundleInvalid, match=r"film_model.keras: the conversion broke off .*no_such_module"):
        convert_user_model(source, film_task(), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_refused_file_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, film_task: Callable[..., ImageTask]
) -> None:
    monkeypatch.setattr(conversion, "CONVERTER", "tests.support.child_processes.refusing_converter")
    source = tmp_path / "film_model.h5"
    source.write_bytes(b"x")
    with pytest.raises(BundleInvalid, match="film_model.h5: it holds a Lambda layer"):
        convert_user_model(source, film_task(), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_serving_side_imports_no_tensorflow() -> None:
    loaded = "[m for m in ('tensorflow', 'keras', 'ml_model.training') if m in sys.modules]"
    code = f"import sys, ml_model.user_models.conversion; print({loaded})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == "[]"
