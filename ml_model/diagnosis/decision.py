"""From a model's outputs to a decision: pure, no engine and no files, the task's texts and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_model.diagnosis.conformal import labels_in_question, own_estimate
from ml_model.diagnosis.population import Judgement, KnownFacts, judge, with_known_facts
from ml_model.inference.bundle import BalancedDecision, Manifest, OperatingPoint, ScreeningCalibration
from ml_model.inference.predictor import Prediction
from ml_model.input_gate.modality_classifier import Recognition
from ml_model.tasks.labels import label_probabilities
from ml_model.tasks.registry import ClassSpec, ImageTask, Recommendation, Severity

# A label of a multi-label task is called present from here on; such tasks have no tuned thresholds.
PRESENT_FROM = 0.5
# Room for rounding in an engine's softmax: float32 errs by 1e-6, bfloat16 by a few thousandths.
SUM_TOLERANCE = 1e-2
# Of a gate's way from its threshold to certainty: a picture that scores no further along it is a near miss.
GATE_EDGE = 0.1
_GRAVITY: dict[Severity, int] = {"healthy": 0, "low": 1, "moderate": 2, "high": 3, "critical": 4}


@dataclass(frozen=True)
class RankedClass:
    """One class with its probability, 0-1. `class_id` is its place in the model's output."""

    class_id: int
    spec: ClassSpec
    probability: float


@dataclass(frozen=True)
class Diagnosis:
    """What the probabilities mean for the task.

    `confidence` is the probability of `predicted`; with an operating point it may be below 0.5.
    `ranking` has every class, most probable first. `positives` are the codes called present:
    the predicted class alone, or in a multi-label task all those that reach 0.5, in output order.
    """

    class_id: int
    predicted: ClassSpec
    confidence: float
    ranking: tuple[RankedClass, ...]
    recommendation: Recommendation
    positives: tuple[str, ...]


@dataclass(frozen=True)
class Decision:
    """What one case comes to. probabilities: (classes,), of all views, with the age where one counts.

    judgement: population, operating point and evidence; None of an example. in_question: measured labels that the
    conformal thresholds leave open; None where there are none. prediction_set: the codes of their classes, or those
    of the model's own estimate, most probable first. abstain_reasons: why the answer should not be leant on.
    """

    probabilities: NDArray[np.float32]
    diagnosis: Diagnosis
    judgement: Judgement | None
    in_question: tuple[str, ...] | None
    prediction_set: tuple[str, ...]
    abstain_reasons: tuple[str, ...] = ()


def decide(
    task: ImageTask,
    manifest: Manifest,
    prediction: Prediction,
    facts: KnownFacts,
    recognition: Recognition | None = None,
) -> Decision:
    """From the model's outputs, a row a view of one case, and what is known beside them. `recognition`: of the gate."""
    judgement = judge(task, manifest, prediction.population.mean(axis=0).tolist(), facts)
    probabilities = with_known_facts(manifest, prediction.probabilities.mean(axis=0), facts)
    diagnosis = interpret(task, probabilities, judgement.operating_point)
    sets = manifest.prediction_sets
    if sets is None:
        return Decision(probabilities, diagnosis, judgement, None, _own_estimate(task, diagnosis))
    by_code = {r.spec.code: r.probability for r in diagnosis.ranking}
    labels = task.measured_labels
    in_question = labels_in_question(labels, by_code, sets, judgement.population)
    inside = {code for label in in_question for code in labels[label]}
    limits, far = manifest.familiarity, prediction.distance
    reasons = reasons_to_abstain(
        len(labels),
        len(in_question),
        gate=(recognition.score, recognition.threshold) if recognition else None,
        unfamiliar=limits is not None and bool(far.size) and float(far.max()) >= limits.warn_from,
    )
    classes = tuple(r.spec.code for r in diagnosis.ranking if r.spec.code in inside)
    return Decision(probabilities, diagnosis, judgement, in_question, classes, tuple(reasons))


def example_decision(task: ImageTask) -> Decision:
    """Of the fixed example that stands in where a task has no model."""
    probabilities = np.array(task.demo_probabilities, np.float32)
    diagnosis = interpret(task, probabilities, None)
    return Decision(probabilities, diagnosis, None, None, _own_estimate(task, diagnosis))


def _own_estimate(task: ImageTask, diagnosis: Diagnosis) -> tuple[str, ...]:
    return own_estimate([(r.spec.code, r.probability) for r in diagnosis.ranking], task.multi_label)


