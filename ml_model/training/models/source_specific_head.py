"""A head of its own for the data set whose labels mean something else, fitted when the training is through.

"Negative" of a patch beside an outlined carcinoma and "benign" of a patient without cancer are different things: one
linear head for both serves neither, while the features serve both.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ml_model.training.data.labels import target_masks
from ml_model.training.job import Job
from ml_model.training.models.embeddings import served_embeddings
from ml_model.training.models.image_classifier import EMBEDDING, FEATURES, LOGITS
from ml_model.training.models.layers import HeadBySource

Array = NDArray[np.floating]
MOST_OTHERS = 400  # pictures of the other sources, from which the sources are told apart
SOURCE_INVERSE_PENALTY = 0.1


def with_own_head(job: Job, model: keras.Model) -> keras.Model:
    """`model` answers as it did, but for pictures that look like the recipe's `own_head_for`; two classes.

    Raises ValueError for another number of classes, or where there are no training pictures of that data set.
    """
    train = job.rows("train")
    own = np.array([job.samples[r].source == job.recipe.own_head_for for r in train])
    if len(job.task.codes) != 2 or not own.any():
        raise ValueError(f"own_head_for: needs two classes and training pictures of {job.recipe.own_head_for}")
    layer = job.recipe.own_head_layer
    last = model.get_layer(EMBEDDING).output.shape[-1]  # so many features tell the sources apart, the first ones
    first = last if layer else 0  # of the features that the own head reads
    model = with_layer_beside(model, layer) if layer else model
    others = np.random.default_rng(job.recipe.seed).permutation(train[~own])[:MOST_OTHERS]
    own_embedding, other_embedding = (served_embeddings(job, model, rows) for rows in (train[own], others))
    samples = [job.samples[r] for r in train[own]]
    truth = target_masks(samples, job.task.codes).argmax(axis=1)
    kernel, bias = fit_by_group(own_embedding[:, first:], truth, [s.group for s in samples])
    kernel = np.pad(kernel, (first, 0))
    told = make_pipeline(StandardScaler(), LogisticRegression(C=SOURCE_INVERSE_PENALTY, class_weight="balanced"))
    both = np.concatenate([other_embedding, own_embedding])[:, :last]
    told.fit(both, np.repeat([0, 1], [len(others), len(own_embedding)]))
    score_kernel, score_bias = _in_embedding_units(told)
    score_kernel = np.pad(score_kernel, (0, len(kernel) - last))
    plain = model.get_layer(LOGITS)
    head = HeadBySource(2, name=LOGITS)
    answering = keras.Model(model.input, head(plain.input), name=model.name)
    head.set_weights([
        np.stack([np.asarray(plain.kernel), np.stack([0 * kernel, kernel], axis=1)]),
        np.stack([np.asarray(plain.bias), np.array([0, bias])]),
        score_kernel[:, None], np.array([score_bias]),
    ])  # fmt: skip
    return answering


def with_layer_beside(model: keras.Model, name: str) -> keras.Model:
    """`model` with the same answers, whose last feature maps also hold those of an earlier layer of the backbone.

    The earlier maps are averaged over the cells of the last ones, so that embedding and activation maps stay what they
    are: the mean over all cells, and its parts. Raises ValueError where the cells do not fit into each other.
    """
    last, earlier = model.get_layer(FEATURES).input, model.get_layer(name).output
    rows, columns = earlier.shape[1] // last.shape[1], earlier.shape[2] // last.shape[2]
    if (rows * last.shape[1], columns * last.shape[2]) != tuple(earlier.shape[1:3]):
        raise ValueError(f"{name}: maps of {earlier.shape[1:3]} cells do not fit into {last.shape[1:3]}")
    pooled = layers.AveragePooling2D((rows, columns), name=f"{name}_in_cells")(earlier)
    features = layers.Concatenate(name=FEATURES)([last, pooled])
    logits = layers.Dense(model.get_layer(LOGITS).units, name=LOGITS)
    wider = keras.Model(model.input, logits(layers.GlobalAveragePooling2D(name=EMBEDDING)(features)), name=model.name)
    kernel, bias = model.get_layer(LOGITS).get_weights()
    logits.set_weights([np.pad(kernel, ((0, earlier.shape[-1]), (0, 0))), bias])
    return wider


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
