"""Test material: a tiny real ONNX model for any image task, and multipart forms."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from ml_model.inference.bundle import Bundle, write_bundle
from ml_model.inference.interval import Interval
from ml_model.inference.measured import ImageMetrics, ImageTest
from ml_model.input_gate.modality_classifier import BUNDLE_ID, OTHER, modality_spec
from ml_model.tasks.registry import ImageInput, ImageTask, load_task

SUPPORT = Path(__file__).resolve().parent
ROOT = SUPPORT.parents[1]
DATA = Path(os.environ.get("MEDIDIAGNOSE_DATA") or ROOT.parent / "shared" / "data")
MAP_CELLS = 7
LOGIT_SCALE = 1 / 64
# Reddish pictures are of the tiny model's first population, bluish ones of the second.
POPULATION_WEIGHTS = np.array([[1, 0], [0, 0], [0, 1]], np.float32)
HEART_VALUES = {
    "age": 54,
    "sex": 1,
    "blood_pressure": 130,
    "cholesterol": 246,
    "chest_pain": 3,
    "max_heart_rate": 150,
    "exercise_angina": 0,
}
# One patient with all ten inputs.
HEART_PERSON: dict[str, float | None] = {
    "age": 58, "sex": 1, "blood_pressure": 140, "cholesterol": 250, "chest_pain": 3, "max_heart_rate": 130,
    "exercise_angina": 1, "fasting_blood_sugar": 0, "resting_ecg": 1, "oldpeak": 1.5,
}  # fmt: skip


def image_task(name: str) -> ImageTask:
    """A task of the registry that takes pictures."""
    task = load_task(name)
    assert isinstance(task, ImageTask)
    return task


def real_archive(name: str) -> Path:
    """Path of a real data set's zip file; the test is skipped where it is not there."""
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"no {name} in {DATA}; set MEDIDIAGNOSE_DATA to the folder that holds it")
    return path


def real_member(name: str, ending: str) -> bytes:
    """The first file of a real data set's zip file whose name ends so."""
    with zipfile.ZipFile(real_archive(name)) as stored:
        return stored.read(next(n for n in stored.namelist() if n.endswith(ending)))


def tiny_weights(task: ImageTask) -> NDArray[np.float32]:
    """(3, classes): what each class makes of mean red, green and blue."""
    return np.random.default_rng(7).normal(size=(3, len(task.classes))).astype(np.float32)


