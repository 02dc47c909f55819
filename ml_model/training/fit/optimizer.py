"""How the learning rate moves over a training."""

from __future__ import annotations

import keras


def warm_cosine(peak: float, steps: int, warm_up: int) -> keras.optimizers.schedules.CosineDecay:
    """From a fiftieth of `peak` up to it over `warm_up` steps (at least one), then down as a cosine to a hundredth."""
    warm_up = max(1, warm_up)
    return keras.optimizers.schedules.CosineDecay(
        peak / 50, decay_steps=max(1, steps - warm_up), alpha=0.01, warmup_target=peak, warmup_steps=warm_up
    )
