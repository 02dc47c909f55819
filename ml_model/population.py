"""Which population a picture is judged for: by the age that was given, else by what the picture looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ml_model.bundle import BalancedDecision, Manifest, OperatingPoint
from ml_model.spec import ImageTask

# Share of belief from which a picture alone settles the population; below it the general operating point serves.
MIN_PROBABILITY = 0.9


@dataclass(frozen=True)
class Judgement:
    """`population` is the name of a data set of the task, None where it stays open; then so is `told_by`."""

    population: str | None
    told_by: Literal["age_years", "picture"] | None
    operating_point: OperatingPoint | BalancedDecision | None
    evidence: str


def judge(
    task: ImageTask, manifest: Manifest, population_probabilities: Sequence[float], age_years: float | None
) -> Judgement:
    """Operating point and evidence for one picture.

    population_probabilities: 0-1, in the order of `manifest.populations`; empty where the model cannot tell.
    """
    name, told_by = _by_age(task, manifest, age_years), "age_years"
    if name is None:
        name, told_by = _by_picture(manifest, population_probabilities), "picture"
    if name is None:
        return Judgement(None, None, manifest.operating_point, manifest.evidence)
    evidence = manifest.evidence_by_population.get(name, manifest.evidence)
    return Judgement(name, told_by, manifest.operating_points[name], evidence)  # type: ignore[arg-type]


def _by_age(task: ImageTask, manifest: Manifest, age_years: float | None) -> str | None:
    for dataset in task.datasets if age_years is not None else ():
        known = dataset.name in manifest.operating_points and dataset.ages_years is not None
        if known and dataset.ages_years[0] <= int(age_years or 0) <= dataset.ages_years[1]:  # type: ignore[index]
            return dataset.name
    return None


def _by_picture(manifest: Manifest, probabilities: Sequence[float]) -> str | None:
    for name, probability in zip(manifest.populations, probabilities, strict=False):
        if probability >= MIN_PROBABILITY and name in manifest.operating_points:
            return name
    return None
