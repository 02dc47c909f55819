"""The optimiser of every training here: AdamW on a learning rate that rises and falls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops


class WarmCosine(keras.optimizers.schedules.CosineDecay):
    """Keras' cosine with a warm-up, without its condition.

    An optimiser asks for the rate of a step anew for every weight, and TensorFlow traces each condition as two
    functions.
    """

    def __call__(self, step: Any) -> Any:
        step, warm_up, falling = (ops.cast(x, "float32") for x in (step, self.warmup_steps, self.decay_steps))
        first, peak = (ops.cast(x, "float32") for x in (self.initial_learning_rate, self.warmup_target))
        fallen = (ops.minimum(step, falling + warm_up) - warm_up) / falling
        cosine = 0.5 * (1 + ops.cos(np.float32(np.pi) * fallen))
        down = peak * ((1 - self.alpha) * cosine + self.alpha)
        return ops.where(step < warm_up, (peak - first) * (step / warm_up) + first, down)


def warm_cosine(peak: float, steps: int, warm_up: int) -> WarmCosine:
    """From a fiftieth of `peak` up to it over `warm_up` steps (at least one), then down as a cosine to a hundredth."""
    warm_up = max(1, warm_up)
    return WarmCosine(
        peak / 50, decay_steps=max(1, steps - warm_up), alpha=0.01, warmup_target=peak, warmup_steps=warm_up
    )


def warm_adamw(
    peak: float, steps: int, *, warm_up: int, weight_decay: float, ema_momentum: float | None,
    kept_whole: tuple[str, ...] = (), rates: Mapping[str, float] | None = None, pull: float = 0.0,
) -> keras.optimizers.AdamW:  # fmt: skip
    """AdamW with clipped gradients on a warm cosine.

    ema_momentum: of the running averages of the weights, None for none. kept_whole: in the names of weights that do
    not decay. rates, pull: those of TransferAdamW, where they are given.
    """
    average: dict[str, Any] = {} if ema_momentum is None else {"use_ema": True, "ema_momentum": ema_momentum}
    kind = partial(TransferAdamW, rates=rates or {}, pull=pull) if rates or pull else keras.optimizers.AdamW
    optimizer = kind(
        learning_rate=warm_cosine(peak, steps, warm_up), weight_decay=weight_decay, global_clipnorm=1.0, **average
    )
    if kept_whole:
        optimizer.exclude_from_weight_decay(var_names=list(kept_whole))
    return optimizer


class TransferAdamW(keras.optimizers.AdamW):
    """AdamW for fine-tuning what was trained before: each weight at its own rate, pulled towards where it began.

    rates: factor on the learning rate, by the path of a weight; 1 where none is given. pull: share of the way back to
    its start that a weight goes in a step, times its learning rate (L2-SP, decoupled as weight decay is in AdamW).
    """

    def __init__(self, *, rates: Mapping[str, float], pull: float, **options: Any) -> None:
        super().__init__(**options)
        self.rates, self.pull = dict(rates), pull

    def build(self, variables: Sequence[Any]) -> None:
        """Remembers the weights as they are now: call it before the first step."""
        if self.built:
            return
        super().build(variables)
        self._factors = [self.rates.get(v.path, 1.0) for v in variables]
        self._starts = [self.add_variable_from_reference(v, name="start") for v in variables] if self.pull else []
        for start, variable in zip(self._starts, variables, strict=False):
            start.assign(variable)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        rate = ops.cast(learning_rate, variable.dtype) * self._factors[index]
        super().update_step(gradient, variable, rate)
        if self._starts:
            self.assign_sub(variable, (variable - self._starts[index]) * (rate * self.pull))
