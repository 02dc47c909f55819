"""Keras layers of our own."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="medidiagnose")
class ReverseChannels(layers.Layer):
    """RGB to BGR, which the ImageNet weights of ResNet50 expect."""

    def call(self, inputs: Any) -> Any:
        return inputs[..., ::-1]


@keras.saving.register_keras_serializable(package="medidiagnose")
class HeadBySource(layers.Layer):
    """Logits (N, units) of one of two linear heads: of the second where a linear score of the embedding is above 0."""

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.units = units

    def build(self, input_shape: tuple[int, ...]) -> None:
        features = input_shape[-1]
        self.kernels = self.add_weight(shape=(2, features, self.units), initializer="zeros", name="kernels")
        self.biases = self.add_weight(shape=(2, self.units), initializer="zeros", name="biases")
        self.score_kernel = self.add_weight(shape=(features, 1), initializer="zeros", name="score_kernel")
        self.score_bias = self.add_weight(shape=(1,), initializer="zeros", name="score_bias")

    def second(self, inputs: Any) -> Any:
        """(N, 1): 1 where the second head answers, else 0."""
        return ops.cast(ops.matmul(inputs, self.score_kernel) + self.score_bias > 0, "float32")

    def call(self, inputs: Any) -> Any:
        share = self.second(inputs)
        first, second = (ops.matmul(inputs, self.kernels[i]) + self.biases[i] for i in range(2))
        return share * second + (1 - share) * first

    def gradients(self, inputs: Any) -> Any:
        """d logit / d embedding (N, units, features) of the head that answers."""
        share = self.second(inputs)[:, :, None]
        kernels = ops.transpose(self.kernels, (0, 2, 1))
        return share * kernels[1][None] + (1 - share) * kernels[0][None]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(package="medidiagnose")
class WithoutDirections(layers.Layer):
    """(N, features) less what `rank` linear scores of them tell: x - (x - centre) read lost^T."""

    def __init__(self, rank: int, **options: Any) -> None:
        super().__init__(**options)
        self.rank = rank

    def build(self, input_shape: tuple[int, ...]) -> None:
        features = input_shape[-1]
        self.read = self.add_weight(shape=(features, self.rank), initializer="zeros", name="read")
        self.lost = self.add_weight(shape=(features, self.rank), initializer="zeros", name="lost")
        self.centre = self.add_weight(shape=(features,), initializer="zeros", name="centre")

    def call(self, inputs: Any) -> Any:
        scores = ops.matmul(inputs - self.centre, self.read)
        return inputs - ops.matmul(scores, ops.transpose(self.lost))

    def backwards(self, gradients: Any) -> Any:
        """Gradients (N, classes, features) with respect to the output, turned into those to the input."""
        return gradients - ops.matmul(ops.matmul(gradients, self.lost), ops.transpose(self.read))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rank": self.rank}
