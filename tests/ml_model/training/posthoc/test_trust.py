"""Calibration, prediction sets, alerts, familiarity and abstention: chosen on validation, measured on test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from predictions import manifest, predicted
from samples import image_task

from ml_model.diagnosis.conformal import labels_in_question
from ml_model.diagnosis.decision import decide, interpret, reasons_to_abstain
from ml_model.diagnosis.population import KnownFacts
from ml_model.inference.bundle import BalancedDecision, Calibration, OodLimits, PredictionSets
from ml_model.inference.calibration import calibrated
from ml_model.inference.interval import Interval
from ml_model.inference.measured import Failure
from ml_model.inference.ood import OodDetector
from ml_model.tasks.registry import ImageTask
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.calibration_error import brier_score, calibration_error, error_of_perfect_calibration
from ml_model.training.evaluation.metrics import Scored
from ml_model.training.evaluation.uncertainty_metrics import trust_figures
from ml_model.training.posthoc.alerts import alert_points
from ml_model.training.posthoc.calibration import fit_calibration, negative_log_likelihoods
from ml_model.training.posthoc.conformal import conformal_threshold, prediction_sets, rescaled_weights
from ml_model.training.posthoc.ood import fit_ood_detector


def drawn(count: int, classes: int, sharpness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that claim logits `sharpness` times too large, and one-hot truths drawn from the right ones."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (count, classes))
    right = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    claimed = np.exp(sharpness * logits)
    truth = np.array([rng.choice(classes, p=p) for p in right])
    return claimed / claimed.sum(axis=1, keepdims=True), np.eye(classes)[truth]


def scored(probabilities: np.ndarray, truth: np.ndarray) -> Scored:
    named = np.eye(truth.shape[1], dtype=bool)[probabilities.argmax(axis=1)]
    return Scored(truth > 0, named, probabilities, np.arange(len(truth)).astype(str))


def test_a_temperature_undoes_overconfidence() -> None:
    claimed, truth = drawn(3000, 4, sharpness=2.0)
    groups = [str(i) for i in range(len(truth))]
    found = fit_calibration(claimed, truth, groups, multi_label=False)
    assert found.method == "temperature"
    assert found.slope == pytest.approx((0.5,) * 4, abs=0.05)
    assert found.intercept == pytest.approx((0.0,) * 4, abs=0.15)
    again, unseen = drawn(3000, 4, sharpness=2.0, seed=1)
    before, after = scored(again, unseen), scored(calibrated(again, found), unseen)
    assert calibration_error(before) > 0.1 > 0.03 > calibration_error(after)
    assert brier_score(after) < brier_score(before)
    assert (before.predicted == after.predicted).mean() > 0.97


def test_a_perfectly_calibrated_model_does_not_read_zero_on_few_pictures() -> None:
    """Truth drawn from the claimed probabilities reads what is foretold; it shrinks with the root of the number."""
    few, truth = drawn(300, 2, sharpness=1.0)
    foretold = error_of_perfect_calibration(scored(few, truth))
    assert 0.04 < foretold.value < 0.1
    assert foretold.low < calibration_error(scored(few, truth)) < foretold.high
    many, _ = drawn(30_000, 2, sharpness=1.0)
    assert error_of_perfect_calibration(scored(many, np.eye(2)[many.argmax(axis=1)])).value == pytest.approx(
        foretold.value / 10, rel=0.3
    )
    claimed, truth = drawn(300, 2, sharpness=3.0)
    assert calibration_error(scored(claimed, truth)) > error_of_perfect_calibration(scored(claimed, truth)).high


def test_answers_of_one_confidence_are_not_told_apart_by_their_order() -> None:
    """The same 60 % for everybody, of whom 60 % are right, the wrong ones first: no error."""
    constant = np.tile([0.6, 0.4], (300, 1))
    truth = np.eye(2)[np.repeat([1, 0], [120, 180])]
    assert calibration_error(scored(constant, truth)) == pytest.approx(0, abs=1e-12)
    assert calibration_error(scored(constant[:200], truth[:200])) == pytest.approx(0.2)


def test_intercepts_are_fitted_only_where_they_clearly_help() -> None:
    """The share of a class that is off by a factor of four is put right; noise on sixty pictures moves no class."""
    claimed, truth = drawn(60, 4, sharpness=1.0)
    few = fit_calibration(claimed, truth, [str(i) for i in range(60)], multi_label=False)
    assert (few.method, few.slope, few.intercept) == ("none", (1.0,) * 4, (0.0,) * 4)
    assert calibrated(claimed, few) == pytest.approx(claimed, abs=1e-7)
    claimed, truth = drawn(2000, 4, sharpness=1.0)
    tilted = claimed * [4, 1, 1, 1]
    tilted /= tilted.sum(axis=1, keepdims=True)
    found = fit_calibration(tilted, truth, [str(i) for i in range(2000)], multi_label=False)
    assert found.method == "temperature_and_bias"
    assert found.intercept[0] - np.mean(found.intercept[1:]) == pytest.approx(
        -np.log(4), abs=0.35
    )  # less for the penalty


def test_each_label_of_several_is_calibrated_for_itself() -> None:
    rng = np.random.default_rng(0)
    logit = rng.normal(0, 1.5, (4000, 2))
    truth = rng.random((4000, 2)) < 1 / (1 + np.exp(-logit))
    claimed = 1 / (1 + np.exp(-(logit * [2.0, 1.0] + [0.0, 1.0])))
    groups = [str(i) for i in range(4000)]
    assert fit_calibration(1 / (1 + np.exp(-logit)), truth * 1.0, groups, multi_label=True).method == "none"
    found = fit_calibration(claimed, truth * 1.0, groups, multi_label=True)
    assert found.method == "logistic"
    assert found.slope == pytest.approx((0.5, 1.0), abs=0.06)
    assert found.intercept == pytest.approx((0.0, -1.0), abs=0.1)


def test_a_partial_label_counts_by_the_sum_of_its_classes() -> None:
    p = np.array([[0.5, 0.3, 0.2]])
    assert negative_log_likelihoods(p, np.array([[1, 1, 0]])) == pytest.approx([-np.log(0.8)])
    several = negative_log_likelihoods(p, np.array([[1, 0, 0]]), multi_label=True)
    assert several == pytest.approx([-np.log(0.5 * 0.7 * 0.8)])


def test_calibrated_probabilities_do_not_depend_on_the_batch() -> None:
    claimed, _ = drawn(40, 7, sharpness=1.0)
    how = Calibration(method="temperature_and_bias", slope=(0.7,) * 7, intercept=tuple(np.linspace(-0.3, 0.3, 7)))
    together = calibrated(claimed.astype(np.float32), how)
    apart = np.concatenate([calibrated(claimed[i : i + 1].astype(np.float32), how) for i in range(40)])
    assert together.tobytes() == apart.tobytes()
    assert together.sum(axis=1) == pytest.approx(np.ones(40), abs=1e-6)
    extreme = calibrated(np.array([[0.0, 1.0, 0, 0, 0, 0, 0]], np.float32), how)
    assert np.isfinite(extreme).all()


@pytest.mark.parametrize(("count", "rank"), [(8, None), (9, 9), (19, 18), (99, 90)])
def test_a_conformal_threshold_is_the_rank_that_finite_samples_ask_for(count: int, rank: int | None) -> None:
    """Of n cases the ceil(0.9 (n + 1))-th largest; fewer than nine cannot tell."""
    values = np.random.default_rng(0).permutation(np.arange(1, count + 1)) / count
    assert conformal_threshold(values) == (0.0 if rank is None else (count + 1 - rank) / count)


def test_sets_cover_nine_in_ten_cases_of_every_class_that_was_not_seen() -> None:
    task = image_task("brain-mri")
    claimed, truth = drawn(2000, 4, sharpness=1.0)
    samples = [Sample(Path("x"), "a", "l", (task.codes[i],), str(n), "val") for n, i in enumerate(truth.argmax(axis=1))]
    sets = prediction_sets(task, samples, scored(claimed, truth), [])
    again, unseen = drawn(2000, 4, sharpness=1.0, seed=5)
    names = list(task.measured_labels)
    for index in range(4):
        rows = again[unseen[:, index] > 0]
        inside = [
            names[index] in labels_in_question(task.measured_labels, dict(zip(task.codes, p, strict=True)), sets)
            for p in rows
        ]
        assert np.mean(inside) == pytest.approx(0.9, abs=0.04)


def test_an_alert_keeps_its_sensitivity_whatever_class_is_named() -> None:
    task = image_task("skin")
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(7), 300)
    codes = [task.codes[i] for i in rng.integers(0, 7, 300)]
    samples = [Sample(Path("x"), "a", c, (c,), str(i), "val") for i, c in enumerate(codes)]
    points = alert_points(task, samples, p)
    for rule in task.alerts:
        point = points[rule.name]
        scores = p[:, [task.codes.index(c) for c in rule.classes]].sum(axis=1)
        there = np.array([c in rule.classes for c in codes])
        assert (scores[there] >= point.threshold).mean() >= rule.min_sensitivity
        assert (scores[there] > point.threshold).mean() < rule.min_sensitivity
        assert point.validation_specificity == pytest.approx((scores[~there] < point.threshold).mean(), abs=1e-4)


def test_weights_are_carried_over_so_that_the_same_class_is_named() -> None:
    task = image_task("skin")
    rng = np.random.default_rng(0)
    weights = dict(zip(task.codes, rng.uniform(0.1, 1, 7), strict=True))
    how = Calibration(method="temperature_and_bias", slope=(0.6,) * 7, intercept=tuple(rng.normal(0, 0.5, 7)))
    carried = BalancedDecision(weights=rescaled_weights(weights, how.slope, how.intercept), rule="x")
    raw = rng.dirichlet(np.ones(7), 200).astype(np.float32)
    for p, told in zip(raw, calibrated(raw, how), strict=True):
        before = interpret(task, p, BalancedDecision(weights=weights, rule="x")).class_id
        assert interpret(task, told, carried).class_id == before


def test_what_excites_other_features_than_the_training_pictures_is_found_and_read_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    few, all_of_them = rng.normal(size=(6, 40)), rng.normal(size=(40, 40))
    train, validation, fresh = (
        rng.normal(1, 1, (n, 6)) @ few + 0.1 * rng.normal(size=(n, 40)) for n in (400, 200, 500)
    )
    familiarity, limits = fit_ood_detector(train, validation, seed=0)
    assert limits.warn_from < limits.refuse_from
    assert (familiarity.distances(fresh) >= limits.refuse_from).mean() < 0.02
    strange = rng.normal(1, 1, (50, 40)) @ all_of_them
    assert (familiarity.distances(strange) >= limits.refuse_from).all()
    assert familiarity.distances(train[:1] * 7) == pytest.approx(familiarity.distances(train[:1]))
    familiarity.write(tmp_path / "f.npz")
    together = OodDetector.read(tmp_path / "f.npz").distances(validation)
    assert together.tobytes() == familiarity.distances(validation).tobytes()
    apart = np.concatenate([familiarity.distances(validation[i : i + 1]) for i in range(len(validation))])
    assert together.tobytes() == apart.tobytes()


@pytest.mark.parametrize(
    ("task", "in_question", "gate", "unfamiliar", "said"),
    [
        ("skin", 1, (0.99, 0.5), False, ""),
        ("skin", 3, None, False, ""),
        ("skin", 4, None, False, "4 of 7"),
        ("skin", 0, None, False, "typical of none"),
        ("xray", 2, None, False, "2 of 2"),
        ("skin", 1, (0.54, 0.5), False, "only just"),
        ("skin", 1, (0.56, 0.5), False, ""),
        ("skin", 1, None, True, "unlike"),
    ],
)
def test_reasons_to_abstain(
    task: str, in_question: int, gate: tuple[float, float] | None, unfamiliar: bool, said: str
) -> None:
    reasons = reasons_to_abstain(len(image_task(task).measured_labels), in_question, gate, unfamiliar)
    assert len(reasons) == bool(said)
    assert said in " ".join(reasons)


def test_figures_of_trust_are_those_counted_by_hand() -> None:
    task = image_task("xray")
    p = np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2], [0.3, 0.7]])
    codes = ["normal", "pneumonia", "pneumonia", "pneumonia"]
    assert task.codes == ("normal", "pneumonia")
    samples = [Sample(Path("x"), "a", c, (c,), str(i), "test") for i, c in enumerate(codes)]
    truth = np.array([[1, 0], [0, 1], [0, 1], [0, 1]], bool)
    sets = PredictionSets(coverage=0.9, thresholds={"normal": 0.35, "pneumonia": 0.25})
    limits = OodLimits(warn_from=1.0, refuse_from=2.0, rule="x")
    told = predicted(p)
    object.__setattr__(told, "distance", np.array([0.5, 0.5, 1.5, 2.5]))
    answers = Scored(truth, np.eye(2, dtype=bool)[p.argmax(axis=1)], p, np.arange(4).astype(str))
    settled = manifest(task, prediction_sets=sets, familiarity=limits)
    decisions = [decide(task, settled, told.rows(np.array([row])), KnownFacts()) for row in range(4)]
    figures = trust_figures(task, settled, samples, told, answers, decisions)
    found = figures["prediction_sets"]
    assert {name: (row.count, row.coverage) for name, row in found.by_label.items()} == {
        "normal": (1, 1.0),
        "pneumonia": (3, round(2 / 3, 4)),
    }
    assert found.by_label["normal"].coverage_interval == Interval(value=1.0, low=0.025, high=1.0)
    assert (found.mean_size, found.coverage, found.coverage_interval.value) == (1.25, 0.75, 0.75)
    assert figures["abstention"].share == 0.75  # one set of two, two pictures that are far away
    assert figures["abstention"].accuracy_when_answering.value == 1.0
    assert figures["familiarity"].own_refused == 0.25
    assert figures["failures"] == (Failure(picture=2, truth="pneumonia", named="normal", confidence=0.8),)
    assert figures["calibration"].after.brier_score.value == pytest.approx((0.02 + 0.32 + 1.28 + 0.18) / 4)


def test_alerts_of_a_task_file_are_checked() -> None:
    task = image_task("heart")
    wrong = [{**task.alerts[0].model_dump(), "classes": ("mi", "cd")}]
    with pytest.raises(ValueError, match="one class only"):
        ImageTask.model_validate({**task.model_dump(), "alerts": wrong})
    unknown = [{**task.alerts[0].model_dump(), "classes": ("mj",)}]
    with pytest.raises(ValueError, match="no class has the code mj"):
        ImageTask.model_validate({**task.model_dump(), "alerts": unknown})
