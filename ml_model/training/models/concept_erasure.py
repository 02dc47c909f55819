"""The data set that a picture came from is taken out of what the head sees, as far as a straight line tells it.

Least-squares concept erasure ("LEACE: Perfect linear concept erasure in closed form", NeurIPS 2023), with
the differences between data sets taken within each label: what the label explains stays.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from ml_model.training.evaluation.source_leakage import FEWEST, merged_labels
from ml_model.training.job import Job
from ml_model.training.models.embeddings import served_embeddings
from ml_model.training.models.image_classifier import EMBEDDING, SOURCE_FREE
from ml_model.training.models.layers import WithoutDirections

Array = NDArray[np.floating]
SMALLEST_SHARE = 1e-9  # of the largest variance: a feature that never varies is not divided by nothing


def source_directions(
    embedding: Array, labels: Sequence[frozenset[str]], sources: Sequence[str]
) -> tuple[Array, Array]:
    """(read, lost), both (D, k): x - (x - centre) read lost^T has, within each label, one mean for all its sources.

    embedding (N, D), with label and source of each row. k: over the labels, how many sources there are beside the
    first; sources with few pictures of a label are left alone there. k is 0 where no label is shared.
    """
    cells: dict[frozenset[str], list[Array]] = {}
    for label, source in sorted(set(zip(labels, sources, strict=True)), key=lambda c: (sorted(c[0]), c[1])):
        rows = [i for i, cell in enumerate(zip(labels, sources, strict=True)) if cell == (label, source)]
        cells.setdefault(label, []).extend([embedding[rows].astype(np.float64)] if len(rows) >= FEWEST else [])
    between = [own.mean(axis=0) - parts[0].mean(axis=0) for parts in cells.values() for own in parts[1:]]
    if not between:
        return np.zeros((embedding.shape[1], 0)), np.zeros((embedding.shape[1], 0))
    within = np.concatenate([own - own.mean(axis=0) for parts in cells.values() for own in parts])
    values, vectors = np.linalg.eigh(ledoit_wolf(within)[0])
    values = np.maximum(values, SMALLEST_SHARE * max(float(values[-1]), SMALLEST_SHARE))
    whitening, colouring = (vectors * values**power @ vectors.T for power in (-0.5, 0.5))
    basis, _ = np.linalg.qr(whitening @ np.array(between).T)
    return whitening @ basis, colouring @ basis


def with_sources_forgotten(job: Job, model: keras.Model) -> keras.Model:
    """`model` with a layer behind its embedding that takes the sources' directions out, fitted on training pictures;
    `model` itself where no label is shared by two sources."""
    train = job.pick("train")
    embedding = served_embeddings(job, model, job.rows("train"))
    read, lost = source_directions(embedding, merged_labels(train), [s.source for s in train])
    if not read.shape[1]:
        return model
    layer = WithoutDirections(read.shape[1], name=SOURCE_FREE)
    x = layer(model.get_layer(EMBEDDING).output)
    for behind in model.layers[model.layers.index(model.get_layer(EMBEDDING)) + 1 :]:
        x = behind(x)
    layer.set_weights([read, lost, embedding.mean(axis=0)])
    return keras.Model(model.input, x, name=model.name)
