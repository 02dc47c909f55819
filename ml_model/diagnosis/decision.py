"""From a model's outputs to a decision: pure, no engine and no files, the task's texts and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_model.diagnosis.conformal import labels_in_question, own_estimate
from ml_model.diagnosis.findings import Finding, findings_of, unsettled_findings
from ml_model.diagnosis.population import Judgement, KnownFacts, judge, with_known_facts
from ml_model.diagnosis.triage import Evidence, Triage, triage
from ml_model.inference.bundle import Manifest, ScreeningCalibration
from ml_model.inference.predictor import Prediction
from ml_model.input_gate.modality_classifier import Recognition
from ml_model.tasks.labels import label_probabilities
from ml_model.tasks.measurement_schema import MeasuredFinding
from ml_model.tasks.registry import ClassSpec, ImageTask, Severity

# Room for rounding in an engine's softmax: float32 errs by 1e-6, bfloat16 by a few thousandths.
SUM_TOLERANCE = 1e-2
# Of a gate's way from its threshold to certainty: a picture that scores no further along it is a near miss.
GATE_EDGE = 0.1
MORE_PROBABLE_THAN_NOT = 0.5
_GRAVITY: dict[Severity, int] = {"healthy": 0, "low": 1, "moderate": 2, "high": 3, "critical": 4}


@dataclass(frozen=True)
class RankedClass:
    """One class with its probability, 0-1. `class_id` is its place in the model's output."""

    class_id: int
    spec: ClassSpec
    probability: float


@dataclass(frozen=True)
class Diagnosis:
    """The class that is named, which fits the states of the findings.

    `confidence` is its probability; where a finding is suspected from a low threshold on it may be below that of
    another class. `ranking` has every class, most probable first. `positives` are the codes called present, in output
    order: the named class alone, or in a multi-label task those of the suspected findings. settled: whether the class
    can be leant on; not while a finding is open that is graver, nor where the prediction set leaves the class out.
    """

    class_id: int
    predicted: ClassSpec
    confidence: float
    ranking: tuple[RankedClass, ...]
    positives: tuple[str, ...]
    settled: bool


@dataclass(frozen=True)
class Beside:
    """What is known of a case beside the model's outputs. recognition: of the gate. unfit: why the input cannot be
    leant on, as sentences. measured: findings that follow from measured figures."""

    recognition: Recognition | None = None
    unfit: tuple[str, ...] = ()
    measured: tuple[MeasuredFinding, ...] = ()


NOTHING_BESIDE = Beside()


@dataclass(frozen=True)
class Decision:
    """What one case comes to. probabilities: (classes,), of all views, with the age where one counts.

    judgement: population and evidence; None of an example. in_question: measured labels that the conformal thresholds
    leave open; None where there are none. prediction_set: the codes of their classes, or those of the model's own
    estimate, most probable first. abstain_reasons: why no statement can be made.
    """

    probabilities: NDArray[np.float32]
    diagnosis: Diagnosis
    findings: tuple[Finding, ...]
    triage: Triage
    judgement: Judgement | None
    in_question: tuple[str, ...] | None
    prediction_set: tuple[str, ...]
    abstain_reasons: tuple[str, ...] = ()
    measured: tuple[MeasuredFinding, ...] = ()

    @property
    def headline(self) -> str:
        """The named class, what is open beside it and what was measured beyond its range."""
        if self.abstain_reasons:
            return "No statement can be made"
        named = self.diagnosis.predicted
        told = [f.rule for f in self.findings if f.state == "suspected"]
        told.sort(key=lambda rule: named.code not in rule.classes)
        said = [f"{rule.name} suspected" for rule in told]
        open_rules = [f.rule for f in self.findings if f.state == "indeterminate"]
        alone = any(rule.classes == (named.code,) for rule in open_rules)  # the finding by another name
        if not told:
            certainty = "" if self.diagnosis.settled else " most likely, not settled" if alone else " most likely"
            said = [named.name + certainty]
        elif len(told[0].classes) > 1:
            said[0] += f", most likely {named.name}"
        open_ = [f"{rule.name} not ruled out" for rule in open_rules if rule.classes != (named.code,)]
        measured = ", ".join(found.name[0].lower() + found.name[1:] for found in self.measured)
        line = "; ".join([*said, *open_, *([f"measured: {measured}"] if measured else [])])
        return line[0].upper() + line[1:]


