"""Networks on 12-lead recordings, as graphs whose last feature maps are (1, time, features).

Two families: a residual network (xresnet1d, He 2019; on ECGs Strodthoff 2021) and InceptionTime (Fawaz 2020),
both with fewer filters than published, because there are one to two thousand records and not twenty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from ml_model.training.models.image_classifier import EMBEDDING, FEATURES, LOGITS
from ml_model.training.recipe import Architecture

LEADS = 12


def build_network(architecture: Architecture, *, classes: int, samples: int, dropout: float = 0.4) -> keras.Model:
    """Model from float32 (N, samples, 12) in mV to logits (N, classes)."""
    signal = layers.Input((samples, LEADS), name="signal_mv")
    x = layers.BatchNormalization(name="standardise")(signal)
    x = _xresnet1d(x) if architecture == "xresnet1d" else _inception_time(x)
    x = layers.Reshape((1, *x.shape[1:]), name=FEATURES)(x)
    x = layers.GlobalAveragePooling2D(name=EMBEDDING)(x)
    x = layers.Dropout(dropout, name="head_dropout")(x)
    return keras.Model(signal, layers.Dense(classes, name=LOGITS)(x), name=architecture)


def averaged(networks: Sequence[keras.Model]) -> keras.Model:
    """One graph whose logits are the mean of the networks' logits; its features are theirs, side by side.

    The head stays one linear layer behind one average over time, so that activation maps stay exact.
    """
    signal = layers.Input(networks[0].input_shape[1:], name="signal_mv")
    bodies = [keras.Model(n.input, n.get_layer(FEATURES).output, name=f"member_{i}") for i, n in enumerate(networks)]
    x = layers.Concatenate(name=FEATURES)([body(signal) for body in bodies])
    x = layers.GlobalAveragePooling2D(name=EMBEDDING)(x)
    heads = [n.get_layer(LOGITS).get_weights() for n in networks]
    logits = layers.Dense(heads[0][1].shape[0], name=LOGITS)
    model = keras.Model(signal, logits(x), name="averaged")
    kernel = np.concatenate([kernel for kernel, _ in heads]) / len(heads)
    logits.set_weights([kernel, np.mean([bias for _, bias in heads], axis=0)])
    return model


def _convolution(x: Any, filters: int, width: int, *, stride: int = 1, relu: bool = True) -> Any:
    x = layers.Conv1D(filters, width, strides=stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(x) if relu else x


def _residual(x: Any, filters: int, stride: int) -> Any:
    y = _convolution(x, filters, 7, stride=stride)
    y = _convolution(layers.Dropout(0.1)(y), filters, 7, relu=False)
    if stride > 1:
        x = layers.AveragePooling1D(stride, padding="same")(x)
    if x.shape[-1] != filters:
        x = _convolution(x, filters, 1, relu=False)
    return layers.ReLU()(layers.Add()([x, y]))


def _xresnet1d(x: Any) -> Any:
    x = _convolution(_convolution(x, 48, 7, stride=2), 48, 7)
    for filters, strides in ((48, (1,)), (96, (2, 1)), (144, (2, 1))):
        for stride in strides:
            x = _residual(x, filters, stride)
    return x


def _inception_time(x: Any, filters: int = 24) -> Any:
    x = skipped = _convolution(x, 48, 7, stride=2)
    for depth in range(6):
        narrow = layers.Conv1D(32, 1, use_bias=False)(x)
        branches = [layers.Conv1D(filters, w, padding="same", use_bias=False)(narrow) for w in (39, 19, 9)]
        pooled = layers.MaxPooling1D(3, 1, padding="same")(x)
        branches.append(layers.Conv1D(filters, 1, use_bias=False)(pooled))
        x = layers.ReLU()(layers.BatchNormalization()(layers.Concatenate()(branches)))
        if depth % 3 == 2:
            x = layers.ReLU()(layers.Add()([x, _convolution(skipped, 4 * filters, 1, relu=False)]))
            x = skipped = layers.AveragePooling1D(2, padding="same")(x)
    return x
