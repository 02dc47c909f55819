"""The bundles in ml_model/models: both engines agree, and the maps are what automatic differentiation gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from beats import twelve_leads
from numpy.typing import NDArray
from onnx import numpy_helper
from pictures import soft_pictures
from samples import image_task

from ml_model.ecg.recording import EcgRecording, network_signal
from ml_model.inference.bundle import MODELS_DIR, load_bundle
from ml_model.inference.predictor import MODEL_FILE, Predictor
from ml_model.tasks.registry import ImageTask, load_image_tasks

SHIPPED = [task for task in load_image_tasks() if (MODELS_DIR / task.id / "manifest.json").is_file()]
MOST_BYTES = 15_000_000
by_task = pytest.mark.parametrize("task", SHIPPED, ids=lambda t: t.id)


def predictor(task: ImageTask, engine: Any) -> Predictor:
    bundle = load_bundle(MODELS_DIR / task.id, task=task.id, contract_sha256=task.contract_sha256)
    return Predictor(bundle, engine=engine)


def test_skin_and_xray_are_shipped() -> None:
    assert {"skin", "xray"} <= {task.id for task in SHIPPED}


@by_task
def test_both_engines_agree(task: ImageTask) -> None:
    images = soft_pictures(task)
    one, other = (predictor(task, engine).predict(images) for engine in ("openvino", "onnxruntime"))
    for name in ("probabilities", "activation_maps", "embedding"):
        a, b = getattr(one, name), getattr(other, name)
        assert a.shape == b.shape
        assert np.abs(a - b).max() < 1e-4 * max(1, np.abs(b).max()), name
    assert one.probabilities.shape == (3, len(task.classes))
    if not task.multi_label:
        assert one.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)


@by_task
def test_a_picture_alone_and_in_a_batch_gets_the_same_bits(task: ImageTask) -> None:
    images = soft_pictures(task)
    model = predictor(task, "openvino")
    together = model.predict(images)
    for index in range(len(images)):
        alone = model.predict(images[index : index + 1])
        assert np.array_equal(alone.probabilities[0], together.probabilities[index])
        assert np.array_equal(alone.activation_maps[0], together.activation_maps[index])


@by_task
def test_the_bundle_is_small_and_has_its_card(task: ImageTask) -> None:
    folder = MODELS_DIR / task.id
    assert sum(f.stat().st_size for f in folder.iterdir()) <= MOST_BYTES
    assert (folder / "card.md").read_text(encoding="utf-8").startswith(f"# {task.title}")


HEAD_OPERATIONS = {
    "Add": lambda tf, a, b: a + b,
    "Sub": lambda tf, a, b: a - b,
    "Mul": lambda tf, a, b: a * b,
    "MatMul": lambda tf, a, b: tf.matmul(a, b),
    "Relu": lambda tf, a: tf.nn.relu(a),
    "Identity": lambda tf, a: a,
    "Greater": lambda tf, a, b: a > b,
    "Cast": lambda tf, a: tf.cast(a, tf.float32),
    "Concat": lambda tf, *parts: tf.concat(parts, axis=-1),
}


def _pooling(graph: onnx.GraphProto) -> tuple[str, onnx.NodeProto]:
    """The node that pools the last feature maps, and what its output is called past what only reshapes."""
    made_by = {name: node for node in graph.node for name in node.output}
    name = "embedding"
    node = made_by[name]
    while node.op_type not in ("ReduceMean", "GlobalAveragePool"):
        if node.op_type not in ("Squeeze", "Reshape", "Identity"):
            name = node.input[0]
        node = made_by[node.input[0]]
    return name, node


def _tensors(graph: onnx.GraphProto) -> dict[str, NDArray[np.float32]]:
    """Weights by name, those stored in half precision brought back as the engines do."""
    found = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]].astype(np.float32)
    return found


def autodiff_maps(model: onnx.ModelProto, features: NDArray[np.float32], classes: int) -> NDArray[np.float32]:
    """Grad-CAM by GradientTape through the shipped head: features (N, D, h, w) -> maps (N, classes, h, w)."""
    import tensorflow as tf

    weights = _tensors(model.graph)
    mean, source = _pooling(model.graph)
    largest = [n.output[0] for n in model.graph.node if n.op_type == "ReduceMax" and n.input[0] == source.input[0]]
    maps = []
    for index in range(classes):
        variable = tf.Variable(features)
        with tf.GradientTape() as tape:
            values: dict[str, Any] = {mean: tf.reduce_mean(variable, (2, 3))}
            values |= {name: tf.reduce_max(variable, (2, 3)) for name in largest}
            score = _logits(model.graph, values, weights, tf)[:, index]
        channel_weights = tf.reduce_mean(tape.gradient(score, variable), (2, 3))
        maps.append(tf.nn.relu(tf.einsum("ndhw,nd->nhw", variable, channel_weights)).numpy())
    return np.stack(maps, axis=1)


def _logits(graph: onnx.GraphProto, values: dict[str, Any], weights: dict[str, Any], tf: Any) -> Any:
    """Run the nodes between the pooled features and probabilities."""
    last = next(node for node in graph.node if "probabilities" in node.output)
    assert last.op_type in ("Softmax", "Sigmoid")

    def value(name: str) -> Any:
        if name in values:
            return values[name]
        if name in weights:
            return tf.constant(weights[name])
        node = next(n for n in graph.node if name in n.output)
        values[name] = HEAD_OPERATIONS[node.op_type](tf, *(value(i) for i in node.input))
        return values[name]

    return value(last.input[0])


@by_task
def test_maps_equal_autodiff_grad_cam(task: ImageTask) -> None:
    import onnxruntime

    model = onnx.load(MODELS_DIR / task.id / MODEL_FILE)
    source = _pooling(model.graph)[1].input[0]
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(source))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    features, maps = session.run([source, "activation_maps"], {"image": soft_pictures(task)})
    if features.shape[1:3] == maps.shape[2:]:
        features = features.transpose(0, 3, 1, 2)
    expected = autodiff_maps(model, features, len(task.classes))
    assert expected.max() > 0
    assert np.abs(maps - expected).max() < 1e-4 * expected.max()


def test_the_shipped_model_of_recordings_answers_alike_on_both_engines() -> None:
    task = image_task("heart")
    assert task.signal is not None
    path = MODELS_DIR / "heart-signal"
    bundle = load_bundle(path, task=path.name, contract_sha256=task.signal_contract_sha256)
    recordings = [EcgRecording(twelve_leads(seed=seed), 100.0) for seed in range(3)]
    signals = np.stack([network_signal(recording, task.signal) for recording in recordings])
    one, other = (Predictor(bundle, engine=engine).predict_signals(signals) for engine in ("openvino", "onnxruntime"))
    assert np.abs(one.probabilities - other.probabilities).max() < 1e-4
    assert np.abs(one.activation_maps - other.activation_maps).max() < 1e-4 * max(1, other.activation_maps.max())
    assert one.activation_maps.shape == (3, len(task.classes), 1, 125)
    pages = bundle.manifest.image_metrics.pages
    assert pages.usual_look.answered > 0.95
