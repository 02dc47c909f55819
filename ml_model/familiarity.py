"""How far is this picture from those that a model learnt from, in the model's own embedding?

Distance to the nearest training pictures after scaling embeddings to length one (Sun 2022), in their leading
principal components, so that a bundle carries some hundred kilobytes for it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
FAMILIARITY_FILE = "familiarity.npz"
NEIGHBOURS = 5


def of_length_one(embedding: Array) -> NDArray[np.float64]:
    """(N, D), each row divided by its length."""
    rows = embedding.astype(np.float64)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


class Familiarity:
    """mean (D,), components (D, k) and references (M, k), M training pictures in those components."""

    def __init__(self, mean: Array, components: Array, references: Array) -> None:
        self.mean, self.components = mean.astype(np.float64), components.astype(np.float64)
        self.references = references.astype(np.float64)

    @classmethod
    def read(cls, path: Path) -> Familiarity:
        """From a bundle's file; no pickled object is read."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(arrays["mean"], arrays["components"], arrays["references"])

    def write(self, path: Path) -> None:
        """As float16."""
        mean, components, references = (a.astype(np.float16) for a in (self.mean, self.components, self.references))
        np.savez_compressed(path, mean=mean, components=components, references=references)

    def distances(self, embedding: Array) -> NDArray[np.float32]:
        """(N,) from embeddings (N, D): mean distance to the nearest references."""
        places = (of_length_one(embedding) - self.mean) @ self.components
        nearest = [np.sort(np.linalg.norm(self.references - place, axis=1))[:NEIGHBOURS].mean() for place in places]
        return np.array(nearest, np.float32)
