"""Answers to the validation samples that nothing was fitted to: each is calibrated by a fit that has not seen its
group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_model.inference.bundle import AgeEffect
from ml_model.inference.calibration import calibrated, with_age
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.labels import fully_labelled, label_space, target_masks
from ml_model.training.data.samples import Sample, ages_years, cases_of
from ml_model.training.evaluation.metrics import Scored, called
from ml_model.training.posthoc.age_prior import fit_age_effect
from ml_model.training.posthoc.calibration import by_group_folds, fitted_calibration

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Answers:
    """samples: N; probabilities: (N, classes) as served."""

    samples: Sequence[Sample]
    probabilities: Array

    def scored(self, task: ImageTask) -> Scored:
        """In the measured labels, those samples whose label is one."""
        whole, space = fully_labelled(task, self.samples), label_space(task)
        kept = [s for s, own in zip(self.samples, whole, strict=True) if own]
        truth = target_masks(kept, task.codes) @ space.projection > 0
        told = self.probabilities[whole].astype(np.float64) @ space.projection
        return Scored(truth, called(told, task.multi_label), told, np.array([s.group for s in kept]))

    def summed(self, task: ImageTask, codes: Sequence[str]) -> NDArray[np.float64]:
        """(n,) probability of these classes together, of the samples of `scored`."""
        columns = [task.codes.index(code) for code in codes]
        return np.asarray(self.probabilities[fully_labelled(task, self.samples)][:, columns].astype(float).sum(axis=1))


@dataclass(frozen=True)
class Crossed(Answers):
    """with_age: (N, classes), with the age where it is known; None where ages do not count."""

    with_age: Array | None = None

    def rows(self, kept: NDArray[np.bool_]) -> Answers:
        """The answers (N,) that are kept, and those to the cases of several pictures among them: a request holds either
        one picture or all of a case, whose probabilities are averaged."""
        samples = [s for s, own in zip(self.samples, kept, strict=True) if own]
        told = self.probabilities[kept]
        several = [rows for rows in cases_of(samples) if len(rows) > 1]
        averaged = [told[rows].mean(axis=0) for rows in several]
        return Answers([*samples, *(samples[rows[0]] for rows in several)], np.array([*told, *averaged], np.float32))


def crossed_pages(told_of: Answers, masks: Array, method: str, pages: Answers) -> Answers:
    """Answers to pages of the validation recordings, each calibrated by a fit to recordings of other groups.

    told_of: the recordings with the model's own probabilities; masks: (N, classes), what each label can stand for.
    pages: with the model's own probabilities too. method: of the calibration that was chosen."""
    groups, groups_of_pages = ([s.group for s in one.samples] for one in (told_of, pages))
    told = np.zeros_like(pages.probabilities)
    for others, own in by_group_folds(groups):
        calibration = fitted_calibration(told_of.probabilities[others], masks[others], method)
        rows = np.isin(groups_of_pages, [groups[i] for i in own])
        told[rows] = calibrated(pages.probabilities[rows], calibration)
    return Answers(pages.samples, told)


def crossed_answers(
    task: ImageTask,
    train: Sequence[Sample],
    samples: Sequence[Sample],
    uncalibrated: Array,
    masks: Array,
    method: str,
    aged: AgeEffect | None,
) -> Crossed:
    """uncalibrated: the model's own probabilities of the validation samples, (N, classes). masks: (N, classes), what
    each label can stand for. method: of the calibration that was chosen. aged: whether ages count."""
    told, with_ages = np.zeros_like(uncalibrated), np.zeros_like(uncalibrated)
    ages = ages_years(samples)
    for others, own in by_group_folds([s.group for s in samples]):
        calibration = fitted_calibration(uncalibrated[others], masks[others], method)
        told[own] = with_ages[own] = calibrated(uncalibrated[own], calibration)
        if aged is not None:
            seen = calibrated(uncalibrated[others], calibration)
            effect = fit_age_effect(task.codes, train, [samples[i] for i in others], seen)
            if effect is not None:
                with_ages[own] = with_age(told[own], ages[own], effect)
    return Crossed(samples, told, with_ages if aged is not None else None)
