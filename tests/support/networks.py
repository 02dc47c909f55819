"""Keras networks and the maps that automatic differentiation gives for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ml_model.inference.bundle import Bundle, Manifest, file_sha256
from ml_model.inference.measured import ImageMetrics

SIZE_PX = 48
CLASSES = 3
LAST_FILTERS = 128  # of small_cnn


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
