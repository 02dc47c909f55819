"""The small residual network on 12-lead recordings whose tensors others published for PTB-XL, as a flat graph.

Input 100 Hz; band-pass 0.5 to 40 Hz, each lead by its mean and deviation over the training records, and two residual
blocks, all inside the graph. Its makers averaged the answers to windows of 300 samples; here the features of the
whole recording are averaged, so that the head stays one linear layer and maps stay exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray
from scipy.signal import butter, filtfilt

from ml_model.training.models.image_classifier import EMBEDDING, FEATURES, LOGITS

LEADS, RATE_HZ = 12, 100.0
BAND_HZ = (0.5, 40.0)
ACTIVATIONS = {"loss_bce": "relu", "act_gelu": "gelu", "loss_weighted_bce": "relu"}  # of each published network
FIXED = ("band_pass", "of_the_records")  # layers that no training changes


def band_pass(samples: int) -> NDArray[np.float32]:
    """(samples, samples): a signal as a row, times this, is the signal filtered in both directions, ends and all."""
    b, a = butter(4, BAND_HZ, "bandpass", fs=RATE_HZ)
    return np.asarray(filtfilt(b, a, np.eye(samples), axis=1), np.float32)


def ecg_resnet(network: str, tensors: Path | None, signals: NDArray[np.float32], dropout: float = 0.4) -> keras.Model:
    """Model from float32 (N, samples, 12) in mV to logits (N, 5), in the order normal, MI, STTC, CD, HYP.

    network: one of ACTIVATIONS, whose tensors lie in the file `tensors`; untrained without one. signals (N, samples,
    12): the training records, by which the leads are standardised. Raises ValueError of a file without the network.
    """
    model = _untrained(network, signals.shape[1], dropout)
    if tensors:
        with np.load(tensors) as stored:
            own = {k.removeprefix(f"{network}/"): stored[k].astype(np.float32) for k in stored if k.startswith(network)}
        if not own:
            raise ValueError(f"{tensors} holds no tensors of {network}")
        _fill(model, own)
    matrix = band_pass(signals.shape[1])
    filtered = np.einsum("nsl,st->ntl", signals, matrix, optimize=True)
    model.get_layer(FIXED[0]).set_weights([matrix])
    model.get_layer(FIXED[1]).set_weights([filtered.mean(axis=(0, 1)), filtered.var(axis=(0, 1))])
    return model


def _untrained(network: str, samples: int, dropout: float) -> keras.Model:
    activation = ACTIVATIONS[network]
    signal = layers.Input((samples, LEADS), name="signal_mv")
    filtered = layers.Dense(samples, use_bias=False, trainable=False, name=FIXED[0])
    x = layers.Permute((2, 1))(filtered(layers.Permute((2, 1))(signal)))
    x = layers.BatchNormalization(center=False, scale=False, epsilon=0.0, trainable=False, name=FIXED[1])(x)
    x = _activated(_convolution(x, 64, 15, 2, "stem.0", "stem.1"), activation)
    x = layers.MaxPooling1D(3, 2)(layers.ZeroPadding1D((1, 0))(x))
    x = _block(x, 64, 1, activation, "blocks.0")
    x = _block(x, 128, 2, activation, "blocks.1")
    x = layers.Reshape((1, *x.shape[1:]), name=FEATURES)(x)
    x = layers.GlobalAveragePooling2D(name=EMBEDDING)(x)
    x = layers.Dropout(dropout, name="head_dropout")(x)
    return keras.Model(signal, layers.Dense(5, name=LOGITS)(x), name=network)


def _activated(x: Any, activation: str) -> Any:
    """The exact GELU is written out: Keras' own ends in an operation (Erfc) that ONNX does not have."""
    return layers.ReLU()(x) if activation == "relu" else x * (0.5 + 0.5 * ops.erf(x * 0.5**0.5))


def _convolution(x: Any, filters: int, width: int, stride: int, name: str, norm: str) -> Any:
    """Padded as PyTorch does, so that its tensors fit."""
    if width > 1:
        x = layers.ZeroPadding1D(width // 2)(x)
    x = layers.Conv1D(filters, width, strides=stride, use_bias=False, name=name)(x)
    return layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name=norm)(x)


def _block(x: Any, filters: int, stride: int, activation: str, name: str) -> Any:
    y = _activated(_convolution(x, filters, 7, stride, f"{name}.conv1", f"{name}.bn1"), activation)
    y = _convolution(y, filters, 7, 1, f"{name}.conv2", f"{name}.bn2")
    if stride > 1:
        x = _convolution(x, filters, 1, stride, f"{name}.shortcut.0", f"{name}.shortcut.1")
    return _activated(layers.Add()([x, y]), activation)


def _fill(model: keras.Model, tensors: Mapping[str, NDArray[np.float32]]) -> None:
    for layer in model.layers:
        if isinstance(layer, layers.Conv1D):
            layer.set_weights([tensors[f"{layer.name}.weight"].transpose(2, 1, 0)])
        elif isinstance(layer, layers.BatchNormalization) and layer.name not in FIXED:
            parts = ("weight", "bias", "running_mean", "running_var")
            layer.set_weights([tensors[f"{layer.name}.{part}"] for part in parts])
    model.get_layer(LOGITS).set_weights([tensors["head.weight"].T, tensors["head.bias"]])