def tiny_probabilities(task: ImageTask, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the tiny model must answer for one picture (H, W, 3), in NumPy."""
    logits = pixels.astype(np.float64).mean(axis=(0, 1)) * LOGIT_SCALE @ tiny_weights(task).astype(np.float64)
    if task.multi_label:
        return 1 / (1 + np.exp(-logits))
    odds = np.exp(logits - logits.max())
    return odds / odds.sum()


def _tiny_graph(
    image_input: ImageInput, weights: NDArray[np.float32], *, multi_label: bool, maps: bool, populations: int = 0
) -> onnx.ModelProto:
    """weights: (3, classes), logit per level of mean red, green and blue."""
    height, width, classes = image_input.height_px, image_input.width_px, weights.shape[1]
    cell = [height // MAP_CELLS, width // MAP_CELLS]
    constants = [
        numpy_helper.from_array(np.array([1, 2], np.int64), "spatial"),
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.ascontiguousarray(weights.T).reshape(classes, 3, 1, 1), "filters"),
    ]
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "spatial"], ["embedding"], keepdims=0),
        helper.make_node("MatMul", ["embedding", "weights"], ["logits"]),
        helper.make_node("Sigmoid" if multi_label else "Softmax", ["logits"], ["probabilities"]),
    ]
    outputs = [
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", classes]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 3]),
    ]
    if maps:
        nodes += [
            helper.make_node("Transpose", ["pixels"], ["planes"], perm=[0, 3, 1, 2]),
            helper.make_node("AveragePool", ["planes"], ["cells"], kernel_shape=cell, strides=cell),
            helper.make_node("Conv", ["cells", "filters"], ["influence"]),
            helper.make_node("Relu", ["influence"], ["activation_maps"]),
        ]
        shape = ["n", classes, height // cell[0], width // cell[1]]
        outputs.append(helper.make_tensor_value_info("activation_maps", TensorProto.FLOAT, shape))
    if populations:
        constants.append(numpy_helper.from_array(POPULATION_WEIGHTS[:, :populations], "population_weights"))
        nodes += [
            helper.make_node("MatMul", ["embedding", "population_weights"], ["population_logits"]),
            helper.make_node("Softmax", ["population_logits"], ["population"]),
        ]
        outputs.append(helper.make_tensor_value_info("population", TensorProto.FLOAT, ["n", populations]))
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", height, width, 3])
    graph = helper.make_graph(nodes, "tiny", [image], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def write_tiny(
    task: ImageTask,
    folder: Path,
    *,
    maps: bool = True,
    populations: tuple[str, ...] = (),
    **settled: Any,
) -> Bundle:
    """Write `folder/<task id>`; without `maps` the graph has no activation maps, like a converted user's model.

    settled: further fields of the manifest, as `findings`, `findings_by_population`, `evidence`, `prediction_sets`.
    """
    path = folder / task.id
    path.mkdir(parents=True)
    weights = tiny_weights(task) * np.float32(LOGIT_SCALE)
    options = {"multi_label": task.multi_label, "maps": maps, "populations": len(populations)}
    onnx.save(_tiny_graph(task.input, weights, **options), path / "model.onnx")
    fields = _tiny_fields(task.codes, task.id, task.contract_sha256)
    return _with_card(path, {**fields, "populations": populations, **settled})


def tiny_signal_probabilities(task: ImageTask, signal_mv: NDArray[np.float32]) -> NDArray[np.float64]:
    """What the tiny model must answer for one recording (samples, 12), in NumPy."""
    return 1 / (1 + np.exp(-np.abs(signal_mv).mean(axis=0).astype(np.float64) @ _signal_weights(task)))


def _signal_weights(task: ImageTask) -> NDArray[np.float32]:
    return np.random.default_rng(9).normal(scale=4, size=(12, len(task.classes))).astype(np.float32)


def write_tiny_signal(task: ImageTask, folder: Path) -> Bundle:
    """Write `folder/<task id>-signal`: a model of recordings whose map is the activity over time."""
    assert task.signal is not None
    samples, classes, cells = task.signal.samples, len(task.classes), 25
    constants = [
        numpy_helper.from_array(np.array([1], np.int64), "time"),
        numpy_helper.from_array(_signal_weights(task), "weights"),
        numpy_helper.from_array(np.full((classes, 12, 1, 1), 1 / 12, np.float32), "filters"),
        numpy_helper.from_array(np.array([2], np.int64), "row"),
    ]
    nodes = [
        helper.make_node("Abs", ["signal_mv"], ["activity"]),
        helper.make_node("ReduceMean", ["activity", "time"], ["embedding"], keepdims=0),
        helper.make_node("MatMul", ["embedding", "weights"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
        helper.make_node("Transpose", ["activity"], ["leads"], perm=[0, 2, 1]),
        helper.make_node("Unsqueeze", ["leads", "row"], ["rows"]),
        helper.make_node(
            "AveragePool", ["rows"], ["cells"], kernel_shape=[1, samples // cells], strides=[1, samples // cells]
        ),
        helper.make_node("Conv", ["cells", "filters"], ["activation_maps"]),
    ]
    outputs = [
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", classes]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 12]),
        helper.make_tensor_value_info("activation_maps", TensorProto.FLOAT, ["n", classes, 1, cells]),
    ]
    taken = helper.make_tensor_value_info("signal_mv", TensorProto.FLOAT, ["n", samples, 12])
    graph = helper.make_graph(nodes, "tiny_signal", [taken], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    path = folder / f"{task.id}-signal"
    path.mkdir(parents=True)
    onnx.save(model, path / "model.onnx")
    return _with_card(path, _tiny_fields(task.codes, path.name, task.signal_contract_sha256))


def _with_card(path: Path, fields: dict[str, object]) -> Bundle:
    """The manifest over the tiny model that is in `path`, a card that names its bundle, and a plot."""
    (path / "card.md").write_text(f"# The tiny model {path.name}\n\nAUC 0.500 (0.400-0.600)\n", encoding="utf-8")
    Image.new("L", (8, 8)).save(path / "curve.png")
    return write_bundle(path, fields, ["model.onnx", "card.md", "curve.png"])


def write_tiny_gate(folder: Path) -> Bundle:
    """Write `folder/input-gate`: red is dermatoscopy, green histopathology, blue chest X-ray, yellow
    mammogram, grey other."""
    spec = modality_spec()
    weights = np.full((3, len(spec.codes)), -0.2, np.float32)
    for channel, code in enumerate(("dermatoscopy", "histopathology", "chest_xray")):
        weights[channel, spec.codes.index(code)] = 0.1
    weights[:, spec.codes.index("mammogram")] = (0.07, 0.07, -0.5)
    weights[:, spec.codes.index(OTHER)] = -0.05
    path = folder / BUNDLE_ID
    path.mkdir(parents=True)
    onnx.save(_tiny_graph(spec.input, weights, multi_label=False, maps=False), path / "model.onnx")
    thresholds = dict.fromkeys((code for code in spec.codes if code != OTHER), 0.4)
    fields = _tiny_fields(spec.codes, BUNDLE_ID, spec.contract_sha256)
    return write_bundle(path, {**fields, "thresholds": thresholds}, ["model.onnx"])


def measured_test(**extra: Any) -> ImageTest:
    """Figures on a test split of nothing, all of them 0.5 but for `extra`."""
    half = Interval(value=0.5, low=0.4, high=0.6)
    figures = dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1", "macro_auc"), half)
    fields = {**figures, "count": 0, "groups": 0, "per_class": {}, "confusion_matrix": (), "labels": (), "by_group": {}}
    return ImageTest.model_validate({**fields, **extra})


def _tiny_fields(codes: tuple[str, ...], name: str, contract_sha256: str) -> dict[str, object]:
    return {
        "task": name,
        "contract_sha256": contract_sha256,
        "version": "0.0.1",
        "classes": codes,
        "trained_on": "nothing: fixed weights for tests",
        "licence": "MIT",
        "evidence": "insufficient",
        "created": "2026-01-01T00:00:00Z",
        "git_commit": "none",
        "seed": 7,
        "library_versions": {},
        "recipe": {},
        "data_fingerprints": {},
        "metrics": ImageMetrics(test=measured_test()),
    }


def multipart(data: bytes, file_name: str = "photo.jpg", field: str = "image") -> tuple[bytes, str]:
    """Body and content type of a form with one file."""
    head = f'--sep\r\nContent-Disposition: form-data; name="{field}"; filename="{file_name}"\r\n\r\n'
    return head.encode() + data + b"\r\n--sep--\r\n", "multipart/form-data; boundary=sep"


def upload(data: bytes, field: str = "image", file_name: str = "photo.jpg") -> dict[str, tuple[io.BytesIO, str]]:
    """Multipart form with one file, for Flask's test client."""
    return {field: (io.BytesIO(data), file_name)}
