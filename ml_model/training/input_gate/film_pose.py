"""The weights by which `ml_model/inputs/film_pose.py` tells how a chest film lies, fitted on the films' training split.

One weight a cell of a small copy says how a film that is upright and positive looks there. The copy is turned, mirrored
and inverted in all 16 ways; the weights are those with which the right way scores best (softmax).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ml_model.inputs.film_pose import SIDE_CELLS, cells_of, in_all_poses
from ml_model.inputs.images.decoder import decode_image
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.readers import read_task
from ml_model.training.data.samples import Sample

MOST_OF_A_SOURCE = 900
SHRINKAGE = 1e-4


def training_films(task: ImageTask, data: Path) -> list[Sample]:
    """At most so many of each source, so that none prevails."""
    rng, chosen = np.random.default_rng(0), []
    train = [s for s in read_task(data, task) if s.split == "train"]
    for source in sorted({s.source for s in train}):
        own = [s for s in train if s.source == source]
        chosen += [own[i] for i in rng.permutation(len(own))[:MOST_OF_A_SOURCE]]
    return chosen


def fitted_weights(task: ImageTask, samples: Sequence[Sample]) -> NDArray[np.int64]:
    """(SIDE_CELLS, SIDE_CELLS), in thousandths."""
    unposed = task.input.model_copy(update={"film": False})
    cells = np.stack([cells_of(decode_image(s.path.read_bytes(), unposed).rgb) for s in samples])
    posed = np.stack([in_all_poses(film).reshape(-1, SIDE_CELLS**2) for film in cells])

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = posed @ weights
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        gradient = (np.einsum("nk,nkd->d", shares, posed) - posed[:, 0].sum(axis=0)) / len(posed)
        value = -float(np.log(shares[:, 0] + 1e-12).mean()) + SHRINKAGE * float(weights @ weights)
        return value, gradient + 2 * SHRINKAGE * weights

    found = minimize(loss, np.zeros(SIDE_CELLS**2), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return np.asarray(np.rint(found.x.reshape(SIDE_CELLS, SIDE_CELLS) * 1000), np.int64)