def interpret(
    task: ImageTask, probabilities: NDArray[np.float32], operating_point: OperatingPoint | BalancedDecision | None
) -> Diagnosis:
    """Diagnosis from one picture's probabilities, (classes,), 0-1, in the task's output order.

    Without an operating point the most probable label is settled first (where labels are coarser than the
    classes, as in BUSI, by the sum of their classes), then its most probable class. With one, its positive
    class is predicted from the threshold on, and below it the most probable of the others; a
    balanced decision predicts the class whose weighted probability is largest.
    In a multi-label task the gravest of the labels that are present is predicted, so that an infarction is not
    hidden behind a more probable lesser finding; where none is, the most probable one.
    Equal probabilities go to the graver class, then to the earlier one. Raises ValueError when
    the numbers are no probabilities for this task or the operating point belongs to another.
    """
    _check(task, probabilities)
    ranking = tuple(sorted(_ranked(task, probabilities), key=_gravest_of_most_probable))
    if isinstance(operating_point, BalancedDecision):
        predicted = _by_weight(task, ranking, operating_point)
    elif operating_point is None:
        predicted = _by_label(task, ranking)
    else:
        predicted = _by_threshold(task, ranking, operating_point)
    present = (code for code, p in zip(task.codes, probabilities, strict=True) if p >= PRESENT_FROM)
    return Diagnosis(
        class_id=predicted.class_id,
        predicted=predicted.spec,
        confidence=predicted.probability,
        ranking=ranking,
        recommendation=task.recommendations[predicted.spec.severity],
        positives=tuple(present) if task.multi_label else (predicted.spec.code,),
    )


def screening_category(
    task: ImageTask, diagnosis: Diagnosis, calibration: ScreeningCalibration | None
) -> tuple[str, float] | None:
    """BI-RADS category of the task's bands and the probability (0-1) at screening prevalence; None without either."""
    rule = task.screening_bands
    if rule is None or calibration is None:
        return None
    told = next(r.probability for r in diagnosis.ranking if r.spec.code == rule.positive)
    probability = calibration.probability(told, rule.screening_prevalence)
    band = next((b for b in rule.bands if probability < b.below), rule.bands[-1])
    return band.birads, probability


def _ranked(task: ImageTask, probabilities: NDArray[np.float32]) -> list[RankedClass]:
    pairs = zip(task.classes, probabilities, strict=True)
    return [RankedClass(class_id, spec, float(p)) for class_id, (spec, p) in enumerate(pairs)]


def _gravest_of_most_probable(ranked: RankedClass) -> tuple[float, int, int]:
    return -ranked.probability, -_GRAVITY[ranked.spec.severity], ranked.class_id


def _by_label(task: ImageTask, ranking: tuple[RankedClass, ...]) -> RankedClass:
    """The most probable class of the most probable label; what is measured, the label, is what decides."""
    if task.multi_label:
        present = [r for r in ranking if r.probability >= PRESENT_FROM]
        return max(present, key=lambda r: _GRAVITY[r.spec.severity]) if present else ranking[0]
    labels = task.measured_labels
    totals = label_probabilities({r.spec.code: r.probability for r in ranking}, labels)
    best = max(totals.values())
    leading = {code for label, total in totals.items() if total == best for code in labels[label]}
    return next(r for r in ranking if r.spec.code in leading)


def _by_threshold(task: ImageTask, ranking: tuple[RankedClass, ...], point: OperatingPoint) -> RankedClass:
    if task.multi_label or not {point.positive, point.negative} <= set(task.codes):
        raise ValueError(
            f"{task.id}: the operating point on {point.positive} against {point.negative} does not fit "
            f"the classes {', '.join(task.codes)}"
        )
    positive = next(r for r in ranking if r.spec.code == point.positive)
    if positive.probability >= point.threshold:
        return positive
    return next(r for r in ranking if r is not positive)


def _by_weight(task: ImageTask, ranking: tuple[RankedClass, ...], decision: BalancedDecision) -> RankedClass:
    if task.multi_label or set(decision.weights) != set(task.codes):
        raise ValueError(
            f"{task.id}: the weights for {', '.join(decision.weights)} do not fit the classes {', '.join(task.codes)}"
        )
    return max(ranking, key=lambda r: r.probability * decision.weights[r.spec.code])


def _check(task: ImageTask, probabilities: NDArray[np.float32]) -> None:
    expected = (len(task.classes),)
    if probabilities.shape != expected:
        raise ValueError(f"{task.id}: probabilities of shape {probabilities.shape}, expected {expected}")
    if not np.isfinite(probabilities).all():
        raise ValueError(f"{task.id}: probabilities are not finite: {probabilities.tolist()}")
    if probabilities.min() < 0 or probabilities.max() > 1:
        raise ValueError(f"{task.id}: probabilities outside 0 to 1: {probabilities.tolist()}")
    total = float(probabilities.sum(dtype=np.float64))
    if not task.multi_label and abs(total - 1) > SUM_TOLERANCE:
        raise ValueError(f"{task.id}: probabilities sum to {total:.4f}, expected 1")


def reasons_to_abstain(labels: int, in_question: int, gate: tuple[float, float] | None, unfamiliar: bool) -> list[str]:
    """Why this answer should not be leant on, as sentences; empty where nothing speaks against it.

    labels: how many are measured. in_question: how many of them the prediction set holds. gate: the score of the
    expected kind and the threshold it had to reach, where the kind was looked at. unfamiliar: further from the
    training pictures than nearly all of those that validate.
    """
    reasons = []
    if not in_question:
        reasons.append("The picture is typical of none of the classes.")
    elif in_question > labels / 2:
        reasons.append(f"{in_question} of {labels} possible findings cannot be told apart on this picture.")
    if gate and gate[0] < gate[1] + GATE_EDGE * (1 - gate[1]):
        reasons.append("The picture was only just taken for one of the kind that is read here.")
    if unfamiliar:
        reasons.append("The picture is unlike those that the model learnt from.")
    return reasons
