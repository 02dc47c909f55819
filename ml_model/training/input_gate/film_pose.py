"""The weights by which `ml_model/inputs/film_pose.py` tells how a chest film lies, fitted on the films' training split,
and what they and the input gate tell of validation films and of pictures of other kinds.

One weight a cell of a small copy says how a film that is upright and positive looks there. The copy is turned, mirrored
and inverted in all 16 ways; the weights are those with which the right way scores best (softmax).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops
from scipy.optimize import minimize

from ml_model.inference.predictor import Predictor
from ml_model.input_gate.modality_classifier import overview_of, recognise
from ml_model.inputs.film_pose import SIDE_CELLS, cells_of, film_pose, in_all_poses
from ml_model.inputs.images.decoder import decode_image
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.readers import read_task
from ml_model.training.data.samples import Sample
from ml_model.training.reports.kept_figures import Figure, counted

MOST_OF_A_SOURCE = 900
SHRINKAGE = 1e-4
PUT_RIGHT_CANDIDATES = (0.5, 0.9, 0.95, 0.98, 0.99)  # for `PUT_RIGHT_FROM`


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
    cells = np.stack([cells_of(_as_sent(task, sample)) for sample in samples])
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


def pose_figures(task: ImageTask, films: Sequence[Sample]) -> Iterator[Figure]:
    """How often each turn and polarity is told, of films that are upright and positive."""
    pictures, groups = [_as_sent(task, film) for film in films], [film.group for film in films]
    for inverted in (False, True):
        for turns in range(4):
            told = [film_pose(_changed(picture, turns, inverted=inverted)) for picture in pictures]
            right = [(pose.quarter_turns, pose.inverted) == (turns, inverted) for pose in told]
            what = f"{'inverted' if inverted else 'positive'}, turned by {90 * turns} degrees"
            yield counted(f"{what}: told so", right, groups)
            yield counted(f"{what}: polarity right", [pose.inverted == inverted for pose in told], groups)


def exchanged_figures(task: ImageTask, samples: Sequence[Sample], gate: Predictor, kind: str) -> Iterator[Figure]:
    """Of pictures of one kind, as they are and inverted: which the gate takes for films as they are sent, and which of
    the others, called inverted, it would take when put right, by the score that is asked for; and which of those that
    are taken as sent and not called inverted are refused, as they surely are of another kind when inverted."""
    column, groups = gate.bundle.manifest.classes.index(task.input.modality), [s.group for s in samples]
    threshold = gate.bundle.manifest.thresholds[task.input.modality]
    for inverted in (False, True):
        pictures = [_changed(_as_sent(task, sample), 0, inverted=inverted) for sample in samples]
        looks = [np.stack([overview, 255 - overview]) for overview in map(overview_of, pictures)]
        scores = np.stack([gate.predict(both).probabilities[:, column] for both in looks])
        kept = [recognise(gate, sent, task.input.modality, exchanged=False) for sent, _ in looks]
        called = np.array([film_pose(picture).inverted for picture in pictures])
        taken, what = scores[:, 0] >= threshold, f"{kind}, {'inverted' if inverted else 'as they are'}"
        yield counted(f"{what}: taken as sent", taken.tolist(), groups)
        other = taken & ~called & [bool(told and told.inverted_kind) for told in kept]
        yield counted(f"{what}: of these not called inverted, and another kind when inverted", other.tolist(), groups)
        for least in PUT_RIGHT_CANDIDATES:
            put_right = called & ~taken & (scores[:, 1] >= least)
            yield counted(f"{what}: taken only when put right, from {least:g}", put_right.tolist(), groups)


def _as_sent(task: ImageTask, sample: Sample) -> Image.Image:
    return decode_image(sample.path.read_bytes(), task.input.model_copy(update={"film": False})).rgb


def _changed(rgb: Image.Image, turns: int, *, inverted: bool) -> Image.Image:
    """Turned clockwise by so many quarters."""
    turned = rgb.rotate(-90 * turns, expand=True)
    return ImageChops.invert(turned) if inverted else turned
