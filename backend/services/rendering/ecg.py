"""What is told of an ECG beside its answer: how it was read, what was measured, the signal as files."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from backend.schemas.ecg import (
    MeasuredFindingAnswer,
    MeasurementAnswer,
    PageReadingAnswer,
    RecordingAnswer,
)
from backend.telemetry import RequestContext
from ml_model.diagnosis.case import EcgReading
from ml_model.diagnosis.measured import JudgedMeasurement, MeasuredEcg
from ml_model.ecg.digitizer.page import PageReading
from ml_model.ecg.export import as_wfdb
from ml_model.ecg.leads import EcgRecording


def measurement_answers(measured: MeasuredEcg) -> tuple[MeasurementAnswer, ...]:
    """Each figure with its range, what it means and how it was measured."""
    return tuple(_measurement(one) for one in measured.judged)


def _measurement(one: JudgedMeasurement) -> MeasurementAnswer:
    spec, measurement, finding = one.spec, one.measurement, one.finding
    optional: dict[str, Any] = {"lead": measurement.lead} if measurement.lead else {}
    if finding:
        optional["finding"] = MeasuredFindingAnswer(
            code=finding.code,
            name=finding.name,
            text=finding.text,
            level=finding.level,
            lowers_claim=finding.lowers_claim,
        )
    return MeasurementAnswer(
        code=spec.code,
        name=spec.name,
        value=measurement.value,
        unit=spec.unit,
        low=one.reference.low,
        high=one.reference.high,
        state=one.state,
        how=spec.how if measurement.reason is None else f"Not measurable: {measurement.reason}.",
        **optional,
    )


def recording_answer(ecg: EcgReading, context: RequestContext) -> RecordingAnswer:
    """What was read of an ECG, and what answered."""
    recording, check, optional = ecg.recording, ecg.check, dict[str, Any]()
    if recording is None:
        return RecordingAnswer(read_as=ecg.read_as, format=ecg.format)
    if ecg.measured and (exchanged := ecg.measured.exchanged):
        optional = {"exchanged_leads": exchanged.exchange, "put_right": ecg.measured.put_right}
    if check is None:
        return RecordingAnswer(
            read_as=ecg.read_as,
            format=ecg.format,
            sampling_rate_hz=recording.sampling_rate_hz,
            duration_s=round(len(recording.signal_mv) / recording.sampling_rate_hz, 3),
            unit="mV",
            page=_page_answer(ecg.page) if ecg.page else None,
            csv_url=f"/signals/{context.answer_id}.csv",
            wfdb_url=f"/signals/{context.answer_id}.zip",
            **optional,
        )
    return RecordingAnswer(
        read_as=ecg.read_as,
        format=ecg.format,
        sampling_rate_hz=recording.sampling_rate_hz,
        duration_s=round(check.duration_s, 3),
        unit=recording.unit,
        unit_told_by=recording.unit_told_by,
        derived_leads=recording.derived,
        flat_leads=check.flat_leads,
        **optional,
    )


def _page_answer(reading: PageReading) -> PageReadingAnswer:
    return PageReadingAnswer(
        layout=reading.layout,
        px_per_mm=round(reading.px_per_mm, 2),
        speed_mm_per_s=reading.speed_mm_per_s,
        gain_mm_per_mv=reading.gain_mm_per_mv,
        rotation_degrees=round(reading.rotation_degrees, 1),
        lead_quality={lead: round(quality, 3) for lead, quality in reading.quality.items()},
    )


def wfdb_zip(recording: EcgRecording) -> bytes:
    """A zip of `page.hea` and `page.dat`."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in as_wfdb(recording, "page").items():
            archive.writestr(name, content)
    return packed.getvalue()
