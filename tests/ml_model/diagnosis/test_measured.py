"""Figures of an ECG against ranges: which range is whose, what lies outside it, and what follows."""

from __future__ import annotations

import pytest
from beats import made_beats
from pydantic import ValidationError
from samples import image_task

from ml_model.diagnosis.measured import judge_measurements, measured_ecg
from ml_model.ecg.electrodes import with_limbs_exchanged
from ml_model.ecg.leads import EcgRecording
from ml_model.ecg.measurements import Measurement, measure
from ml_model.tasks.measurement_schema import MeasuredFinding, MeasurementSpec, ReferenceRange, Sex

LONG = MeasuredFinding(code="long", name="Long", text="It is long.")
SPEC = MeasurementSpec(
    code="qt",
    name="QT",
    unit="ms",
    how="so",
    ranges=(
        ReferenceRange(high=400, ages_years=(0, 16)),
        ReferenceRange(low=350, high=460, sex="female"),
        ReferenceRange(low=350, high=450),
    ),
    above=LONG,
)


@pytest.mark.parametrize(
    ("value", "age", "sex", "state"),
    [
        (455, None, None, "high"),
        (450, None, None, "normal"),
        (455, 40, "female", "normal"),
        (455, None, "male", "high"),
        (455, 15, "female", "high"),
        (420, 15.9, "female", "high"),
        (420, 16, "female", "normal"),
        (349, None, None, "low"),
        (349, 3, None, "normal"),
        (None, 40, "male", "not_measurable"),
    ],
)
def test_a_figure_is_held_against_the_first_range_that_fits(
    value: float | None, age: float | None, sex: Sex | None, state: str
) -> None:
    (one,) = judge_measurements([SPEC], [Measurement("qt", value), Measurement("pr", 1.0)], age, sex)
    assert one.state == state
    assert one.finding == (LONG if state == "high" else None)


def test_the_last_range_must_be_of_everyone() -> None:
    with pytest.raises(ValidationError, match="the last range must be of everyone"):
        MeasurementSpec(code="qt", name="QT", unit="ms", how="so", ranges=(ReferenceRange(high=1, sex="male"),))


def test_every_figure_that_is_measured_is_declared_by_the_task_and_no_other() -> None:
    declared = [spec.code for spec in image_task("heart").measurements]
    assert sorted(declared) == sorted({one.code for one in measure(made_beats()).measurements})


def test_findings_are_told_once_and_without_declarations_nothing_is_measured() -> None:
    specs = image_task("heart").measurements
    slow = made_beats(qrs_ms=160, pr_ms=250, qt_ms=480, beats_per_minute=45)
    wide = measured_ecg(specs, slow, None, None, page=False)
    assert [finding.code for finding in wide.findings] == ["bradycardia", "long_pr", "wide_qrs"]
    assert wide.warnings == ()
    assert measured_ecg((), made_beats(), None, None, page=False).judged == ()


def test_leads_of_a_page_are_said_to_be_exchanged_and_left() -> None:
    swapped: EcgRecording = with_limbs_exchanged(made_beats(axis_degrees=70), "arms")
    found = measured_ecg(image_task("heart").measurements, swapped, None, None, page=True)
    assert (found.exchanged and found.exchanged.certain, found.put_right) == (True, False)
    assert found.recording is swapped
    assert "check them and record again" in found.warnings[0]
