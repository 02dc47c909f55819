"""Keras networks and the maps that automatic differentiation gives for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml_model.inference.bundle import Bundle, Manifest, file_sha256
from ml_model.inference.measured import ImageMetrics

SIZE_PX = 48
CLASSES = 3
LAST_FILTERS = 128  # of small_cnn
CONVOLUTIONS = {
    "stem.0": (64, 12, 15), "blocks.0.conv1": (64, 64, 7), "blocks.0.conv2": (64, 64, 7),
    "blocks.1.conv1": (128, 64, 7), "blocks.1.conv2": (128, 128, 7), "blocks.1.shortcut.0": (128, 64, 1),
}  # fmt: skip
NORMS = {
    "stem.1": 64, "blocks.0.bn1": 64, "blocks.0.bn2": 64, "blocks.1.bn1": 128, "blocks.1.bn2": 128,
    "blocks.1.shortcut.1": 128,
}  # fmt: skip


def gradient_tape_maps(model, pictures):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Grad-CAM by its definition: gradient of each logit at the feature maps, averaged over their cells."""
    import keras
    import tensorflow as tf

    from ml_model.training.models.image_classifier import EMBEDDING, FEATURES

    pooled = model.get_layer(EMBEDDING)
    features = tf.Variable(keras.Model(model.input, model.get_layer(FEATURES).output)(pictures))
    maps = []
    for c in range(CLASSES):
        with tf.GradientTape() as tape:
            x = tf.reduce_mean(features, (1, 2))
            if pooled.output.shape[-1] > x.shape[-1]:
                x = tf.concat([x, tf.reduce_max(features, (1, 2))], axis=-1)
            for layer in model.layers[model.layers.index(pooled) + 1 :]:
                x = layer(x, training=False)
            score = x[:, c]
        weights = tf.reduce_mean(tape.gradient(score, features), (1, 2))
        maps.append(tf.nn.relu(tf.einsum("nhwd,nd->nhw", features, weights)).numpy())
    return np.stack(maps, axis=1)


def varied_network():  # type: ignore[no-untyped-def]  # noqa: ANN201
    """A small network for pictures of 48 pixels with such weights, the generator they are from, which goes on."""
    import keras

    from ml_model.training.models.image_classifier import build_model

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    model = build_model("small_cnn", classes=CLASSES, size_px=48)
    model.set_weights(varied(model, rng))
    return model, rng


def wrap(path: Path) -> Bundle:
    """A bundle around a model.onnx, as far as the Predictor looks."""
    fields = dict.fromkeys(("task", "contract_sha256", "version", "trained_on", "licence", "evidence"), "x")
    manifest = Manifest(
        **fields, classes=tuple("abc"), created="x", git_commit="x", seed=0, library_versions={}, recipe={},
        data_fingerprints={}, metrics=ImageMetrics(), files={"model.onnx": file_sha256(path / "model.onnx")},
    )  # fmt: skip
    return Bundle(path, manifest, "x")


def varied(model, rng):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The model's weights with batch norms and biases that are not the identity."""
    return [w + rng.uniform(0.05, 0.3, w.shape) if w.ndim == 1 else w for w in model.get_weights()]


def made_tensors() -> dict[str, NDArray[np.float32]]:
    """Made-up tensors of the published network on recordings, as PyTorch lays them out: (out, in, kernel)."""
    rng, found = np.random.default_rng(4), {}
    for name, shape in CONVOLUTIONS.items():
        found[f"{name}.weight"] = rng.normal(0, 1 / np.sqrt(shape[1] * shape[2]), shape)
    for name, count in NORMS.items():
        found[f"{name}.weight"], found[f"{name}.bias"] = rng.uniform(0.5, 1.5, count), rng.normal(0, 0.2, count)
        found[f"{name}.running_mean"], found[f"{name}.running_var"] = (
            rng.normal(0, 0.2, count),
            rng.uniform(1, 2, count),
        )
    found |= {"head.weight": rng.normal(0, 0.2, (5, 128)), "head.bias": rng.normal(0, 0.2, 5)}
    return {name: tensor.astype(np.float32) for name, tensor in found.items()}


def write_tensors(folder: Path, network: str) -> Path:
    """A file as `--weights` takes it."""
    file = folder / "tensors.npz"
    np.savez(file, **{f"{network}/{name}": tensor for name, tensor in made_tensors().items()})  # type: ignore[arg-type]
    return file
