"""Figures from predictions: labels that are coarser than the classes, and the thresholds of each population."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_tasks import thresholds
from numpy.typing import NDArray
from predictions import fixed, predicted
from samples import image_task

from ml_model.diagnosis.population import view_key
from ml_model.inference.bundle import PredictionSets
from ml_model.tasks.image_schema import DatasetSpec
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.labels import fully_labelled, label_space
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.answers import Answered, age_and_view_known, age_known, populations_told
from ml_model.training.evaluation.evaluator import brief_of, evaluate
from ml_model.training.evaluation.metrics import accuracy, class_auc


def two_sources() -> ImageTask:
    """A typed source with the four labels of skin's first classes, and a coarse one that knows ill or well."""
    task = image_task("skin")
    texts = {"folder": "f", "group_key": "g", "population": "p", "licence": "l", "citation": "c"}
    fine = DatasetSpec(name="fine", labels={code: (code,) for code in task.codes}, **texts)
    coarse = DatasetSpec(name="coarse", labels={"well": ("nv",), "ill": ("mel", "bcc", "akiec")}, **texts)
    return task.model_copy(update={"datasets": (fine, coarse)})


def sample(task: ImageTask, source: str, label: str) -> Sample:
    codes = next(d for d in task.datasets if d.name == source).labels[label]
    return Sample(Path("x"), source, label, codes, f"{label}", "test")


def one_hot(task: ImageTask, *codes: str) -> NDArray[np.float32]:
    return np.eye(len(task.codes), dtype=np.float32)[[task.codes.index(code) for code in codes]]


def test_a_coarse_label_is_right_when_any_of_its_classes_is_named() -> None:
    task = two_sources()
    samples = [sample(task, "fine", "mel"), sample(task, "fine", "nv"), sample(task, "fine", "bcc")]
    samples += [sample(task, "coarse", "ill")] * 2 + [sample(task, "coarse", "well")] * 2
    named = one_hot(task, "mel", "nv", "mel", "bcc", "nv", "nv", "akiec")
    assert fully_labelled(task, samples).tolist() == [True, True, True, False, False, True, True]
    assert label_space(task, "coarse").names == ("ill", "nv")
    figures = evaluate(fixed(task, predicted(named)), samples)
    assert figures.count == 5
    assert figures.accuracy.value == pytest.approx(3 / 5)
    assert figures.by_group["coarse"].count == 4
    assert figures.by_group["coarse"].accuracy.value == pytest.approx(2 / 4)
    assert figures.by_group["fine"].accuracy.value == pytest.approx(2 / 3, abs=1e-4)
    scored = fixed(task, predicted(named)).answered(samples, predicted(named), "coarse").scored.rows(np.arange(3, 7))
    assert accuracy(scored) == 0.5
    assert class_auc(scored, 0) == 0.5


def test_the_population_of_the_picture_or_of_the_age_sets_the_threshold() -> None:
    task = image_task("xray")
    children, adults, *_ = (d.name for d in task.datasets)
    low, middle, high = ({"pneumonia": thresholds(0.1, t)} for t in (0.2, 0.5, 0.8))
    evaluator = fixed(
        task,
        predicted([[0.3, 0.7]] * 3, [[1.0, 0.0], [0.0, 1.0], [0.6, 0.4]]),
        findings=middle,
        findings_by_population={children: low, adults: high, view_key(adults, "AP"): low},
        populations=(children, adults),
    )
    views = ({"view": "AP"}, {"view": "PA"}, {})
    samples = [Sample(Path("x"), adults, "NORMAL", ("normal",), str(i), "test", v) for i, v in enumerate(views)]
    by_picture = evaluator.answered(samples, evaluator.answers)
    # Told to be neither, it is held against the most cautious of all thresholds.
    assert called(by_picture) == ["suspected", "indeterminate", "suspected"]
    assert called(evaluator.answered(samples, evaluator.answers, facts=age_known)) == ["indeterminate"] * 3
    by_view = evaluator.answered(samples, evaluator.answers, facts=age_and_view_known)
    assert called(by_view) == ["suspected", "indeterminate", "indeterminate"]
    told = populations_told(by_picture, (children, adults))
    assert told == {adults: {children: 0.3333, adults: 0.3333, "not told": 0.3333}}


def called(answered: Answered) -> list[str]:
    return [decision.findings[0].state for decision in answered.decisions]


def test_findings_and_answers_are_counted_by_hand() -> None:
    task = image_task("xray")
    codes = ["pneumonia"] * 4 + ["normal"] * 4
    samples = [Sample(Path("x"), "a", c, (c,), str(i), "test") for i, c in enumerate(codes)]
    told = predicted([[1 - p, p] for p in (0.9, 0.6, 0.3, 0.05, 0.7, 0.3, 0.05, 0.01)])
    sets = PredictionSets(coverage=0.9, thresholds={"normal": 0.0, "pneumonia": 0.0})
    evaluator = fixed(task, told, findings={"pneumonia": thresholds(0.1, 0.5)}, prediction_sets=sets)
    evaluator = replace(evaluator, manifest=evaluator.manifest.model_copy(update={"evidence": "limited"}))
    figures = brief_of(evaluator.answered(samples, told))
    found, triage = figures.findings["pneumonia"], figures.triage
    assert triage is not None
    assert (found.count, found.sensitivity.value, found.suspected.value) == (4, 0.75, 0.5)
    assert (found.specificity.value, found.ruled_out.value) == (0.75, 0.5)
    assert found.auc.value == pytest.approx(11 / 16)  # of 16 pairs ten are in order, and two are ties
    assert triage.serious_answered_calm["pneumonia"].value == 0.25
    assert (triage.harmless, triage.harmless_suspected.value, triage.harmless_ruled_out.value) == (4, 0.25, 0.5)
    assert triage.abstained.value == 0
    healthy = brief_of(evaluator.answered(samples, told), np.arange(4, 8))
    assert healthy.findings == {}
    assert (healthy.triage.serious_answered_calm, healthy.triage.harmless) == ({}, 4)
