"""Samples answered as the service answers them: the served decoder, the served runtime, the pipeline's decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_model.diagnosis.case import Case
from ml_model.diagnosis.decision import Decision, decide
from ml_model.diagnosis.pipeline import Engines, diagnose
from ml_model.diagnosis.population import KnownFacts
from ml_model.inference.bundle import Manifest
from ml_model.inference.predictor import Prediction, Predictor
from ml_model.tasks.registry import ImageTask
from ml_model.training.augmentation.image_corruptions import PICTURE_CHANGES, Change, changed_bytes
from ml_model.training.data.decoded_cache import picture_bytes
from ml_model.training.data.labels import label_space, target_masks
from ml_model.training.data.samples import Sample, ages_years
from ml_model.training.evaluation.metrics import Scored, called

MERGED = ("probabilities", "embedding", "population", "uncalibrated", "distance")

Facts = Callable[[ImageTask, Sample], KnownFacts]
# One sample, after a change of what is sent of it (None: as stored), to the answer; its arrays have one row.
Answering = Callable[[Sample, Any], Prediction]


def nothing_known(task: ImageTask, sample: Sample) -> KnownFacts:
    """A request with a picture and nothing else."""
    return KnownFacts()


def age_known(task: ImageTask, sample: Sample) -> KnownFacts:
    """A request that also says an age of the sample's population."""
    ages = next(d.ages_years for d in task.datasets if d.name == sample.source)
    return KnownFacts(age_years=ages[0] if ages else None)


def age_and_view_known(task: ImageTask, sample: Sample) -> KnownFacts:
    """A request that says age and projection."""
    return replace(age_known(task, sample), view=sample.attributes.get("view"))


def own_age_known(task: ImageTask, sample: Sample) -> KnownFacts:
    """A request that says the sample's own age, where the data set does."""
    age = float(ages_years([sample])[0])
    return KnownFacts(age_years=age if np.isfinite(age) else None)


def merged(each: Sequence[Prediction]) -> Prediction:
    """The rows of several predictions; activation maps are left out."""
    rows = {name: np.concatenate([getattr(p, name) for p in each]) for name in MERGED}
    return Prediction(activation_maps=np.zeros((len(each), 0, 0, 0), np.float32), **rows)


def answering_pictures(task: ImageTask, predictor: Predictor) -> Answering:
    """As the service answers a picture."""
    engines = Engines(pictures=predictor)

    def answer(sample: Sample, change: Change | None) -> Prediction:
        data = picture_bytes(sample)
        case = Case(pictures=(changed_bytes(data, change, task.input) if change else data,), gate="off")
        return diagnose(task, case, engines).outputs

    return answer


@dataclass(frozen=True)
class Answered:
    """Samples and what was decided of each. prediction: with the probabilities as they were answered, with the age
    where one counts. source: the data set in whose labels they are measured, None for those of the task."""

    task: ImageTask
    samples: Sequence[Sample]
    prediction: Prediction
    decisions: Sequence[Decision]
    source: str | None = None

    @cached_property
    def scored(self) -> Scored:
        """Truth and answers. The code that names the class in an answer names it here."""
        space = label_space(self.task, self.source)
        truth = target_masks(self.samples, self.task.codes) @ space.projection > 0
        probabilities = self.prediction.probabilities.astype(np.float64) @ space.projection
        if self.task.multi_label:
            predicted = called(probabilities, multi_label=True)
        else:
            predicted = space.projection[[decision.diagnosis.class_id for decision in self.decisions]] > 0
        return Scored(truth, predicted, probabilities, np.array([s.group for s in self.samples]))

    def rows(self, kept: NDArray[np.integer] | NDArray[np.bool_]) -> Answered:
        """Some of them."""
        rows = np.arange(len(self.samples))[kept]
        samples, decisions = [self.samples[i] for i in rows], [self.decisions[i] for i in rows]
        return replace(self, samples=samples, prediction=self.prediction.rows(rows), decisions=decisions)


@dataclass(frozen=True)
class Evaluator:
    """How samples are answered, and the manifest that holds the rule by which a class is named.

    `changes`: by kind and name, what users and bad devices do to a sample before it is answered.
    """

    task: ImageTask
    answering: Answering
    manifest: Manifest
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: PICTURE_CHANGES)

    def predict(self, samples: Sequence[Sample], change: Any = None) -> Prediction:
        """What a client sending these samples would be answered from; activation maps are left out."""
        with ThreadPoolExecutor(2) as pool:
            return merged(list(pool.map(lambda sample: self.answering(sample, change), samples)))

    def answered(
        self, samples: Sequence[Sample], prediction: Prediction, source: str | None = None, facts: Facts = nothing_known
    ) -> Answered:
        """What the pipeline decides of each sample, a row of `prediction` each, in the labels that the data sets, or
        the one called `source`, can measure; `facts` tells what a request says of a sample."""
        decisions = [
            decide(self.task, self.manifest, prediction.rows(np.array([row])), facts(self.task, sample))
            for row, sample in enumerate(samples)
        ]
        told = np.array([d.probabilities for d in decisions], np.float32).reshape(len(samples), len(self.task.codes))
        return Answered(self.task, samples, replace(prediction, probabilities=told), decisions, source)


def populations_told(answered: Answered, populations: Sequence[str]) -> dict[str, dict[str, float]]:
    """By source: the share of its pictures judged for each population, from the picture alone."""
    told = [d.judgement.population if d.judgement else None for d in answered.decisions]
    shares: dict[str, dict[str, float]] = {}
    for source in sorted({s.source for s in answered.samples}):
        own = [t for t, s in zip(told, answered.samples, strict=True) if s.source == source]
        counted = {name or "not told": own.count(name) for name in (*populations, None)}
        shares[source] = {name: round(count / len(own), 4) for name, count in counted.items()}
    return shares
