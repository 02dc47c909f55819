"""Backbones by name, with a small classification head, as one flat functional graph.

The graph takes uint8 (N, size, size, 3) RGB 0-255 and gives logits; each backbone's own
scaling is a layer inside it. Flat, because activation maps need the last feature maps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import keras
from keras import layers

from ml_model.training.job import Job
from ml_model.training.models.layers import ReverseChannels
from ml_model.training.recipe import BACKBONES

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_VARIANCE = (58.395**2, 57.12**2, 57.375**2)
# Keras' MobileNetV2 averages batch statistics over a thousand steps, as many as a whole training here has: it would
# be validated and served with those that it started from.
LONGEST_MOMENTUM = 0.99
FEATURES = "features"
EMBEDDING = "embedding"
SOURCE_FREE = "source_free_embedding"  # where there is one, it is what a head sees and what is given out
LOGITS = "logits"


def embedding_layer(model: keras.Model) -> layers.Layer:
    """The layer whose output the head sees."""
    names = {layer.name for layer in model.layers}
    return model.get_layer(SOURCE_FREE if SOURCE_FREE in names else EMBEDDING)


def build_model(
    backbone: str,
    *,
    classes: int,
    size_px: int | tuple[int, int],
    weights: str | Path | None = None,
    pooling: Literal["mean", "mean_max"] = "mean",
    hidden_units: tuple[int, ...] = (),
    dropout: float = 0.3,
    last_layer: str | None = None,
) -> keras.Model:
    """Model from uint8 pictures to logits (N, classes).

    size_px: side of the square pictures, or (height_px, width_px).
    weights: "imagenet" (downloaded by Keras), the path of a no-top weights file, or None.
    last_layer: name of the backbone's layer at which it ends; what is behind it is left out.
    pooling: what the embedding holds of each feature map: its mean, or the means and then the maxima.
    hidden_units: widths of Dense + BatchNormalization + ReLU blocks of the head.
    Raises ValueError for an unknown backbone or a weights file that does not fit.
    """
    if backbone not in BACKBONES:
        raise ValueError(f"unknown backbone {backbone!r}; known: {', '.join(BACKBONES)}")
    sides = (size_px, size_px) if isinstance(size_px, int) else size_px
    image = layers.Input((*sides, 3), dtype="uint8", name="image")
    body = _body(backbone, image, "imagenet" if weights == "imagenet" else None)
    if weights not in (None, "imagenet"):
        if not Path(weights).is_file():
            raise ValueError(f"no weights file at {weights}; give --weights PATH, imagenet or none")
        body.load_weights(weights)
    for layer in body.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = min(layer.momentum, LONGEST_MOMENTUM)
    end = body.get_layer(last_layer).output if last_layer else body.output
    x = _pooled(layers.Activation("linear", name=FEATURES)(end), pooling)
    for index, units in enumerate(hidden_units):
        x = layers.Dense(units, name=f"hidden_{index}")(x)
        x = layers.BatchNormalization(name=f"hidden_{index}_bn")(x)
        x = layers.ReLU(name=f"hidden_{index}_relu")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    logits = layers.Dense(classes, dtype="float32", name=LOGITS)(x)
    return keras.Model(image, logits, name=backbone)


def _pooled(features: Any, pooling: Literal["mean", "mean_max"]) -> Any:
    """The embedding of feature maps (N, rows, columns, channels)."""
    if pooling == "mean":
        return layers.GlobalAveragePooling2D(name=EMBEDDING)(features)
    pooled = [layers.GlobalAveragePooling2D(name="mean")(features), layers.GlobalMaxPooling2D(name="max")(features)]
    return layers.Concatenate(name=EMBEDDING)(pooled)


def check_weights(backbone: str, weights: str | Path | None) -> None:
    """Have Keras download ImageNet weights now rather than after an hour of decoding. Raises ValueError, as below."""
    if weights == "imagenet":
        _body(backbone, layers.Input((224, 224, 3), dtype="uint8"), "imagenet")
        keras.backend.clear_session()


def _body(backbone: str, image: Any, weights: str | None) -> keras.Model:
    """The backbone without its top. Raises ValueError where its ImageNet weights cannot be downloaded."""
    try:
        return _architecture(backbone, image, weights)
    except Exception as error:  # Keras raises nothing narrower; what it failed on is the context
        if weights is None or not (isinstance(error, OSError) or isinstance(error.__context__, OSError)):
            raise
        raise ValueError(
            f"the ImageNet weights of {backbone} cannot be downloaded ({error}); download that file where there is a "
            "network and give it as --weights PATH, or start from nothing with --weights none"
        ) from error


def _architecture(backbone: str, image: Any, weights: str | None) -> keras.Model:
    options = {"include_top": False, "weights": weights}
    if backbone == "efficientnetv2b0":
        return keras.applications.EfficientNetV2B0(input_tensor=image, **options)
    if backbone == "efficientnetb0":
        return keras.applications.EfficientNetB0(input_tensor=image, **options)
    if backbone == "mobilenetv2":
        x = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(image)
        return keras.applications.MobileNetV2(input_tensor=x, **options)
    if backbone == "resnet50":
        x = ReverseChannels(name="rgb_to_bgr")(image)
        x = layers.Rescaling(1.0, offset=[-103.939, -116.779, -123.68], name="centre")(x)
        return keras.applications.ResNet50(input_tensor=x, **options)
    if backbone == "densenet121":
        x = layers.Normalization(mean=IMAGENET_MEAN, variance=IMAGENET_VARIANCE, name="standardise")(image)
        return keras.applications.DenseNet121(input_tensor=x, **options)
    if weights is not None:
        raise ValueError("there are no ImageNet weights for small_cnn; use --weights none")
    return _small_cnn(image)


def _small_cnn(image: Any) -> keras.Model:
    """Three convolution blocks, meant for 256 px and for machines or data too small for the others."""
    x = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(image)
    for index, filters in enumerate((32, 64, 128)):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"block{index}_conv")(x)
        x = layers.BatchNormalization(name=f"block{index}_bn")(x)
        x = layers.ReLU(name=f"block{index}_relu")(x)
        if index < 2:
            x = layers.MaxPooling2D(4, name=f"block{index}_pool")(x)
    return keras.Model(image, x, name="small_cnn")


def build(job: Job, size_px: int | None = None) -> keras.Model:
    """The job's model before it has learnt, for squares of size_px; by default for pictures as they are served."""
    recipe = job.recipe
    return build_model(
        recipe.backbone,
        classes=len(job.task.codes),
        size_px=size_px or (job.task.input.height_px, job.task.input.width_px),
        weights=job.weights,
        last_layer=recipe.last_layer,
        pooling=recipe.pooling,
        hidden_units=recipe.hidden_units,
        dropout=recipe.dropout,
    )
