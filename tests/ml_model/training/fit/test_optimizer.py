"""The learning rate of every training, and what it costs to trace."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ml_model.training.fit.optimizer import warm_adamw, warm_cosine


@pytest.mark.parametrize("warm_up", [0, 1, 7])
def test_the_rate_is_that_of_keras_cosine_bit_for_bit(warm_up: int) -> None:
    ours = warm_cosine(3e-3, 50, warm_up)
    theirs = keras.optimizers.schedules.CosineDecay.from_config(ours.get_config())
    rates = np.array([ours(step) for step in range(60)])
    assert rates.tolist() == np.array([theirs(step) for step in range(60)]).tolist()
    assert rates[0] == np.float32(3e-3 / 50)
    assert rates.max() == rates[max(1, warm_up)] == np.float32(3e-3)
    assert rates[-1] == rates[50] == pytest.approx(3e-5)


def test_a_step_of_the_optimiser_holds_no_condition() -> None:
    """Two for every weight took a sixth of the time before a training's first step."""
    import tensorflow as tf

    weights = [keras.Variable(np.ones(2, np.float32)) for _ in range(3)]
    optimizer = warm_adamw(1e-3, 10, warm_up=2, weight_decay=0.1, ema_momentum=None)
    optimizer.build(weights)

    def step(gradient: tf.Tensor) -> None:
        optimizer.apply([gradient] * 3)

    graph = tf.function(step).get_concrete_function(tf.TensorSpec(2)).graph
    assert not {operation.type for operation in graph.get_operations()} & {"If", "StatelessIf"}
