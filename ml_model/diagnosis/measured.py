"""Figures of an electrocardiogram against the reference ranges of the task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ml_model.ecg.electrodes import ExchangedLeads, with_limbs_exchanged
from ml_model.ecg.leads import EcgRecording
from ml_model.ecg.measurements import Measurement, measure
from ml_model.tasks.measurement_schema import MeasuredFinding, MeasurementSpec, ReferenceRange, Sex

_EXCHANGED = {
    "arms": "the electrodes of the two arms seem to be exchanged (lead I is upside down against the chest leads)",
    "right arm and leg": "the electrodes of the right arm and the left leg seem to be exchanged (lead II is upside "
    "down against the chest leads)",
    "right arm and right leg": "the electrodes of the right arm and a leg seem to be exchanged (lead II is flat)",
    "left arm and right leg": "the electrodes of the left arm and a leg seem to be exchanged (lead III is flat)",
    "both arms and both legs": "the electrodes of the arms and of the legs seem to be exchanged (lead I is flat)",
}
PUT_RIGHT = "they were put right before the answer"
NOT_PUT_RIGHT = "check them and record again; the answer is to the leads as they were sent"

State = Literal["normal", "low", "high", "measured", "not_measurable"]


@dataclass(frozen=True)
class JudgedMeasurement:
    """One figure with what the task says of it. state "measured": there is no range to hold it against."""

    spec: MeasurementSpec
    measurement: Measurement
    reference: ReferenceRange
    state: State

    @property
    def finding(self) -> MeasuredFinding | None:
        """What the figure means, where it lies outside its range."""
        value, state = self.measurement.value, self.state
        return self.spec.finding_of(value, state) if value is not None and state in ("low", "high") else None


@dataclass(frozen=True)
class MeasuredEcg:
    """What was measured of a signal. recording: with the leads put right, where they were (`put_right`)."""

    recording: EcgRecording
    judged: tuple[JudgedMeasurement, ...] = ()
    exchanged: ExchangedLeads | None = None
    put_right: bool = False

    @property
    def findings(self) -> tuple[MeasuredFinding, ...]:
        """All that follows from figures, in the task's order, each once."""
        return tuple({finding.code: finding for one in self.judged if (finding := one.finding)}.values())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What speaks against relying on the answer."""
        told = [f"{finding.name}: {finding.text}" for finding in self.findings if finding.lowers_claim]
        return (*self._on_electrodes, *told)

    @property
    def abstain_reasons(self) -> tuple[str, ...]:
        """Why no statement can be made: exchanged electrodes that were not put right."""
        return () if self.put_right else self._on_electrodes

    @property
    def _on_electrodes(self) -> tuple[str, ...]:
        if not self.exchanged:
            return ()
        return (f"{_EXCHANGED[self.exchanged.exchange]}; {PUT_RIGHT if self.put_right else NOT_PUT_RIGHT}",)


def measured_ecg(
    specs: Sequence[MeasurementSpec], recording: EcgRecording, age_years: float | None, sex: Sex | None, *, page: bool
) -> MeasuredEcg:
    """Measured and held against the task's ranges. Arm leads that are certainly exchanged are put right first, except
    on a page, where the digitiser may have taken one lead for another."""
    if not specs:
        return MeasuredEcg(recording)
    found = measure(recording)
    exchanged, put_right = found.exchanged, bool(found.exchanged and found.exchanged.certain and not page)
    if put_right:  # only arms are
        recording = with_limbs_exchanged(recording, "arms")
        found = measure(recording)
    judged = judge_measurements(specs, found.measurements, age_years, sex)
    return MeasuredEcg(recording, judged, exchanged, put_right)


def judge_measurements(
    specs: Sequence[MeasurementSpec], measurements: Sequence[Measurement], age_years: float | None, sex: Sex | None
) -> tuple[JudgedMeasurement, ...]:
    """The figures that the task declares, in its order."""
    return tuple(
        JudgedMeasurement(spec, one, reference := spec.range_of(age_years, sex), _state(one.value, reference))
        for spec in specs
        for one in measurements
        if one.code == spec.code
    )


def _state(value: float | None, reference: ReferenceRange) -> State:
    if value is None:
        return "not_measurable"
    if reference.low is None and reference.high is None:
        return "measured"
    if reference.low is not None and value < reference.low:
        return "low"
    return "high" if reference.high is not None and value > reference.high else "normal"
