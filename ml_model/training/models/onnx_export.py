"""Keras model -> model.onnx with probabilities, exact Grad-CAM maps of all classes and the embedding in one graph.

The head behind global average pooling is a small MLP, so the gradient of each class's
logit with respect to the last feature maps is a closed formula: the product of the
transposed kernels, batch-norm scales and ReLU masks, divided by the number of cells. It is
written here as forward operations. The only module that touches TensorFlow itself.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from keras import ops
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ml_model.training.models.image_classifier import FEATURES, LOGITS, embedding_layer
from ml_model.training.models.layers import HeadBySource, WithoutDirections

OPSET = 17
SMALL_TENSOR = 16384  # float32 tensors up to this many values stay as they are: a head, and the maps' copy of it, agree
AXIS = {"horizontal": 2, "vertical": 1}
OUTPUTS = ("probabilities", "activation_maps", "embedding")


def head_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Layers behind the embedding, in order."""
    return list(model.layers[model.layers.index(embedding_layer(model)) + 1 :])


def class_gradients(model: keras.Model, embedding: Any) -> Any:
    """d logit_c / d embedding for every class: (N or 1, classes, features)."""
    masks: dict[str, Any] = {}
    x = embedding
    for layer in head_layers(model):
        x = layer(x, training=False)
        if isinstance(layer, keras.layers.ReLU):
            masks[layer.name] = ops.cast(x > 0, "float32")
    last = head_layers(model)[-1]
    if isinstance(last, HeadBySource):
        return last.gradients(embedding)
    gradient = ops.ones((1, 1, 1))
    first = True
    for layer in reversed(head_layers(model)):
        if isinstance(layer, keras.layers.Dense):
            kernel = ops.convert_to_tensor(layer.kernel)
            gradient = ops.transpose(kernel)[None] if first else ops.matmul(gradient, ops.transpose(kernel))
            first = False
        elif isinstance(layer, keras.layers.BatchNormalization):
            gradient = gradient * (layer.gamma / ops.sqrt(layer.moving_variance + layer.epsilon))
        elif isinstance(layer, keras.layers.ReLU):
            gradient = gradient * masks[layer.name][:, None, :]
        elif not isinstance(layer, keras.layers.Dropout):
            raise ValueError(f"no gradient formula for a {type(layer).__name__} in the head")
    return gradient


def mean_features(model: keras.Model, images: Any, flips: Sequence[str]) -> Any:
    """Last feature maps (N, h, w, D): the mean over the picture and its mirror images, each turned back first.

    The head behind them stays one function of one embedding, so the maps of the answer stay exact Grad-CAM.
    """
    views = [images]
    for flip in flips:
        views += [ops.flip(view, AXIS[flip]) for view in views]
    body = keras.Model(model.input, model.get_layer(FEATURES).output)
    features = ops.split(body(ops.concatenate(views), training=False), len(views))
    for flip in reversed(flips):
        half = len(features) // 2
        features = [(a + ops.flip(b, AXIS[flip])) / 2 for a, b in zip(features[:half], features[half:], strict=True)]
    return features[0]


