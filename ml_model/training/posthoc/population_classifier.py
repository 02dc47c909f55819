"""Teach a graph to tell its populations apart (children's from adults' films, say) by its own embedding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from ml_model.inference.predictor import MODEL_FILE, Predictor
from ml_model.inference.publishing import draft_of
from ml_model.training.augmentation.images import augment, central_square
from ml_model.training.job import Job
from ml_model.training.models.onnx_export import add_population_output

MOST_PICTURES = 600  # of each population; each is seen as it is and as an augmented view
INVERSE_PENALTY = 0.1


def named_populations(job: Job) -> tuple[str, ...]:
    """The data sets that name their ages, where there is more than one; else none."""
    names = tuple(d.name for d in job.task.datasets if d.ages_years is not None)
    present = {s.source for s in job.pick("train")}
    return names if len(names) > 1 and present.issuperset(names) else ()


def add_populations(job: Job, predictor: Predictor) -> tuple[str, ...]:
    """Fit on training pictures and append the output `population` to the model file; returns its names in order."""
    names = named_populations(job)
    if names:
        embedding, population = _views(job, predictor, names)
        weights, bias = population_head(embedding, population, len(names))
        add_population_output(draft_of(job.out_dir) / MODEL_FILE, weights, bias)
    return names


def population_head(
    embedding: NDArray[np.float32], population: NDArray[np.int64], count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Softmax regression, (D, count) and (count,), on embeddings (N, D); each population weighs the same."""
    scaler, regression = StandardScaler(), LogisticRegression(C=INVERSE_PENALTY, class_weight="balanced", max_iter=500)
    regression.fit(scaler.fit_transform(embedding), population)
    coefficients, intercept = regression.coef_, regression.intercept_
    if count == 2:  # scikit-learn keeps one row for two classes
        coefficients, intercept = np.vstack([0 * coefficients, coefficients]), np.append(0 * intercept, intercept)
    weights = coefficients.T / scaler.scale_[:, None]
    return weights.astype(np.float32), (intercept - scaler.mean_ @ weights).astype(np.float32)


def _views(job: Job, predictor: Predictor, names: tuple[str, ...]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rng = np.random.default_rng(job.recipe.seed)
    size_px = job.task.input.height_px
    embedding, population = [], []
    for index, name in enumerate(names):
        rows = [r for r in job.rows("train") if job.task.population_of(job.samples[r].source) == name]
        for row in rng.permutation(rows)[:MOST_PICTURES]:
            picture = job.pixels[row]
            views = [central_square(picture, size_px), augment(picture, job.recipe.augmentation, size_px, rng)]
            embedding.append(predictor.predict(np.stack(views)).embedding)
            population += [index, index]
    return np.concatenate(embedding), np.array(population, dtype=np.int64)
