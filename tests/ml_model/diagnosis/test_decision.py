"""From probabilities to a decision: order, states, the class that is named, what is settled, and what is refused."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tasks import made_finding, made_task, thresholds
from numpy.typing import NDArray
from predictions import manifest, predicted

from ml_model.diagnosis.decision import Beside, Decision, decide, example_decision, ranked, screening_category
from ml_model.diagnosis.population import KnownFacts
from ml_model.inference.bundle import PredictionSets, ScreeningCalibration
from ml_model.tasks.finding_schema import LEVELS, SEVERITIES, level_of
from ml_model.tasks.image_schema import Severity
from ml_model.tasks.measurement_schema import MeasuredFinding
from ml_model.tasks.registry import ImageTask, load_image_tasks

GRAVITY = {severity: place for place, severity in enumerate(SEVERITIES)}
each_image_task = pytest.mark.parametrize("task", load_image_tasks(), ids=lambda task: task.id)
TWO = made_task("low", "high", findings=[made_finding("f", ["c1"])])
# Two grave findings of different gravity, one class within the first being graver; two harmless classes.
FOUR = made_task(
    "healthy", "low", "high", "moderate", findings=[made_finding("grave", ["c2"]), made_finding("mild", ["c3"])]
)


def values(*probabilities: float) -> NDArray[np.float32]:
    return np.array(probabilities, np.float32)


def sets(task: ImageTask, threshold: float = 0.0) -> PredictionSets:
    return PredictionSets(coverage=0.9, thresholds=dict.fromkeys(task.measured_labels, threshold))


def decided(
    task: ImageTask,
    probabilities: NDArray[np.float32],
    *,
    in_set_from: float = 0.02,
    evidence: str = "sufficient",
    beside: Beside | None = None,
    **states: tuple[float | None, float],
) -> Decision:
    """states: by finding, below which probability it is ruled out and from which on it is suspected."""
    found = {code: thresholds(*limits) for code, limits in states.items()}
    settled = manifest(task, findings=found, prediction_sets=sets(task, in_set_from))
    settled = settled.model_copy(update={"evidence": evidence})
    return decide(task, settled, predicted(probabilities[None]), KnownFacts(), beside or Beside())


def states(decision: Decision) -> list[str]:
    return [finding.state for finding in decision.findings]


def codes(decision: Decision) -> list[str]:
    return [one.spec.code for one in decision.diagnosis.ranking]


@pytest.mark.parametrize(
    ("probability", "state", "named", "severity", "is_settled"),
    [
        (0.01, "ruled_out", "c0", "low", True),
        (0.0999, "ruled_out", "c0", "low", True),
        (0.1, "indeterminate", "c0", "moderate", False),
        (0.2499, "indeterminate", "c0", "moderate", False),
        (0.25, "suspected", "c1", "high", True),
        (0.9, "suspected", "c1", "high", True),
    ],
)
def test_a_probability_lies_in_one_of_three_zones(
    probability: float, state: str, named: str, severity: str, is_settled: bool
) -> None:
    told = decided(TWO, values(1 - probability, probability), in_set_from=0.11, f=(0.1, 0.25))
    assert states(told) == [state]
    assert (told.diagnosis.predicted.code, told.diagnosis.settled) == (named, is_settled)
    assert told.triage.severity == severity
    assert told.diagnosis.class_id == int(named[1])
    # The ranking stays by probability, and the confidence is that of what is named.
    assert codes(told)[0] == ("c1" if probability > 0.5 else "c0")
    assert told.diagnosis.confidence == pytest.approx(probability if named == "c1" else 1 - probability)


def test_a_class_in_question_is_not_ruled_out() -> None:
    assert states(decided(TWO, values(0.95, 0.05), in_set_from=0.04, f=(0.1, 0.25))) == ["indeterminate"]
    assert states(decided(TWO, values(0.95, 0.05), in_set_from=0.06, f=(0.1, 0.25))) == ["ruled_out"]


def test_what_has_no_rule_out_stays_open_however_improbable() -> None:
    told = decided(TWO, values(1.0, 0.0), f=(None, 0.25))
    assert (states(told), told.triage.severity, told.diagnosis.settled) == (["indeterminate"], "moderate", False)
    assert told.headline == "Class c0 most likely; f not ruled out"


def test_the_gravest_suspected_finding_names_the_class() -> None:
    told = decided(FOUR, values(0.5, 0.0, 0.1, 0.4), grave=(0.02, 0.08), mild=(0.02, 0.3))
    assert states(told) == ["suspected", "suspected"]
    assert told.diagnosis.predicted.code == "c2"  # although c3 and c0 are more probable
    assert told.triage.level == "urgent"
    assert [(r.code, r.level) for r in told.triage.reasons[:2]] == [("suspected", "urgent"), ("suspected", "soon")]
    assert told.headline == "Grave suspected; mild suspected"


def test_a_graver_finding_that_is_open_unsettles_one_that_is_suspected() -> None:
    told = decided(FOUR, values(0.5, 0.0, 0.1, 0.4), grave=(0.02, 0.3), mild=(0.02, 0.3))
    assert states(told) == ["indeterminate", "suspected"]
    assert (told.diagnosis.predicted.code, told.diagnosis.settled) == ("c3", False)
    lesser = decided(FOUR, values(0.5, 0.0, 0.4, 0.1), grave=(0.02, 0.3), mild=(0.02, 0.3))
    assert states(lesser) == ["suspected", "indeterminate"]
    assert (lesser.diagnosis.predicted.code, lesser.diagnosis.settled) == ("c2", True)


def test_with_all_ruled_out_the_most_probable_harmless_class_is_named() -> None:
    told = decided(FOUR, values(0.3, 0.25, 0.45, 0.0), in_set_from=0.46, grave=(0.46, 0.5), mild=(0.1, 0.5))
    assert states(told) == ["ruled_out", "ruled_out"]
    assert told.diagnosis.predicted.code == "c0"
    assert told.abstain_reasons == ("The picture is typical of none of the classes.",)
    assert not told.diagnosis.settled


def test_an_abstained_answer_says_only_who_should_read_it() -> None:
    told = decided(FOUR, values(0.9, 0.1, 0.0, 0.0), grave=(0.1, 0.5), mild=(0.1, 0.5), beside=Beside(unfit=("Blur.",)))
    assert (told.abstain_reasons, told.triage.level, told.triage.advice) == (("Blur.",), "soon", FOUR.undecided)
    assert "named" not in [reason.code for reason in told.triage.reasons]
    assert told.headline == "No statement can be made"
    grave = decided(FOUR, values(0.1, 0.0, 0.9, 0.0), grave=(0.1, 0.5), mild=(0.1, 0.5), beside=Beside(unfit=("B.",)))
    assert (grave.triage.level, grave.triage.advice) == ("urgent", FOUR.undecided)
    assert grave.triage.urgency.timeline == "c2 timeline"


def test_insufficient_evidence_settles_nothing_and_is_never_calm() -> None:
    told = decided(FOUR, values(0.98, 0.01, 0.005, 0.005), grave=(0.1, 0.5), mild=(0.1, 0.5), evidence="insufficient")
    assert states(told) == ["ruled_out", "ruled_out"]
    assert (told.triage.level, told.triage.advice, told.diagnosis.settled) == ("soon", FOUR.weak_evidence, False)
    assert told.triage.reasons[-1].text == "Class c0 is the most probable class."


def test_a_harmless_class_in_question_counts_by_its_own_gravity() -> None:
    task = made_task("healthy", "moderate", "high", findings=[made_finding("f", ["c2"])])
    told = decided(task, values(0.6, 0.4, 0.0), f=(0.1, 0.5))
    assert (told.diagnosis.predicted.code, told.triage.level) == ("c0", "soon")
    assert told.triage.reasons[0].text == "Class c1 is still in question."


def test_a_measured_finding_joins_the_triage_and_may_lower_the_claim() -> None:
    rhythm = MeasuredFinding(code="r", name="Irregular", text="Told.", level="urgent", lowers_claim=True)
    told = decided(
        FOUR, values(0.1, 0.0, 0.9, 0.0), grave=(0.1, 0.5), mild=(0.1, 0.5), beside=Beside(measured=(rhythm,))
    )
    assert states(told) == ["indeterminate", "ruled_out"]
    assert (told.triage.level, told.diagnosis.settled) == ("urgent", False)
    assert (told.triage.advice.title, told.triage.reasons[0].code) == ("Irregular", "measured")
    plain = rhythm.model_copy(update={"lowers_claim": False})
    again = decided(
        FOUR, values(0.1, 0.0, 0.9, 0.0), grave=(0.1, 0.5), mild=(0.1, 0.5), beside=Beside(measured=(plain,))
    )
    assert (states(again)[0], again.triage.reasons[0].code) == ("suspected", "suspected")


def test_several_labels_are_present_by_their_own_thresholds() -> None:
    findings = [made_finding("a", ["c1"]), made_finding("b", ["c2"]), made_finding("d", ["c3"])]
    task = made_task("healthy", "critical", "high", "low", multi_label=True, findings=findings)
    told = decided(task, values(0.1, 0.5, 0.9, 0.2), a=(0.1, 0.5), b=(0.1, 0.5), d=(0.1, 0.5))
    assert states(told) == ["suspected", "suspected", "indeterminate"]
    assert told.diagnosis.predicted.code == "c1"  # the gravest of those suspected, not the most probable
    assert told.diagnosis.positives == ("c1", "c2")
    assert codes(told) == ["c2", "c1", "c3", "c0"]
    assert told.triage.level == "emergency"
    none = decided(task, values(0.4, 0.01, 0.01, 0.01), a=(0.1, 0.5), b=(0.1, 0.5), d=(0.1, 0.5))
    assert (none.diagnosis.positives, none.triage.level) == (("c0",), "none")


def test_a_tie_goes_to_the_graver_class_then_to_the_earlier() -> None:
    order = ranked(made_task("low", "moderate", "critical", "critical"), values(0.25, 0.25, 0.25, 0.25))
    assert [one.spec.code for one in order] == ["c2", "c3", "c1", "c0"]


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        (values(1.0), r"made-up: probabilities of shape \(1,\), expected \(2,\)"),
        (values(0.2, 0.3, 0.5), r"made-up: probabilities of shape \(3,\), expected \(2,\)"),
        (values(0.5, 0.5)[None], r"made-up: probabilities of shape \(1, 2\), expected \(2,\)"),
        (values(np.nan, 1.0), r"made-up: probabilities are not finite: \[nan, 1.0\]"),
        (values(np.inf, 0.0), r"made-up: probabilities are not finite: \[inf, 0.0\]"),
        (values(-0.5, 1.0), r"made-up: probabilities outside 0 to 1: \[-0.5, 1.0\]"),
        (values(0.0, 1.5), r"made-up: probabilities outside 0 to 1: \[0.0, 1.5\]"),
        (values(0.5, 0.4), r"made-up: probabilities sum to 0.9000, expected 1"),
        (values(0.9, 0.9), r"made-up: probabilities sum to 1.8000, expected 1"),
    ],
)
def test_what_is_no_probability_is_refused(probabilities: NDArray[np.float32], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        ranked(made_task("low", "high"), probabilities)


def test_labels_judged_one_by_one_need_not_sum_to_one() -> None:
    assert len(ranked(made_task("low", "high", multi_label=True), values(0.9, 0.8))) == 2


def test_rounding_of_an_engine_is_let_through() -> None:
    assert ranked(made_task("low", "high"), values(0.6, 0.404))[0].spec.code == "c0"


@each_image_task
def test_every_class_of_the_registry_can_be_named_with_its_own_texts(task: ImageTask) -> None:
    limits = {rule.code: (0.1, 0.5) for rule in task.findings}
    for class_id, spec in enumerate(task.classes):
        probabilities = np.zeros(len(task.classes), np.float32)
        probabilities[class_id] = 1
        told = decided(task, probabilities, **limits)
        assert (told.diagnosis.class_id, told.diagnosis.predicted, told.diagnosis.settled) == (class_id, spec, True)
        # A class of the same coarser label is in question with it.
        gravest = max((task.by_code[code] for code in told.prediction_set), key=lambda c: GRAVITY[c.severity])
        assert spec.code in told.prediction_set
        assert told.triage.severity == gravest.severity
        if gravest.severity == spec.severity:
            assert told.triage.advice.title == task.recommendations[spec.severity].title
            assert told.triage.urgency == spec.urgency


@each_image_task
def test_the_example_of_demo_mode_settles_nothing(task: ImageTask) -> None:
    told = example_decision(task)
    assert [r.probability for r in told.diagnosis.ranking] == pytest.approx(
        sorted(task.demo_probabilities, reverse=True)
    )
    assert set(states(told)) == {"indeterminate"}
    assert not told.diagnosis.settled
    assert LEVELS.index(told.triage.level) >= LEVELS.index("soon")


def test_a_coarser_label_is_settled_before_the_class_within_it() -> None:
    """One class leads, but the sum of the two that share a label is larger: what is measured decides."""
    task = made_task("healthy", "low", "moderate", "high", findings=[made_finding("f", ["c3"])])
    dataset = task.datasets[0].model_copy(update={"labels": {"well": ("c0",), "ill": ("c1", "c2"), "bad": ("c3",)}})
    coarse = task.model_copy(update={"datasets": (dataset,)})
    assert coarse.measured_labels == {"c0": ("c0",), "ill": ("c1", "c2"), "c3": ("c3",)}
    probabilities = values(0.4, 0.35, 0.25, 0.0)
    assert decided(task, probabilities, f=(0.1, 0.5)).diagnosis.predicted.code == "c0"
    told = decided(coarse, probabilities, f=(0.1, 0.5))
    assert (told.diagnosis.predicted.code, codes(told)[0]) == ("c1", "c0")


@pytest.mark.parametrize(
    ("limits", "birads"), [((0.3, 0.5), "1"), ((0.1, 0.5), "0"), ((None, 0.5), "0"), ((0.1, 0.15), "5")]
)
def test_a_screening_category_is_what_the_state_allows(limits: tuple[float | None, float], birads: str) -> None:
    task = next(t for t in load_image_tasks() if t.id == "mammogram")
    told = decided(task, values(0.8, 0.2), in_set_from=0.25, cancer=limits)
    sure = ScreeningCalibration(slope=1.0, intercept=20.0, prevalence=0.3)
    category = screening_category(task, told, sure)
    assert category is not None
    assert category[0] == birads
    unsure = screening_category(task, told, sure.model_copy(update={"intercept": 0.0}))
    assert unsure is not None
    assert unsure[0] == ("1" if birads == "1" else "0")


@st.composite
def cases(draw: st.DrawFn) -> tuple[ImageTask, NDArray[np.float32], dict[str, Any]]:
    """A task of the registry, probabilities that fit it, and how they are judged."""
    task = draw(st.sampled_from(load_image_tasks()))
    weights = np.array([draw(st.floats(0, 1)) ** 3 for _ in task.codes], np.float64)
    total = weights.sum()
    spread = weights / total if total else np.full(len(weights), 1 / len(weights))
    probabilities = weights if task.multi_label else spread
    limits: dict[str, Any] = {}
    for rule in task.findings:
        below = draw(st.one_of(st.none(), st.floats(0, 0.5)))
        limits[rule.code] = (below, draw(st.floats(below or 0, 1)))
    return task, probabilities.astype(np.float32), {"in_set_from": draw(st.floats(0, 0.6)), **limits}


def least_level(decision: Decision, task: ImageTask) -> int:
    """The level that the answer may not stay below: an open finding has a calmer text of its own."""
    told: list[Severity] = [decision.diagnosis.predicted.severity]
    calmer = {code for f in decision.findings if f.state == "indeterminate" for code in f.rule.classes}
    told += [SEVERITIES[LEVELS.index(f.rule.open_level)] for f in decision.findings if f.state == "indeterminate"]
    told += ["moderate" if code in calmer else task.by_code[code].severity for code in decision.prediction_set]
    for finding in decision.findings:
        if finding.state == "suspected":
            told.append(min((task.by_code[c].severity for c in finding.rule.classes), key=GRAVITY.__getitem__))
    return max(LEVELS.index(level_of(severity)) for severity in told)


@settings(deadline=None, max_examples=400)  # a busy machine must not fail it
@given(cases(), st.sampled_from(["sufficient", "limited", "insufficient"]))
def test_no_answer_contradicts_itself(
    case: tuple[ImageTask, NDArray[np.float32], dict[str, Any]], evidence: str
) -> None:
    task, probabilities, judged = case
    told = decided(task, probabilities, evidence=evidence, **judged)
    diagnosis, level = told.diagnosis, LEVELS.index(told.triage.level)
    if not told.abstain_reasons:
        assert level >= least_level(told, task)
    assert told.triage.severity == SEVERITIES[level]
    assert diagnosis.predicted.code in told.prediction_set or not diagnosis.settled
    open_or_worse = [finding for finding in told.findings if finding.state != "ruled_out"]
    if level <= LEVELS.index("routine"):
        assert not open_or_worse
        assert diagnosis.predicted.code in task.harmless
        assert set(told.prediction_set) <= set(task.harmless)
        assert evidence != "insufficient"
        assert not told.abstain_reasons
    suspected = {code for finding in told.findings if finding.state == "suspected" for code in finding.rule.classes}
    assert not suspected or diagnosis.predicted.code in suspected
    if diagnosis.settled:
        graver = [f for f in told.findings if f.state == "indeterminate"]
        gravities = [max(GRAVITY[task.by_code[c].severity] for c in f.rule.classes) for f in graver]
        assert all(gravity < GRAVITY[diagnosis.predicted.severity] for gravity in gravities)
    if told.abstain_reasons:
        assert level >= LEVELS.index("soon")
        assert told.triage.advice == task.undecided
    for first, second in pairwise(diagnosis.ranking):
        assert first.probability >= second.probability
    for finding in told.findings:
        if finding.state == "ruled_out":
            assert set(finding.rule.classes).isdisjoint(told.prediction_set)


@settings(deadline=None)  # a busy machine must not fail it
@given(st.lists(st.floats(width=32), min_size=2, max_size=2))
def test_anything_else_is_refused_or_a_probability(numbers: list[float]) -> None:
    try:
        order = ranked(made_task("low", "high"), values(*numbers))
    except ValueError as error:
        assert str(error).startswith("made-up: probabilities ")  # noqa: PT017 - either outcome is right, both are checked
    else:
        assert all(0 <= one.probability <= 1 for one in order)
        assert abs(sum(numbers) - 1) <= 0.0101
