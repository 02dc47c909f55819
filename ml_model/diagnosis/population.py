"""Which population a picture is judged for: by the age that was given, else by what the picture looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml_model.inference.bundle import Manifest
from ml_model.inference.calibration import with_age
from ml_model.inputs.dicom.header import DicomFacts
from ml_model.tasks.registry import ImageTask

# Share of belief from which a picture alone settles the population; below it the most cautious thresholds serve.
MIN_PROBABILITY = 0.9
AGE_GIVEN = "age given"  # key of the thresholds for cases whose age moved the probabilities
PAGE = "page"  # key of those for recordings that were read off a page
AgeTold = Literal["age_years", "dicom"]
ToldBy = Literal["age_years", "dicom", "picture"]


@dataclass(frozen=True)
class KnownFacts:
    """What is known of the picture beside its pixels. `view`: projection of a chest X-ray, PA or AP.

    `age_from`: whether the client gave the age or the DICOM file. `page`: whether it is a signal that was read off one.
    """

    age_years: float | None = None
    view: str | None = None
    age_from: AgeTold = "age_years"
    page: bool = False


def known_facts(age_years: float | None, view: str | None, dicom: DicomFacts | None) -> KnownFacts:
    """What a request says of the picture; what it leaves open, a DICOM file's header may say."""
    view = view or (dicom.view_position if dicom else None)
    if age_years is None and dicom is not None and dicom.patient_age_years is not None:
        return KnownFacts(dicom.patient_age_years, view, age_from="dicom")
    return KnownFacts(age_years, view)


def with_known_facts(manifest: Manifest, probabilities: NDArray[np.float32], known: KnownFacts) -> NDArray[np.float32]:
    """Probabilities (classes,) of one case as its picture gives them, with its age where that is known and counts."""
    if manifest.age_effect is None or known.age_years is None:
        return probabilities
    told: NDArray[np.float32] = with_age(probabilities[None], [known.age_years], manifest.age_effect)[0]
    return told


@dataclass(frozen=True)
class Judgement:
    """Whose thresholds a case is held against. `population` is the name of a data set of the task, None where it stays
    open; then so is `told_by`.

    judged_as: key of the manifest's thresholds: of the population, of its projection `view` where that has its own, of
    cases whose age is known, or of pages; None where nothing is known. `age_told_by` says where the age came from that
    moved the probabilities, None where none did.
    """

    population: str | None
    told_by: ToldBy | None
    view: str | None
    judged_as: str | None
    evidence: str
    age_told_by: AgeTold | None = None


def view_key(population: str, view: str) -> str:
    """Key of the thresholds of one projection of a population."""
    return f"{population}, view {view}"


def judge(
    task: ImageTask, manifest: Manifest, population_probabilities: Sequence[float], known: KnownFacts
) -> Judgement:
    """Thresholds and evidence for one picture.

    population_probabilities: 0-1, in the order of `manifest.populations`; empty where the model cannot tell.
    """
    age_told_by = known.age_from if manifest.age_effect and known.age_years is not None else None
    told_by: ToldBy = known.age_from
    name = _by_age(task, manifest, known.age_years)
    if name is None:
        name, told_by = _by_picture(manifest, population_probabilities), "picture"
    if name is None:
        of_page = PAGE if known.page and PAGE in manifest.findings_by_population else None
        return Judgement(None, None, None, AGE_GIVEN if age_told_by else of_page, manifest.evidence, age_told_by)
    of_view = view_key(name, known.view) if known.view else ""
    view = known.view if of_view in manifest.findings_by_population else None
    evidence = manifest.evidence_by_population.get(name, manifest.evidence)
    return Judgement(name, told_by, view, of_view if view else name, evidence, age_told_by)


def _by_age(task: ImageTask, manifest: Manifest, age_years: float | None) -> str | None:
    for dataset in task.datasets if age_years is not None else ():
        known = dataset.name in manifest.findings_by_population and dataset.ages_years is not None
        if known and dataset.ages_years[0] <= int(age_years or 0) <= dataset.ages_years[1]:  # type: ignore[index]
            return dataset.name
    return None


def _by_picture(manifest: Manifest, probabilities: Sequence[float]) -> str | None:
    for name, probability in zip(manifest.populations, probabilities, strict=False):
        if probability >= MIN_PROBABILITY and name in manifest.findings_by_population:
            return name
    return None
