"""Calibration, prediction sets, familiarity and abstention: chosen on validation, measured on test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_tasks import thresholds
from predictions import fixed, predicted
from samples import image_task
from scipy.stats import beta

from ml_model.diagnosis.conformal import labels_in_question
from ml_model.diagnosis.decision import reasons_to_abstain
from ml_model.inference.bundle import Calibration, OodLimits, PredictionSets
from ml_model.inference.calibration import calibrated
from ml_model.inference.interval import Interval
from ml_model.inference.measured import Failure
from ml_model.inference.ood import OodDetector
from ml_model.input_gate.modality_classifier import Recognition
from ml_model.training.data.samples import Sample
from ml_model.training.evaluation.calibration_error import brier_score, calibration_error, error_of_perfect_calibration
from ml_model.training.evaluation.metrics import Scored
from ml_model.training.evaluation.uncertainty_metrics import trust_figures
from ml_model.training.posthoc.calibration import fit_calibration, negative_log_likelihoods
from ml_model.training.posthoc.conformal import conformal_threshold, rescaled_weights, set_thresholds
from ml_model.training.posthoc.crossed import Answers
from ml_model.training.posthoc.findings import Weighted
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


@pytest.mark.parametrize(("count", "misses"), [(21, None), (22, 0), (37, 0), (38, 1), (200, 14)])
def test_a_conformal_threshold_leaves_out_so_few_that_the_promise_is_kept_with_confidence(
    count: int, misses: int | None
) -> None:
    """Of n cases as many lie below as leave a share of .9 covered with a probability of .9; under 22 cannot tell."""
    values = np.random.default_rng(0).permutation(np.arange(1, count + 1)) / count
    found = conformal_threshold(Weighted(values, np.ones(count)))
    assert found == pytest.approx(0.0 if misses is None else (misses + 1) / count)
    if misses is not None:
        assert beta.cdf(0.9, count - misses, misses + 1) <= 0.1 < beta.cdf(0.9, count - misses - 1, misses + 2)


def test_sets_cover_nine_in_ten_cases_of_every_class_that_was_not_seen() -> None:
    task = image_task("brain-mri").model_copy(update={"findings": ()})
    claimed, truth = drawn(2000, 4, sharpness=1.0)
    samples = [Sample(Path("x"), "a", "l", (task.codes[i],), str(n), "val") for n, i in enumerate(truth.argmax(axis=1))]
    found = set_thresholds(task, Answers(samples, claimed.astype(np.float32)), {})
    sets = PredictionSets(coverage=0.9, thresholds=found)
    again, unseen = drawn(2000, 4, sharpness=1.0, seed=5)
    names = list(task.measured_labels)
    for index in range(4):
        rows = again[unseen[:, index] > 0]
        inside = [
            names[index] in labels_in_question(task.measured_labels, dict(zip(task.codes, p, strict=True)), sets)
            for p in rows
        ]
        assert np.mean(inside) == pytest.approx(0.91, abs=0.04)


def test_a_case_that_is_ruled_out_counts_as_outside_its_set() -> None:
    task = image_task("xray")
    p = np.linspace(0.01, 1, 100)
    samples = [Sample(Path("x"), "a", "l", ("pneumonia",), str(i), "val") for i in range(100)]
    answers = Answers(samples, np.stack([1 - p, p], axis=1).astype(np.float32))
    few, many = ({"pneumonia": thresholds(below, 0.5)} for below in (0.02, 0.05))
    alone = set_thresholds(task, answers, few)["pneumonia"]
    assert alone == pytest.approx(0.06)  # five of a hundred may be left out
    assert set_thresholds(task, answers, many)["pneumonia"] == pytest.approx(0.06)
    more = {"pneumonia": thresholds(0.2, 0.5)}
    assert set_thresholds(task, answers, more)["pneumonia"] == 0.0  # what the finding leaves out is too much already


def test_weights_are_carried_over_so_that_the_same_class_is_named() -> None:
    task = image_task("skin")
    rng = np.random.default_rng(0)
    weights = dict(zip(task.codes, rng.uniform(0.1, 1, 7), strict=True))
    how = Calibration(method="temperature_and_bias", slope=(0.6,) * 7, intercept=tuple(rng.normal(0, 0.5, 7)))
    carried = rescaled_weights(weights, how.slope, how.intercept)
    raw = rng.dirichlet(np.ones(7), 200).astype(np.float32)
    named = (raw * list(weights.values())).argmax(axis=1)
    assert ((calibrated(raw, how) * list(carried.values())).argmax(axis=1) == named).all()


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
    ("task", "in_question", "leading", "gate", "unfamiliar", "said"),
    [
        ("skin", 1, 0.9, (0.99, 0.5), False, ""),
        ("skin", 6, 0.3, None, False, ""),
        ("skin", 7, 0.5, None, False, ""),
        ("skin", 7, 0.4, None, False, "None of the 7"),
        ("skin", 0, 0.9, None, False, "typical of none"),
        ("xray", 2, 0.5, None, False, ""),  # of two, the finding says that it is open
        ("skin", 1, 0.9, (0.54, 0.5), False, "only just"),
        ("skin", 1, 0.9, (0.56, 0.5), False, ""),
        ("skin", 1, 0.9, None, True, "unlike"),
        ("skin", None, 0.1, None, False, ""),
    ],
)
def test_reasons_to_abstain(
    task: str, in_question: int | None, leading: float, gate: tuple[float, float] | None, unfamiliar: bool, said: str
) -> None:
    spec = image_task(task)
    labels = None if in_question is None else tuple(spec.measured_labels)[:in_question]
    kind = spec.input.modality
    recognition = Recognition(kind, {kind: gate[0]}, {kind: gate[1]}) if gate else None
    reasons = reasons_to_abstain(spec, labels, leading, recognition, unfamiliar)
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
    evaluator = fixed(task, told, prediction_sets=sets, familiarity=limits)
    answered = evaluator.answered(samples, told)
    assert (answered.scored.truth == truth).all()
    figures = trust_figures(evaluator.manifest, told, answered)
    found = figures["prediction_sets"]
    assert {name: (row.count, row.coverage) for name, row in found.by_label.items()} == {
        "normal": (1, 1.0),
        "pneumonia": (3, round(2 / 3, 4)),
    }
    assert found.by_label["normal"].coverage_interval == Interval(value=1.0, low=0.025, high=1.0)
    assert (found.mean_size, found.coverage, found.coverage_interval.value) == (1.25, 0.75, 0.75)
    assert figures["abstention"].share == 0.5  # two pictures that are far away
    assert figures["abstention"].accuracy_when_answering.value == 1.0
    assert figures["familiarity"].own_refused == 0.25
    assert figures["failures"] == (Failure(picture=2, truth="pneumonia", named="normal", confidence=0.8),)
    assert figures["calibration"].after.brier_score.value == pytest.approx((0.02 + 0.32 + 1.28 + 0.18) / 4)
