"""Figures from predictions: labels that are coarser than the classes, and the operating point of each population."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from predictions import fixed, predicted
from samples import image_task

from ml_model.diagnosis.population import view_key
from ml_model.inference.bundle import OperatingPoint
from ml_model.tasks.image_schema import DatasetSpec
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.labels import fully_labelled, label_space
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.evaluator import age_and_view_known, age_known, evaluate
from ml_model.training.evaluation.metrics import accuracy, class_auc
from ml_model.training.posthoc.operating_points import population_operating_points


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
    scored = fixed(task, predicted(named)).score(samples, predicted(named), source="coarse").rows(np.arange(3, 7))
    assert accuracy(scored) == 0.5
    assert class_auc(scored, 0) == 0.5


def test_the_population_of_the_picture_or_of_the_age_sets_the_threshold() -> None:
    task = image_task("xray")
    children, adults, *_ = (d.name for d in task.datasets)
    rest = {"positive": "pneumonia", "negative": "normal", "rule": "r", "validation_sensitivity": 1.0}
    low, middle, high = (OperatingPoint(**rest, threshold=t, validation_specificity=1.0) for t in (0.2, 0.5, 0.8))
    evaluator = fixed(
        task,
        predicted([[0.3, 0.7]] * 3, [[1.0, 0.0], [0.0, 1.0], [0.6, 0.4]]),
        operating_point=middle,
        operating_points={children: low, adults: high, view_key(adults, "AP"): low},
        populations=(children, adults),
    )
    views = ({"view": "AP"}, {"view": "PA"}, {})
    samples = [Sample(Path("x"), adults, "NORMAL", ("normal",), str(i), "test", v) for i, v in enumerate(views)]
    by_picture = evaluator.score(samples, evaluator.answers)
    assert by_picture.predicted[:, 1].tolist() == [True, False, True]
    by_age = evaluator.score(samples, evaluator.answers, facts=age_known)
    assert by_age.predicted[:, 1].tolist() == [False, False, False]
    by_view = evaluator.score(samples, evaluator.answers, facts=age_and_view_known)
    assert by_view.predicted[:, 1].tolist() == [True, False, False]
    told = evaluator.populations_told(samples, evaluator.answers)
    assert told == {adults: {children: 0.3333, adults: 0.3333, "not told": 0.3333}}


def test_views_get_points_of_their_own_from_their_validation_films() -> None:
    task = image_task("xray")
    children, adults, *_ = (d.name for d in task.datasets)
    rows = [(children, "", 0.9, True), (children, "", 0.1, False)]
    rows += [
        (adults, "PA", 0.6, True),
        (adults, "PA", 0.2, False),
        (adults, "AP", 0.3, True),
        (adults, "AP", 0.7, False),
    ]
    rows += [(adults, "lateral", 0.8, True)]  # one class only: no point of its own
    samples = [
        Sample(Path("x"), source, "L", (("normal", "pneumonia")[ill],), str(i), "val", {"view": view})
        for i, (source, view, _, ill) in enumerate(rows)
    ]
    validation = fixed(task, predicted([[1 - p, p] for _, _, p, _ in rows]))
    points = population_operating_points(task, samples, validation.score(samples, validation.answers))
    found = {name: round(point.threshold, 3) for name, point in points.items()}
    assert found == {children: 0.9, adults: 0.3, view_key(adults, "AP"): 0.3, view_key(adults, "PA"): 0.6}


def test_a_set_of_the_same_population_helps_to_choose_its_point() -> None:
    task = image_task("xray")
    children, adults, *_ = (d.name for d in task.datasets)
    more = task.datasets[1].model_copy(update={"name": "more", "ages_years": None, "population_of": adults})
    task = task.model_copy(update={"datasets": (*task.datasets[:2], more)})
    assert [task.population_of(name) for name in (children, adults, "more")] == [children, adults, adults]
    rows = [(children, 0.9, True), (children, 0.1, False), (adults, 0.6, True), (adults, 0.2, False)]
    rows += [("more", 0.4, True), ("more", 0.1, False)]
    samples = [
        Sample(Path("x"), source, "L", (("normal", "pneumonia")[ill],), str(i), "val")
        for i, (source, _, ill) in enumerate(rows)
    ]
    validation = fixed(task, predicted([[1 - p, p] for _, p, _ in rows]))
    points = population_operating_points(task, samples, validation.score(samples, validation.answers))
    assert {name: round(point.threshold, 3) for name, point in points.items()} == {children: 0.9, adults: 0.4}