def served_outputs(
    model: keras.Model, images: Any, *, multi_label: bool, flips: Sequence[str] = ()
) -> tuple[Any, Any, Any]:
    """probabilities (N, C), activation maps (N, C, h, w) >= 0, embedding (N, D) of uint8 (N, H, W, 3).

    flips: "horizontal", "vertical" or both; the picture is then also seen mirrored.
    """
    features = mean_features(model, images, flips)
    last = embedding_layer(model)
    embedding = keras.Model(model.get_layer(FEATURES).output, last.output)(features)
    logits = embedding
    for layer in head_layers(model):
        logits = layer(logits, training=False)
    probabilities = ops.sigmoid(logits) if multi_label else ops.softmax(logits)
    rows, columns = features.shape[1:3]
    cells = ops.reshape(features, (-1, rows * columns, features.shape[3]))
    # Grad-CAM weighs a feature by its gradient averaged over the cells: of its mean and of its maximum alike.
    gradient = class_gradients(model, embedding)
    gradient = last.backwards(gradient) if isinstance(last, WithoutDirections) else gradient
    gradients = ops.split(gradient, embedding.shape[-1] // features.shape[-1], axis=-1)
    maps = ops.matmul(sum(gradients), ops.transpose(cells, (0, 2, 1))) / (rows * columns)
    maps = ops.reshape(ops.relu(maps), (-1, model.get_layer(LOGITS).units, rows, columns))
    return probabilities, maps, embedding


def export_onnx(model: keras.Model, path: Path, *, multi_label: bool, flips: Sequence[str] = ()) -> None:
    """Write `path` with float16 weights. Needs the TensorFlow backend of Keras.

    Input `image` uint8 (N, H, W, 3), or whatever else the model takes, under the name it has there; outputs
    `probabilities`, `activation_maps`, `embedding`.
    """
    import tensorflow as tf

    def serve(taken: Any) -> dict[str, Any]:
        outputs = served_outputs(model, taken, multi_label=multi_label, flips=flips)
        return {name: tf.identity(value, name=name) for name, value in zip(OUTPUTS, outputs, strict=True)}

    signature = tf.TensorSpec((None, *model.input_shape[1:]), model.input.dtype, name=model.input.name)
    onnx.save(halve_weights(frozen_graph(serve, signature, OUTPUTS)), path)


def frozen_graph(
    serve: Callable[[Any], dict[str, Any]], signature: Any, outputs: Sequence[str], *, forgiving: bool = False
) -> onnx.ModelProto:
    """`serve`, from a tensor like `signature` to the tensors of these names, as a graph with its weights inside.

    forgiving: simplifications that fail are left out. Each then works on a copy, which takes twice as long in all.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
    from tf2onnx.optimizer import optimize_graph
    from tf2onnx.tf_loader import tf_optimize
    from tf2onnx.tfonnx import process_tf_graph

    function = tf.function(serve, autograph=False)
    frozen = convert_variables_to_constants_v2(function.get_concrete_function(signature))
    # A dictionary of outputs is flattened in the order of its sorted keys.
    order = dict(zip(sorted(outputs), (tensor.name for tensor in frozen.outputs), strict=True))
    ends = {"input_names": [frozen.inputs[0].name], "output_names": [order[name] for name in outputs]}
    with tf.Graph().as_default() as graph, tf.device("/cpu:0"):
        tf.import_graph_def(tf_optimize(*ends.values(), frozen.graph.as_graph_def()), name="")
        converted = process_tf_graph(graph, continue_on_error=True, opset=OPSET, **ends)
        model = optimize_graph(converted, catch_errors=forgiving).make_model("served")
    return rename_ends(model, {frozen.inputs[0].name: signature.name} | {order[name]: name for name in outputs})


def add_population_output(path: Path, weights: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
    """Append `population` (N, P) = softmax(embedding @ weights + bias) to the graph at `path`; weights (D, P)."""
    model = onnx.load(path)
    graph = model.graph
    graph.initializer.extend(
        [numpy_helper.from_array(weights, "population_weights"), numpy_helper.from_array(bias, "population_bias")]
    )
    graph.node.extend(
        [
            helper.make_node("MatMul", ["embedding", "population_weights"], ["population_scores"]),
            helper.make_node("Add", ["population_scores", "population_bias"], ["population_logits"]),
            helper.make_node("Softmax", ["population_logits"], ["population"], axis=-1),
        ]
    )
    graph.output.append(helper.make_tensor_value_info("population", TensorProto.FLOAT, [None, len(bias)]))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def rename_ends(graph: onnx.ModelProto, names: dict[str, str]) -> onnx.ModelProto:
    """Give the graph's input and outputs their public names, from old to new."""
    for node in graph.graph.node:
        node.input[:] = [names.get(n, n) for n in node.input]
        node.output[:] = [names.get(n, n) for n in node.output]
    for value in [*graph.graph.input, *graph.graph.output]:
        value.name = names.get(value.name, value.name)
    return graph


def halve_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store large float32 tensors as float16 with a Cast behind them; engines fold the Cast when they load."""
    kept, casts = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        fits = values.dtype == np.float32 and values.size > SMALL_TENSOR and np.abs(values).max() < 6e4
        if not fits:
            kept.append(tensor)
            continue
        kept.append(numpy_helper.from_array(values.astype(np.float16), f"{tensor.name}_f16"))
        casts.append(helper.make_node("Cast", [f"{tensor.name}_f16"], [tensor.name], to=TensorProto.FLOAT))
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def main(arguments: list[str]) -> int:
    """`python -m ml_model.training.models.onnx_export IN.keras OUT.onnx --single-label|--multi-label [FLIP ...]`."""
    source, target, labels, *flips = arguments
    model = keras.saving.load_model(source, compile=False, safe_mode=True)
    export_onnx(model, Path(target), multi_label=labels == "--multi-label", flips=flips)
    return 0


if __name__ == "__main__":
    if keras.backend.backend() != "tensorflow":
        sys.exit("set KERAS_BACKEND=tensorflow: the export goes through TensorFlow's graph")
    sys.exit(main(sys.argv[1:]))
