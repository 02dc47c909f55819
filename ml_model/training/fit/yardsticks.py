"""Figures on validation that choose among the epochs of a training; docs/training.md, "Models abroad"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from ml_model.training.augmentation.ultrasound_sites import SIMULATED_SITES, seen_at
from ml_model.training.data.labels import fully_labelled, label_space, target_masks
from ml_model.training.evaluation.metrics import Scored, auc, macro_auc
from ml_model.training.fit.callbacks import WATCHED, Figures, PictureFigures
from ml_model.training.job import Job

SEED = 0  # of the speckle and the drawings of the simulated sites


@dataclass(frozen=True)
class BySource:
    """Macro AUC within each source, and the mean over the sources, however many pictures each has.

    sources (N,): of the pictures.
    """

    pooled: PictureFigures
    sources: Sequence[str]

    def __call__(self, model: keras.Model) -> dict[str, float]:
        scored, sources = self.pooled.scored(model, self.pooled.pictures), np.array(self.sources)
        own = {name: macro_auc(scored.rows(sources == name)) for name in sorted(set(self.sources))}
        mean = float(np.mean(list(own.values())))
        return {**{f"val_auc {name}": value for name, value in own.items()}, WATCHED: mean}


@dataclass(frozen=True)
class UltrasoundSites:
    """At home and at the simulated sites, in equal parts.

    at_sites: the pictures as each site shows them. grave (labels,): the labels of the task's first finding. At home it
    is the mean of their AUC against the rest and of the macro AUC, at each site their AUC.
    """

    pooled: PictureFigures
    at_sites: Sequence[NDArray[np.uint8]]
    grave: NDArray[np.bool_]

    def __call__(self, model: keras.Model) -> dict[str, float]:
        def told(scored: Scored) -> float:
            truth = np.asarray(scored.truth[:, self.grave].any(axis=1))
            return auc(truth, scored.probabilities[:, self.grave].sum(axis=1))

        scored = self.pooled.scored(model, self.pooled.pictures)
        home = (told(scored) + macro_auc(scored)) / 2
        sites = [told(self.pooled.scored(model, shown)) for shown in self.at_sites]
        mean = float(np.mean(sites))
        return {"val_home": home, "val_sites": mean, "val_worst_site": min(sites), WATCHED: (home + mean) / 2}


def at_simulated_sites(pictures: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The pictures (N, H, W, 3) as each of SIMULATED_SITES shows them, the same every time."""
    return [
        np.stack([seen_at(picture, site, np.random.default_rng(SEED)) for picture in pictures])
        for site in SIMULATED_SITES.values()
    ]


def yardstick(job: Job, shown: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> Figures:
    """The recipe's, on the validation pictures whose label is one that the whole task measures.

    shown: a picture as the model in training sees it. Raises ValueError for simulated sites of a task without findings.
    """
    val, space = job.pick("val"), label_space(job.task)
    whole = fully_labelled(job.task, val)
    pictures = np.stack([shown(job.pixels[row]) for row in job.rows("val")[whole]])
    truth = target_masks(val, job.task.codes)[whole] @ space.projection > 0
    pooled = PictureFigures(pictures, truth, space.projection, job.task.multi_label)
    if job.recipe.yardstick == "pooled":
        return pooled
    if job.recipe.yardstick == "sources":
        return BySource(pooled, [s.source for s, kept in zip(val, whole, strict=True) if kept])
    if not job.task.findings:
        raise ValueError(f"{job.task.id}: simulated sites are judged by the task's first finding, and it has none")
    codes = [job.task.codes.index(code) for code in job.task.findings[0].classes]
    return UltrasoundSites(pooled, at_simulated_sites(pictures), np.asarray(space.projection[codes].any(axis=0)))
