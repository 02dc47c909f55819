"""The converting process: a Keras file -> model.onnx with one output, `probabilities`.

`python -m ml_model.user_models.keras_converter JOB.json PARENT` reads a ConversionJob, writes model.onnx
and report.json into its target folder, and puts the reason into the report when the file
cannot be served. Started by `ml_model.user_models.conversion` only; ends with the process PARENT.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_model.errors import BundleInvalid
from ml_model.user_models.conversion import CANNOT_WRITE, MODEL_FILE, REPORT_FILE, ConversionJob

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's greyscale
TOLERANCE = 1e-4
PARENT_WATCH_S = 0.5
LIBRARIES = ("keras", "tensorflow", "onnx", "tf2onnx", "numpy")


def bilinear_weights(size: int, new_size: int) -> NDArray[np.float32]:
    """(new_size, size) matrix of Pillow's bilinear resize along one axis, antialiased when shrinking."""
    scale = size / new_size
    reach = max(scale, 1.0)
    centres = (np.arange(new_size) + 0.5) * scale
    distance = np.abs(np.arange(size)[None, :] + 0.5 - centres[:, None]) / reach
    weights = np.maximum(0, 1 - distance)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def load_keras_file(path: Path) -> Any:
    """The model, without running code from the file. Raises BundleInvalid with a reason a user can act on."""
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras has no common error for broken files
        text = " ".join(str(error).split())
        if "ambda" in text and ("safe_mode" in text or "unsafe" in text.lower()):
            raise BundleInvalid(
                "it holds a Lambda layer, that is Python code inside the file, which is never run; "
                "replace it by ordinary layers and save again"
            ) from error
        if unknown := re.search(r"Could not locate class '(\w+)'|Unknown layer: '?(\w+)", text):
            raise BundleInvalid(
                f"it uses {unknown[1] or unknown[2]}, which is no layer of Keras itself; "
                "its code is not in the file, so rebuild the model from Keras layers"
            ) from error
        raise BundleInvalid(f"Keras cannot read it: {text[:300]}") from error


def model_input(model: Any, job: ConversionJob) -> tuple[int, int, int]:
    """(height, width, channels) that the model takes. Raises BundleInvalid when that is no picture."""
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4:
        raise BundleInvalid(f"its input is {shape}; one picture (height, width, channels) is expected")
    said = job.model_size_px or (job.height_px, job.width_px)
    height, width = shape[1] or said[0], shape[2] or said[1]
    if job.model_size_px is not None and (height, width) != tuple(job.model_size_px):
        raise BundleInvalid(f"its input is {height}x{width} pixels, but its config says input_size {list(said)}")
    if shape[3] not in (1, 3):
        raise BundleInvalid(f"its input is {shape}; the last axis must be 3 (RGB) or 1 (grey) channels")
    return height, width, shape[3]


def output_columns(count: int, job: ConversionJob) -> list[int]:
    """For each class of the task the column of the model's outputs; a single sigmoid counts as (1 - p, p)."""
    codes = job.output_codes
    if count == 1 and len(job.codes) == 2 and not job.multi_label:
        codes = codes or tuple(sorted(job.codes, key=lambda code: code == job.positive))
    elif count != len(job.codes):
        raise BundleInvalid(f"it has {count} outputs for the {len(job.codes)} classes {', '.join(job.codes)}")
    codes = codes or job.codes
    return [codes.index(code) for code in job.codes]


def _ends_in_logits(model: Any) -> bool:
    import keras

    layer = model.layers[-1]
    while isinstance(layer, keras.Model):
        layer = layer.layers[-1]
    return getattr(layer, "activation", None) is keras.activations.linear


