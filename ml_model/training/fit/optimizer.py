"""The optimiser of every training here: AdamW on a learning rate that rises and falls."""

from __future__ import annotations

import keras


def warm_cosine(peak: float, steps: int, warm_up: int) -> keras.optimizers.schedules.CosineDecay:
    """From a fiftieth of `peak` up to it over `warm_up` steps (at least one), then down as a cosine to a hundredth."""
    warm_up = max(1, warm_up)
    return keras.optimizers.schedules.CosineDecay(
        peak / 50, decay_steps=max(1, steps - warm_up), alpha=0.01, warmup_target=peak, warmup_steps=warm_up
    )


def warm_adamw(
    peak: float, steps: int, *, warm_up: int, weight_decay: float, ema_momentum: float | None,
    kept_whole: tuple[str, ...] = (),
) -> keras.optimizers.AdamW:  # fmt: skip
    """AdamW with clipped gradients on a warm cosine.

    ema_momentum: of the running averages of the weights, None for none. kept_whole: in the names of weights that do
    not decay.
    """
    average = {} if ema_momentum is None else {"use_ema": True, "ema_momentum": ema_momentum}
    optimizer = keras.optimizers.AdamW(
        warm_cosine(peak, steps, warm_up), weight_decay=weight_decay, global_clipnorm=1.0, **average
    )
    if kept_whole:
        optimizer.exclude_from_weight_decay(var_names=list(kept_whole))
    return optimizer
