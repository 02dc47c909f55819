"""How far is this picture from those that a model learnt from, in the model's own embedding?

What is left of the embedding, scaled to length one, outside the leading principal components of the training pictures:
other kinds of pictures excite features together that no training picture does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
OOD_FILE = "familiarity.npz"


def of_length_one(embedding: Array) -> NDArray[np.float64]:
    """(N, D), each row divided by its length."""
    rows = embedding.astype(np.float64)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


class OodDetector:
    """mean (D,) and components (D, k), orthonormal, of training embeddings of length one."""

    def __init__(self, mean: Array, components: Array) -> None:
        self.mean, self.components = mean.astype(np.float64), components.astype(np.float64)

    @classmethod
    def read(cls, path: Path) -> OodDetector:
        """From a bundle's file; no pickled object is read."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(arrays["mean"], arrays["components"])

    def write(self, path: Path) -> None:
        """As float16."""
        mean, components = (a.astype(np.float16) for a in (self.mean, self.components))
        np.savez_compressed(path, mean=mean, components=components)

    def distances(self, embedding: Array) -> NDArray[np.float32]:
        """(N,) from embeddings (N, D): length of what the components do not explain, 0 to about 1."""
        rest = of_length_one(embedding) - self.mean
        # Row by row, so that a distance does not depend, bit for bit, on what else is in the batch.
        left = [np.linalg.norm(row - self.components @ (row @ self.components)) for row in rest]
        return np.array(left, np.float32)