def served_function(model: Any, job: ConversionJob) -> Any:
    """uint8 (N, height_px, width_px, 3) -> probabilities (N, classes), as Keras operations."""
    from keras import ops

    shape = getattr(model, "output_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 2 or not isinstance(shape[1], int):
        raise BundleInvalid(f"its output is {shape}; one row of class probabilities is expected")
    height, width, channels = model_input(model, job)
    columns = output_columns(shape[1], job)
    logits = _ends_in_logits(model)
    rows = bilinear_weights(job.height_px, height)
    across = bilinear_weights(job.width_px, width)
    luma = np.array(LUMA, np.float32)[:, None]

    def serve(image: Any) -> Any:
        x = ops.cast(image, "float32")
        if (height, width) != (job.height_px, job.width_px):
            x = ops.transpose(x, (0, 3, 1, 2))
            x = ops.matmul(ops.matmul(rows, x), across.T)
            x = ops.transpose(x, (0, 2, 3, 1))
        if channels == 1:
            x = ops.matmul(x, luma)
        y = ops.cast(model(x * job.input_scale, training=False), "float32")
        if logits:
            y = ops.sigmoid(y) if job.multi_label or shape[1] == 1 else ops.softmax(y)
        if shape[1] == 1:
            y = ops.concatenate([1 - y, y], axis=1)
        if columns != sorted(columns):
            y = ops.take(y, columns, axis=1)
        return y

    return serve


def export(serve: Any, job: ConversionJob, path: Path) -> None:
    """Freeze and write as ONNX, weights in float32 as they are."""
    import onnx
    import tensorflow as tf

    from ml_model.training.models.onnx_export import frozen_graph

    signature = tf.TensorSpec((None, job.height_px, job.width_px, 3), tf.uint8, name="image")
    # Clipping takes off rounding, and keeps engines from merging the output with a tensor of another name before it.
    graph = frozen_graph(
        lambda image: {"probabilities": tf.clip_by_value(serve(image), 0.0, 1.0)},
        signature,
        ["probabilities"],
        forgiving=True,
    )
    onnx.save(without_final_identity(graph), path)


def without_final_identity(model: Any) -> Any:
    """Let the last real node give `probabilities`: engines that drop an Identity join its two names."""
    nodes = model.graph.node
    last = next(node for node in nodes if "probabilities" in node.output)
    if last.op_type != "Identity":
        return model
    inner = last.input[0]
    nodes.remove(last)
    for node in nodes:
        node.input[:] = ["probabilities" if name == inner else name for name in node.input]
        node.output[:] = ["probabilities" if name == inner else name for name in node.output]
    return without_final_identity(model)


def verify(serve: Any, job: ConversionJob, path: Path) -> float:
    """Greatest difference between Keras and the graph. Raises BundleInvalid over 1e-4 or for no probabilities."""
    import onnxruntime

    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (3, job.height_px, job.width_px, 3), dtype=np.uint8)
    coarse = random.integers(0, 256, (3, -(-job.height_px // 16), -(-job.width_px // 16), 3), dtype=np.uint8)
    smooth = coarse.repeat(16, axis=1).repeat(16, axis=2)[:, : job.height_px, : job.width_px]
    images = np.concatenate([noise, smooth])
    expected = np.asarray(serve(images))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(["probabilities"], {"image": images})[0]
    if not np.isfinite(expected).all() or expected.min() < -1e-6 or expected.max() > 1 + 1e-6:
        raise BundleInvalid(
            f"its outputs run from {expected.min():g} to {expected.max():g}: these are no probabilities"
        )
    totals = expected.sum(axis=1)
    if not job.multi_label and np.abs(totals - 1).max() > 1e-3:
        raise BundleInvalid(f"its outputs sum to {totals[0]:.3f} instead of 1; end the model in a softmax")
    difference = float(np.abs(found - expected).max())
    if difference > TOLERANCE:
        raise BundleInvalid(
            f"the exported graph differs from Keras by {difference:.2g} (at most {TOLERANCE:g} is allowed)"
        )
    return difference


def convert(job: ConversionJob) -> dict[str, Any]:
    """Write model.onnx into the target folder; what the manifest should say about it."""
    model = load_keras_file(Path(job.source))
    path = Path(job.target_dir) / MODEL_FILE
    serve = served_function(model, job)
    export(serve, job, path)
    return {
        "greatest_difference": verify(serve, job, path),
        "model_input": list(model_input(model, job)),
        "model_outputs": model.output_shape[1],
        "library_versions": {name: version(name) for name in LIBRARIES},
    }


def main(job_file: Path) -> int:
    """Convert and write the report; 1 when the file was refused."""
    fields = json.loads(job_file.read_text(encoding="utf-8"))
    given: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()}
    job = ConversionJob(**given)
    try:
        report = convert(job)
    except BundleInvalid as error:
        report = {"error": str(error)}
    (Path(job.target_dir) / REPORT_FILE).write_text(json.dumps(report), encoding="utf-8")
    return int("error" in report)


def _end_with(parent: int) -> None:
    """Nobody waits for the result of a service that was killed."""
    while os.getppid() == parent:
        time.sleep(PARENT_WATCH_S)
    os._exit(1)


if __name__ == "__main__":
    # Set for this process alone, before anything imports Keras: the export goes through TensorFlow, on the CPU.
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    threading.Thread(target=_end_with, args=(int(sys.argv[2]),), daemon=True).start()
    try:
        status = main(Path(sys.argv[1]))
    except OSError as failure:  # not the user's file, whose errors are BundleInvalid
        print(failure.strerror or failure, file=sys.stderr)
        status = CANNOT_WRITE
    sys.exit(status)
