"""From probabilities to a decision: order, states, the class that is named, what is settled, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tasks import decided, made_finding, made_task, values
from numpy.typing import NDArray

from ml_model.diagnosis.decision import Beside, Decision, example_decision, ranked, screening_category
from ml_model.inference.bundle import ScreeningCalibration
from ml_model.tasks.measurement_schema import MeasuredFinding
from ml_model.tasks.registry import ImageTask, load_image_tasks
from ml_model.tasks.triage_scale import LEVELS, SEVERITIES

GRAVITY = {severity: place for place, severity in enumerate(SEVERITIES)}
each_image_task = pytest.mark.parametrize("task", load_image_tasks(), ids=lambda task: task.id)
TWO = made_task("low", "high", findings=[made_finding("f", ["c1"])])
# Two grave findings of different gravity, one class within the first being graver; two harmless classes.
FOUR = made_task(
    "healthy", "low", "high", "moderate", findings=[made_finding("grave", ["c2"]), made_finding("mild", ["c3"])]
)


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


def test_what_is_ruled_out_is_not_in_question() -> None:
    told = decided(TWO, values(0.95, 0.05), in_set_from=0.04, f=(0.1, 0.25))
    assert (states(told), told.prediction_set) == (["ruled_out"], ("c0",))
    still = decided(TWO, values(0.95, 0.05), in_set_from=0.04, f=(0.05, 0.25))
    assert (states(still), still.prediction_set) == (["indeterminate"], ("c0", "c1"))


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
    assert states(told) == ["indeterminate", "indeterminate"], "what cannot be leant on rules nothing out"
    assert "named" not in [reason.code for reason in told.triage.reasons]
    assert told.headline == "No statement can be made"
    grave = decided(FOUR, values(0.1, 0.0, 0.9, 0.0), grave=(0.1, 0.5), mild=(0.1, 0.5), beside=Beside(unfit=("B.",)))
    assert states(grave)[0] == "suspected"
    assert (grave.triage.level, grave.triage.advice) == ("urgent", FOUR.undecided)
    assert grave.triage.urgency.timeline == "c2 timeline"


def test_a_suspected_finding_is_a_statement_whichever_of_its_classes_it_is() -> None:
    task = made_task("healthy", "high", "high", findings=[made_finding("f", ["c1", "c2"])])
    told = decided(task, values(0.1, 0.45, 0.45), f=(0.1, 0.5))
    assert (told.prediction_set, told.abstain_reasons) == (("c1", "c2", "c0"), ())
    assert told.headline == "F suspected, most likely Class c1"
    unsure = decided(task, values(0.4, 0.3, 0.3), f=(0.1, 0.7))
    assert unsure.abstain_reasons == ("None of the 3 possible findings can be told from the others on this picture.",)


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
    assert states(told) == ["indeterminate", "indeterminate"]
    assert (told.triage.level, told.diagnosis.settled) == ("urgent", False)
    assert (told.triage.advice.title, told.triage.reasons[0].code) == ("Irregular", "measured")
    plain = rhythm.model_copy(update={"lowers_claim": False})
    again = decided(
        FOUR, values(0.1, 0.0, 0.9, 0.0), grave=(0.1, 0.5), mild=(0.1, 0.5), beside=Beside(measured=(plain,))
    )
    assert told.headline.endswith("; measured: irregular")
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
