"""Embeddings of whole pictures, as the served model will see them."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from ml_model.training.job import Job
from ml_model.training.models.image_classifier import EMBEDDING
from ml_model.training.models.onnx_export import AXIS

BATCH = 32


def served_embeddings(job: Job, model: keras.Model, rows: NDArray[np.int64]) -> NDArray[np.floating]:
    """(rows, D) of the job's pictures: the mean over the recipe's mirror images."""
    embed = keras.Model(model.input, model.get_layer(EMBEDDING).output)
    found = []
    for start in range(0, len(rows), BATCH):
        views = [np.asarray(job.pixels[rows[start : start + BATCH]])]
        for flip in job.recipe.test_time_flips:
            views += [np.flip(view, AXIS[flip]) for view in views]
        found.append(np.mean([np.asarray(embed.predict_on_batch(view)) for view in views], axis=0))
    return np.concatenate(found)
