"""How often each sample is drawn, and the class mix that this makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from ml_model.training.data.samples import Sample


def sampling_weights(samples: Sequence[Sample], power: float, source_power: float = 0.0) -> NDArray[np.float64]:
    """Probability of drawing each sample.

    power 0 draws as the data are, 1 draws every class of a source equally often, so that the source
    can't be used as the answer; source_power 0 leaves each source its share, 1 draws all equally often.
    """
    weights = np.ones(len(samples))
    for exponent, keys in (
        (power, [(s.source, s.label) for s in samples]),
        (source_power, [s.source for s in samples]),
    ):
        weights = _shared_out(weights, keys, exponent)
    return np.asarray(weights / weights.sum())


def _shared_out(weights: NDArray[np.float64], keys: Sequence[Hashable], power: float) -> NDArray[np.float64]:
    """The weights scaled so that those of each key sum up to the number of its samples to the power 1 - `power`."""
    counts, totals = Counter(keys), Counter[Hashable]()
    for key, weight in zip(keys, weights, strict=True):
        totals[key] += weight
    return np.asarray(weights * np.array([counts[key] ** (1 - power) / totals[key] for key in keys]))


def class_prior(masks: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of each class in what the sampler draws, (classes,), summing to 1."""
    spread = masks / masks.sum(axis=1, keepdims=True)
    prior: NDArray[np.float64] = weights @ spread
    return np.asarray(prior / prior.sum())
