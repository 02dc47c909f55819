"""From probabilities to a diagnosis: order, threshold, several labels, ties, and what is refused."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ml_model.diagnosis.decision import Diagnosis, interpret
from ml_model.inference.bundle import BalancedDecision, OperatingPoint
from ml_model.tasks.image_schema import Severity, Staging, Urgency
from ml_model.tasks.registry import ClassSpec, DatasetSpec, ImageInput, ImageTask, Recommendation, load_image_tasks

LEVELS: tuple[Severity, ...] = ("healthy", "low", "moderate", "high", "critical")
GRAVITY = {level: place for place, level in enumerate(LEVELS)}
each_image_task = pytest.mark.parametrize("task", load_image_tasks(), ids=lambda task: task.id)


def made_task(*severities: Severity, multi_label: bool = False) -> ImageTask:
    """Classes c0, c1, … of the given severities."""
    codes = [f"c{i}" for i in range(len(severities))]
    advice = {s: Recommendation(title=s, message=f"{s} message", actions=(f"{s} action",)) for s in set(severities)}
    return ImageTask(
        id="made-up",
        kind="image",
        title="Made up",
        health_key="made_up",
        licence="CC0",
        intended_use="Tests.",
        limits_of_use=("Tests.",),
        multi_label=multi_label,
        input=ImageInput(modality="none", height_px=32, width_px=32),
        classes=tuple(made_class(code, s) for code, s in zip(codes, severities, strict=True)),
        recommendations=advice,
        demo_probabilities=(1.0, *[0.0] * (len(codes) - 1)),
        datasets=(
            DatasetSpec(
                name="d", folder="f", group_key="g", population="p", licence="l", citation="c",
                labels={code: (code,) for code in codes},
            ),
        ),
    )  # fmt: skip


def made_class(code: str, severity: Severity) -> ClassSpec:
    return ClassSpec(
        code=code,
        name=f"Class {code}",
        type="abnormal",
        severity=severity,
        staging=Staging(stage="s", description="d", prognosis="p"),
        urgency=Urgency(timeline="t", action="a", color="#000000"),
        treatment_options=("o",),
    )


def values(*probabilities: float) -> NDArray[np.float32]:
    return np.array(probabilities, np.float32)


def point(threshold: float, positive: str = "c1", negative: str = "c0") -> OperatingPoint:
    return OperatingPoint(
        positive=positive,
        negative=negative,
        threshold=threshold,
        rule="test",
        validation_sensitivity=0.95,
        validation_specificity=0.9,
    )


def codes(diagnosis: Diagnosis) -> list[str]:
    return [ranked.spec.code for ranked in diagnosis.ranking]


def test_the_most_probable_class_is_predicted() -> None:
    diagnosis = interpret(made_task("low", "critical", "moderate"), values(0.2, 0.3, 0.5), None)
    assert diagnosis.class_id == 2
    assert diagnosis.predicted.code == "c2"
    assert diagnosis.confidence == 0.5
    assert codes(diagnosis) == ["c2", "c1", "c0"]
    assert [r.class_id for r in diagnosis.ranking] == [2, 1, 0]
    assert [r.probability for r in diagnosis.ranking] == pytest.approx([0.5, 0.3, 0.2])
    assert diagnosis.recommendation.title == "moderate"
    assert diagnosis.positives == ("c2",)


@pytest.mark.parametrize(
    ("probability", "predicted", "level"),
    [(0.1, "c0", "low"), (0.2499, "c0", "low"), (0.25, "c1", "high"), (0.4, "c1", "high"), (0.9, "c1", "high")],
)
def test_with_an_operating_point_the_threshold_decides(probability: float, predicted: str, level: str) -> None:
    diagnosis = interpret(made_task("low", "high"), values(1 - probability, probability), point(0.25))
    assert diagnosis.predicted.code == predicted
    assert diagnosis.class_id == int(predicted[1])
    assert diagnosis.recommendation.title == level
    assert diagnosis.positives == (predicted,)
    # The ranking stays by probability, and the confidence is that of what is predicted.
    assert codes(diagnosis)[0] == ("c1" if probability > 0.5 else "c0")
    assert diagnosis.confidence == pytest.approx(probability if predicted == "c1" else 1 - probability)


def test_a_high_threshold_turns_a_probable_positive_down() -> None:
    diagnosis = interpret(made_task("low", "high"), values(0.3, 0.7), point(0.8))
    assert diagnosis.predicted.code == "c0"
    assert diagnosis.confidence == pytest.approx(0.3)
    assert codes(diagnosis) == ["c1", "c0"]


def test_below_the_threshold_the_most_probable_other_class_is_predicted() -> None:
    task = made_task("low", "high", "moderate")
    assert interpret(task, values(0.2, 0.35, 0.45), point(0.4)).predicted.code == "c2"
    assert interpret(task, values(0.1, 0.6, 0.3), point(0.7)).predicted.code == "c2"
    assert interpret(task, values(0.2, 0.4, 0.4), point(0.3)).predicted.code == "c1"


def test_several_labels_can_be_present() -> None:
    diagnosis = interpret(
        made_task("healthy", "critical", "high", "low", multi_label=True), values(0.1, 0.5, 0.9, 0.49), None
    )
    assert diagnosis.predicted.code == "c1"  # the gravest of those present, not the most probable
    assert diagnosis.confidence == pytest.approx(0.5)
    assert diagnosis.positives == ("c1", "c2")
    assert codes(diagnosis) == ["c2", "c1", "c3", "c0"]


def test_no_label_may_be_present() -> None:
    diagnosis = interpret(made_task("healthy", "critical", multi_label=True), values(0.4, 0.3), None)
    assert diagnosis.predicted.code == "c0"
    assert diagnosis.positives == ()


def test_a_tie_goes_to_the_graver_class_then_to_the_earlier() -> None:
    diagnosis = interpret(made_task("low", "moderate", "critical", "critical"), values(0.25, 0.25, 0.25, 0.25), None)
    assert codes(diagnosis) == ["c2", "c3", "c1", "c0"]
    assert diagnosis.predicted.code == "c2"


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
        interpret(made_task("low", "high"), probabilities, None)


def test_labels_judged_one_by_one_need_not_sum_to_one() -> None:
    diagnosis = interpret(made_task("low", "high", multi_label=True), values(0.9, 0.8), None)
    assert diagnosis.positives == ("c0", "c1")


def test_rounding_of_an_engine_is_let_through() -> None:
    assert interpret(made_task("low", "high"), values(0.6, 0.404), None).predicted.code == "c0"


@pytest.mark.parametrize(
    ("task", "foreign"),
    [
        (made_task("low", "high"), point(0.5, positive="mel")),
        (made_task("low", "high"), point(0.5, negative="nv")),
        (made_task("low", "high", multi_label=True), point(0.5)),
    ],
    ids=["positive", "negative", "multi-label"],
)
def test_an_operating_point_of_another_task_is_refused(task: ImageTask, foreign: OperatingPoint) -> None:
    message = f"operating point on {foreign.positive} against {foreign.negative} does not fit the classes c0, c1"
    with pytest.raises(ValueError, match=message):
        interpret(task, values(0.5, 0.5), foreign)


@each_image_task
def test_every_class_of_the_registry_can_be_predicted_with_its_own_texts(task: ImageTask) -> None:
    for class_id, spec in enumerate(task.classes):
        probabilities = np.zeros(len(task.classes), np.float32)
        probabilities[class_id] = 1
        diagnosis = interpret(task, probabilities, None)
        assert (diagnosis.class_id, diagnosis.predicted) == (class_id, spec)
        assert diagnosis.recommendation == task.recommendations[spec.severity]


@each_image_task
def test_the_example_of_demo_mode_is_a_valid_answer(task: ImageTask) -> None:
    diagnosis = interpret(task, np.array(task.demo_probabilities, np.float32), None)
    assert diagnosis.confidence == pytest.approx(max(task.demo_probabilities))
    assert [r.probability for r in diagnosis.ranking] == pytest.approx(sorted(task.demo_probabilities, reverse=True))


severities = st.lists(st.sampled_from(LEVELS), min_size=2, max_size=8)


@st.composite
def answers(draw: st.DrawFn) -> tuple[ImageTask, NDArray[np.float32]]:
    """A made-up task with probabilities that fit it; few distinct weights, so that ties are frequent."""
    levels = draw(severities)
    multi_label = draw(st.booleans())
    weights = np.array([draw(st.integers(0, 4)) for _ in levels], np.float64)
    if multi_label:
        return made_task(*levels, multi_label=True), (weights / 4).astype(np.float32)
    total = weights.sum()
    spread = weights / total if total else np.full(len(levels), 1 / len(levels))
    return made_task(*levels), spread.astype(np.float32)


@settings(deadline=None)  # a busy machine must not fail it
@given(answers())
def test_the_ranking_is_a_sorted_permutation(answer: tuple[ImageTask, NDArray[np.float32]]) -> None:
    task, probabilities = answer
    diagnosis = interpret(task, probabilities, None)
    assert sorted(r.class_id for r in diagnosis.ranking) == list(range(len(task.classes)))
    for ranked in diagnosis.ranking:
        assert ranked.probability == float(probabilities[ranked.class_id])
        assert ranked.spec == task.classes[ranked.class_id]
    for first, second in pairwise(diagnosis.ranking):
        keys = [(r.probability, GRAVITY[r.spec.severity], -r.class_id) for r in (first, second)]
        assert keys[0] > keys[1]
    present = [r for r in diagnosis.ranking if r.probability >= 0.5] if task.multi_label else []
    gravest = max(GRAVITY[r.spec.severity] for r in present or diagnosis.ranking[:1])
    named = next(r for r in present or diagnosis.ranking if GRAVITY[r.spec.severity] == gravest)
    assert diagnosis.class_id == named.class_id
    assert diagnosis.confidence == named.probability
    expected = {c for c, p in zip(task.codes, probabilities, strict=True) if p >= 0.5}
    assert set(diagnosis.positives) == (expected if task.multi_label else {diagnosis.predicted.code})


@settings(deadline=None)  # a busy machine must not fail it
@given(st.floats(0, 1, width=32), st.floats(0, 1))
def test_a_binary_threshold_is_obeyed_for_all_values(probability: float, threshold: float) -> None:
    diagnosis = interpret(made_task("healthy", "high"), values(1 - probability, probability), point(threshold))
    assert diagnosis.predicted.code == ("c1" if float(np.float32(probability)) >= threshold else "c0")
    assert diagnosis.recommendation.title == diagnosis.predicted.severity


@settings(deadline=None)  # a busy machine must not fail it
@given(st.lists(st.floats(width=32), min_size=2, max_size=2))
def test_anything_else_is_refused_or_a_probability(numbers: list[float]) -> None:
    try:
        diagnosis = interpret(made_task("low", "high"), values(*numbers), None)
    except ValueError as error:
        assert str(error).startswith("made-up: probabilities ")  # noqa: PT017 - either outcome is right, both are checked
    else:
        assert 0 <= diagnosis.confidence <= 1
        assert abs(sum(numbers) - 1) <= 0.0101


def test_a_balanced_decision_names_the_largest_weighted_probability() -> None:
    task = next(t for t in load_image_tasks() if t.id == "skin")
    probabilities = np.array([0.05, 0.05, 0.05, 0.05, 0.3, 0.5, 0.0], np.float32)
    weights = dict.fromkeys(task.codes, 1.0) | {"nv": 0.5}
    diagnosis = interpret(task, probabilities, BalancedDecision(weights=weights, rule="test"))
    assert (diagnosis.predicted.code, diagnosis.confidence) == ("mel", pytest.approx(0.3))
    assert [r.spec.code for r in diagnosis.ranking[:2]] == ["nv", "mel"]
    with pytest.raises(ValueError, match="the weights for nv do not fit the classes akiec, bcc"):
        interpret(task, probabilities, BalancedDecision(weights={"nv": 1.0}, rule="test"))


def test_a_coarser_label_is_settled_before_the_class_within_it() -> None:
    """One class leads, but the sum of the two that share a label is larger: what is measured decides."""
    task = made_task("healthy", "low", "moderate")
    dataset = task.datasets[0].model_copy(update={"labels": {"well": ("c0",), "ill": ("c1", "c2")}})
    coarse = task.model_copy(update={"datasets": (dataset,)})
    assert coarse.measured_labels == {"c0": ("c0",), "ill": ("c1", "c2")}
    probabilities = np.array([0.4, 0.35, 0.25], np.float32)
    assert interpret(task, probabilities, None).predicted.code == "c0"
    named = interpret(coarse, probabilities, None)
    assert (named.predicted.code, named.ranking[0].spec.code) == ("c1", "c0")