def decide(
    task: ImageTask, manifest: Manifest, prediction: Prediction, facts: KnownFacts, beside: Beside = NOTHING_BESIDE
) -> Decision:
    """From the model's outputs, a row a view of one case, and what is known beside them."""
    judgement = judge(task, manifest, prediction.population.mean(axis=0).tolist(), facts)
    probabilities = with_known_facts(manifest, prediction.probabilities.mean(axis=0), facts)
    ranking = ranked(task, probabilities)
    by_code = {r.spec.code: r.probability for r in ranking}
    lowered = any(finding.lowers_claim for finding in beside.measured)
    unfit = bool(beside.unfit)
    findings = findings_of(task, manifest, by_code, judgement.judged_as, lowered=lowered, unfit=unfit)
    in_question, told = None, own_estimate([(r.spec.code, r.probability) for r in ranking], task.multi_label)
    if sets := manifest.prediction_sets:
        ruled_out = {code for f in findings if f.state == "ruled_out" for code in f.rule.classes}
        labels = {label: codes for label, codes in task.measured_labels.items() if not ruled_out.issuperset(codes)}
        in_question = labels_in_question(labels, by_code, sets, judgement.judged_as)
        inside = {code for label in in_question for code in labels[label]}
        told = tuple(r.spec.code for r in ranking if r.spec.code in inside)
    limits, far = manifest.familiarity, prediction.distance
    unfamiliar = limits is not None and bool(far.size) and float(far.max()) >= limits.warn_from
    leading = max(label_probabilities(by_code, task.measured_labels).values())
    if any(finding.state != "indeterminate" for finding in findings):
        leading = 1.0  # that a finding is suspected or ruled out is a statement, whichever of its classes it is
    reasons = (*reasons_to_abstain(task, in_question, leading, beside.recognition, unfamiliar), *beside.unfit)
    sound = not reasons and not lowered and judgement.evidence != "insufficient"
    return _decided(task, probabilities, ranking, findings, judgement, in_question, told, reasons, beside, sound)


def example_decision(task: ImageTask) -> Decision:
    """Of the fixed example that stands in where a task has no model: nothing is settled."""
    probabilities = np.array(task.demo_probabilities, np.float32)
    ranking = ranked(task, probabilities)
    told = own_estimate([(r.spec.code, r.probability) for r in ranking], task.multi_label)
    findings = unsettled_findings(task, {r.spec.code: r.probability for r in ranking})
    return _decided(task, probabilities, ranking, findings, None, None, told, (), NOTHING_BESIDE, sound=False)


def _decided(
    task: ImageTask,
    probabilities: NDArray[np.float32],
    ranking: tuple[RankedClass, ...],
    findings: tuple[Finding, ...],
    judgement: Judgement | None,
    in_question: tuple[str, ...] | None,
    told: tuple[str, ...],
    reasons: tuple[str, ...],
    beside: Beside,
    sound: bool,
) -> Decision:
    """sound: whether the model knows such cases and can be leant on; told: codes of the prediction set."""
    diagnosis = interpret(task, ranking, findings, told if sound else ())
    worth = judgement.evidence if judgement else "insufficient"
    known = Evidence(diagnosis.predicted, diagnosis.settled, findings, told, reasons, worth, beside.measured)
    level = triage(task, known)
    return Decision(probabilities, diagnosis, findings, level, judgement, in_question, told, reasons, beside.measured)


def ranked(task: ImageTask, probabilities: NDArray[np.float32]) -> tuple[RankedClass, ...]:
    """Every class with its probability of one case, (classes,), 0-1, in the task's output order; the most probable
    first. Equal probabilities go to the graver class, then to the earlier one. Raises ValueError when the numbers are
    no probabilities for this task."""
    _check(task, probabilities)
    pairs = zip(task.classes, probabilities, strict=True)
    classes = [RankedClass(class_id, spec, float(p)) for class_id, (spec, p) in enumerate(pairs)]
    return tuple(sorted(classes, key=lambda r: (-r.probability, -_GRAVITY[r.spec.severity], r.class_id)))


