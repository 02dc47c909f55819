"""Figures of an ECG against ranges: which range is whose, what lies outside it, and what follows."""

from __future__ import annotations

import pytest
from beats import made_beats
from pydantic import ValidationError
from samples import image_task

from ml_model.diagnosis.measured import MeasuredEcg, judge_measurements, measured_ecg
from ml_model.ecg.electrodes import with_limbs_exchanged
from ml_model.ecg.leads import EcgRecording
from ml_model.ecg.measurements import Measurement, measure
from ml_model.tasks.measurement_schema import GradedFinding, MeasurementSpec, ReferenceRange, Sex
from ml_model.tasks.triage_scale import TriageLevel

LONG = GradedFinding(code="long", name="Long", text="It is long.", level="soon")
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


@pytest.mark.parametrize(
    ("code", "value", "finding", "level", "lowers_claim"),
    [
        ("heart_rate", 50, None, None, False),
        ("heart_rate", 49, "bradycardia", "routine", False),
        ("heart_rate", 40, "bradycardia", "routine", False),
        ("heart_rate", 39.9, "bradycardia", "urgent", False),
        ("heart_rate", 101, "tachycardia", "soon", False),
        ("heart_rate", 120, "tachycardia", "soon", False),
        ("heart_rate", 121, "tachycardia", "urgent", True),
        ("irregularity", 0.12, "irregular_rhythm", "soon", True),
        ("p_wave", 0.3, "no_p_waves", "soon", True),
        ("atrial_fibrillation", 0.05, None, None, False),
        ("atrial_fibrillation", 0.06, "atrial_fibrillation", "soon", True),
        ("premature_beats", 0, None, None, False),
        ("premature_beats", 1, "premature_beats", "routine", False),
        ("premature_wide_beats", 3, "ventricular_beats", "routine", False),
        ("premature_wide_beats", 4, "ventricular_beats", "soon", False),
        ("pr", 250, "long_pr", "routine", False),
        ("pr", 310, "long_pr", "soon", False),
        ("qrs", 130, "wide_qrs", "soon", False),
        ("qtc_fridericia", 480, "long_qtc", "soon", False),
        ("qtc_fridericia", 501, "long_qtc", "urgent", False),
        ("axis", -45, "left_axis", "routine", False),
        ("axis", -91, "extreme_axis", "soon", False),
        ("axis", -179, "extreme_axis", "soon", False),
        ("axis", 120, "right_axis", "routine", False),
    ],
)
def test_a_finding_says_how_soon_it_is_acted_on_and_whether_the_classes_hold_beside_it(
    code: str, value: float, finding: str | None, level: TriageLevel | None, lowers_claim: bool
) -> None:
    (one,) = judge_measurements(image_task("heart").measurements, [Measurement(code, value)], None, None)
    told = one.finding
    assert (told and told.code, told and told.level, bool(told and told.lowers_claim)) == (finding, level, lowers_claim)
    warned = MeasuredEcg(made_beats(), (one,)).warnings
    assert bool(warned) == lowers_claim


def test_an_irregular_rhythm_without_p_waves_is_told_and_settles_no_class() -> None:
    found = measured_ecg(image_task("heart").measurements, made_beats(rr_spread=0.2, p_mv=0.0), None, None, page=False)
    lowering = ["irregular_rhythm", "no_p_waves", "atrial_fibrillation"]
    assert [finding.code for finding in found.findings if finding.lowers_claim] == lowering
    names = ["Irregular rhythm", "No steady P wave", "Atrial fibrillation or flutter suspected"]
    assert [warning.split(":")[0] for warning in found.warnings] == names


def test_leads_of_a_page_are_said_to_be_exchanged_and_left() -> None:
    swapped: EcgRecording = with_limbs_exchanged(made_beats(axis_degrees=70), "arms")
    found = measured_ecg(image_task("heart").measurements, swapped, None, None, page=True)
    assert (found.exchanged and found.exchanged.certain, found.put_right) == (True, False)
    assert found.recording is swapped
    assert "check them and record again" in found.warnings[0]
    assert found.abstain_reasons == found.warnings[:1]


def test_arms_that_were_put_right_are_no_reason_to_abstain() -> None:
    specs, upright = image_task("heart").measurements, made_beats(axis_degrees=70)
    found = measured_ecg(specs, with_limbs_exchanged(upright, "arms"), None, None, page=False)
    assert (found.put_right, found.abstain_reasons) == (True, ())
    legs = measured_ecg(specs, with_limbs_exchanged(upright, "right arm and leg"), None, None, page=False)
    assert (legs.put_right, len(legs.abstain_reasons)) == (False, 1)
    assert measured_ecg(specs, upright, None, None, page=False).abstain_reasons == ()
