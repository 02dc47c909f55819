"""A head of its own for the data set whose labels mean something else, fitted when the training is through.

"Negative" of a patch beside an outlined carcinoma and "benign" of a patient without cancer are different things: one
linear head for both serves neither, while the features serve both.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ml_model.training.backbones import EMBEDDING, LOGITS, HeadBySource
from ml_model.training.batches import target_masks
from ml_model.training.engine import Job, build
from ml_model.training.export import AXIS

Array = NDArray[np.floating]
MOST_OTHERS = 400  # pictures of the other sources, from which the sources are told apart
SOURCE_INVERSE_PENALTY = 0.1
BATCH = 32


def served_model(job: Job, trained: keras.Model) -> keras.Model:
    """The trained weights at the served size, with the recipe's own head where it asks for one."""
    served = build(job)
    served.set_weights(trained.get_weights())
    return with_own_head(job, served) if job.recipe.own_head_for else served


def with_own_head(job: Job, model: keras.Model) -> keras.Model:
    """`model` answers as it did, but for pictures that look like the recipe's `own_head_for`; two classes.

    Raises ValueError for another number of classes, or where there are no training pictures of that data set.
    """
    train = job.rows("train")
    own = np.array([job.samples[r].source == job.recipe.own_head_for for r in train])
    if len(job.task.codes) != 2 or not own.any():
        raise ValueError(f"own_head_for: needs two classes and training pictures of {job.recipe.own_head_for}")
    others = np.random.default_rng(job.recipe.seed).permutation(train[~own])[:MOST_OTHERS]
    own_embedding, other_embedding = (_embeddings(job, model, rows) for rows in (train[own], others))
    samples = [job.samples[r] for r in train[own]]
    truth = target_masks(samples, job.task.codes).argmax(axis=1)
    kernel, bias = fit_by_group(own_embedding, truth, [s.group for s in samples])
    told = make_pipeline(StandardScaler(), LogisticRegression(C=SOURCE_INVERSE_PENALTY, class_weight="balanced"))
    told.fit(np.concatenate([other_embedding, own_embedding]), np.repeat([0, 1], [len(others), len(own_embedding)]))
    score_kernel, score_bias = _in_embedding_units(told)
    plain = model.get_layer(LOGITS)
    head = HeadBySource(2, name=LOGITS)
    answering = keras.Model(model.input, head(plain.input), name=model.name)
    head.set_weights([
        np.stack([np.asarray(plain.kernel), np.stack([0 * kernel, kernel], axis=1)]),
        np.stack([np.asarray(plain.bias), np.array([0, bias])]),
        score_kernel[:, None], np.array([score_bias]),
    ])  # fmt: skip
    return answering


def fit_by_group(embedding: Array, truth: NDArray[np.int64], groups: Sequence[str]) -> tuple[Array, float]:
    """Log-odds of class 1 as (D,) and a constant, by scikit-learn's own penalty; few groups cannot choose one.

    Every group of a class weighs the same, and both classes do.
    """
    regression = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000))
    weights = group_weights(truth, np.array(groups)) * len(truth)
    return _in_embedding_units(regression.fit(embedding, truth, logisticregression__sample_weight=weights))


def group_weights(truth: NDArray[np.int64], groups: NDArray[np.str_]) -> NDArray[np.float64]:
    """(N,) summing to 1: half for each class, shared equally by its groups, and theirs by their pictures."""
    weights = np.zeros(len(truth))
    for label in np.unique(truth):
        of_label = np.unique(groups[truth == label])
        for group in of_label:
            rows = (truth == label) & (groups == group)
            weights[rows] = 1 / (len(np.unique(truth)) * len(of_label) * rows.sum())
    return weights


def _in_embedding_units(regression: Pipeline) -> tuple[Array, float]:
    """Kernel (D,) and constant of a regression on scaled features, for the features themselves."""
    scaler, linear = regression[0], regression[1]
    kernel = linear.coef_[0] / scaler.scale_
    return kernel, float(linear.intercept_[0] - scaler.mean_ @ kernel)


def _embeddings(job: Job, model: keras.Model, rows: NDArray[np.int64]) -> Array:
    """(rows, D): of whole pictures as they are served, the mean over the recipe's mirror images."""
    embed = keras.Model(model.input, model.get_layer(EMBEDDING).output)
    found = []
    for start in range(0, len(rows), BATCH):
        views = [np.asarray(job.pixels[rows[start : start + BATCH]])]
        for flip in job.recipe.test_time_flips:
            views += [np.flip(view, AXIS[flip]) for view in views]
        found.append(np.mean([np.asarray(embed.predict_on_batch(view)) for view in views], axis=0))
    return np.concatenate(found)