def interpret(
    task: ImageTask, ranking: tuple[RankedClass, ...], findings: Sequence[Finding], in_set: Collection[str]
) -> Diagnosis:
    """The class that fits the states of the findings. in_set: codes of the prediction set; empty settles nothing.

    With suspected findings the most probable class of the gravest; with all ruled out the most probable harmless one;
    otherwise the most probable of all. Where labels are coarser than classes, as in BUSI, the most probable label comes
    first (by the sum of its classes that may be named), then its most probable class.
    """
    suspected = [_leading(task, ranking, f.rule.classes) for f in findings if f.state == "suspected"]
    if suspected:
        predicted = max(suspected, key=lambda r: (_GRAVITY[r.spec.severity], r.probability))
    elif findings and all(f.state == "ruled_out" for f in findings):
        predicted = _leading(task, ranking, task.harmless)
    else:
        predicted = ranking[0] if task.multi_label else _leading(task, ranking, task.codes)
    level = _GRAVITY[predicted.spec.severity]
    graver_open = any(_gravest(task, f) >= level for f in findings if f.state == "indeterminate")
    present = {code for f in findings if f.state == "suspected" for code in f.rule.classes}
    positives = tuple(code for code in task.codes if code in present) if task.multi_label and present else ()
    return Diagnosis(
        class_id=predicted.class_id,
        predicted=predicted.spec,
        confidence=predicted.probability,
        ranking=ranking,
        positives=positives or (predicted.spec.code,),
        settled=predicted.spec.code in in_set and not graver_open,
    )


def _gravest(task: ImageTask, finding: Finding) -> int:
    return max(_GRAVITY[task.by_code[code].severity] for code in finding.rule.classes)


def _leading(task: ImageTask, ranking: Sequence[RankedClass], codes: Collection[str]) -> RankedClass:
    """The most probable class among `codes`, of the most probable label; what is measured, the label, decides."""
    kept = [r for r in ranking if r.spec.code in codes]
    if task.multi_label:
        return kept[0]
    labels = {label: [c for c in of if c in codes] for label, of in task.measured_labels.items()}
    totals = label_probabilities({r.spec.code: r.probability for r in ranking}, labels)
    best = max(totals[label] for label, of in labels.items() if of)
    leading = {code for label, total in totals.items() if total == best for code in labels[label]}
    return next(r for r in kept if r.spec.code in leading)


def screening_category(
    task: ImageTask, decision: Decision, calibration: ScreeningCalibration | None
) -> tuple[str, float] | None:
    """The BI-RADS category that a screening reader would write, and the probability (0-1) at screening prevalence; None
    of a task without bands. Its own class's where the finding is ruled out; while it is open, or where nothing can be
    said, that of the lowest band: recall; where it is suspected, as far as the probability carries it."""
    rule = task.screening_bands
    if rule is None or calibration is None:
        return None
    told = next(r.probability for r in decision.diagnosis.ranking if r.spec.code == rule.positive)
    probability = calibration.probability(told, rule.screening_prevalence)
    state = next((f.state for f in decision.findings if rule.positive in f.rule.classes), "indeterminate")
    if state == "ruled_out" and not decision.abstain_reasons:
        return decision.diagnosis.predicted.birads or rule.ruled_out_birads, probability
    if state == "suspected" and not decision.abstain_reasons:
        band = next((b for b in rule.bands if probability < b.below), rule.bands[-1])
        return band.birads, probability
    return rule.bands[0].birads, probability


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


def reasons_to_abstain(
    task: ImageTask,
    in_question: Collection[str] | None,
    leading: float,
    recognition: Recognition | None,
    unfamiliar: bool,
) -> list[str]:
    """Why no statement can be made of this case, as sentences; empty where nothing speaks against one.

    in_question: measured labels in the prediction set, None without one. leading: probability (0-1) of the most
    probable label. recognition: of the gate, where the kind was
    looked at. unfamiliar: further from the training pictures than nearly all of those that validate.
    """
    reasons, labels = [], len(task.measured_labels)
    if in_question is not None and not in_question:
        reasons.append("The picture is typical of none of the classes.")
    elif in_question and 2 < labels == len(in_question) and leading < MORE_PROBABLE_THAN_NOT:
        reasons.append(f"None of the {labels} possible findings can be told from the others on this picture.")
    if recognition and recognition.score < recognition.threshold + GATE_EDGE * (1 - recognition.threshold):
        reasons.append("The picture was only just taken for one of the kind that is read here.")
    if unfamiliar:
        reasons.append("The picture is unlike those that the model learnt from.")
    return reasons
