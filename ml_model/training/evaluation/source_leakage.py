"""Is the data set that a picture came from written in what the model sees? Then it may answer by that."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml_model.inference.measured import SourceTold
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.metrics import auc

FOLDS = 5
FEWEST = 2 * FOLDS  # pictures of each source within a class
INVERSE_PENALTY = 0.01


def merged_labels(samples: Sequence[Sample]) -> list[frozenset[str]]:
    """For each sample the smallest set of classes that every label which overlaps with its own lies in."""
    merged: list[frozenset[str]] = []
    for codes in {frozenset(s.codes) for s in samples}:
        touching = [m for m in merged if m & codes]
        merged = [m for m in merged if not m & codes] + [codes.union(*touching)]
    return [next(m for m in merged if m & set(s.codes)) for s in samples]


def source_told_by_embedding(samples: Sequence[Sample], embedding: NDArray[np.float32]) -> dict[str, SourceTold]:
    """By label that several sources share: AUC with which a linear model tells them apart, by grouped cross-validation.

    Within one label its class explains nothing, .5; what is above is source. A label with few pictures or groups of a
    source is left out.
    """
    labels, told = merged_labels(samples), {}
    for label in sorted(set(labels), key=sorted) if embedding.shape[1] else ():
        rows = np.array([i for i, other in enumerate(labels) if other == label])
        names, source = np.unique([samples[i].source for i in rows], return_inverse=True)
        groups = [samples[i].group for i in rows]
        if len(names) < 2 or np.bincount(source).min() < FEWEST or len(set(groups)) < FOLDS:
            continue
        largest = source == np.bincount(source).argmax()
        model = make_pipeline(StandardScaler(), LogisticRegression(C=INVERSE_PENALTY, class_weight="balanced"))
        splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
        folds = list(splitter.split(rows, largest, groups))
        if not all(0 < largest[learnt].sum() < len(learnt) for learnt, _ in folds):
            continue  # one source's groups all fell into one fold
        p = cross_val_predict(model, embedding[rows], largest, cv=folds, method="predict_proba")
        name = "+".join(sorted(label))
        told[name] = SourceTold(count=len(rows), auc=round(auc(largest, p[:, 1]), 4))
    return told
