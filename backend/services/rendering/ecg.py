"""What is told of an ECG beside its answer: how it was read, the signal as a drawing and as files."""

from __future__ import annotations

import io
import zipfile

import numpy as np
from numpy.typing import NDArray

from backend.schemas.images import PageReadingAnswer, RecordingAnswer
from backend.telemetry import RequestContext
from ml_model.diagnosis.case import EcgReading, SignalView
from ml_model.ecg.digitizer.page import PageReading
from ml_model.ecg.export import as_wfdb
from ml_model.ecg.leads import EcgRecording
from ml_model.ecg.page_renderer import draw_page
from ml_model.ecg.page_style import PageStyle

# How the signal that the network saw is drawn for the heatmap: all leads over the whole time, nothing beside them.
_DRAWN = PageStyle(
    layout="12x1",
    rhythm_leads=(),
    row_mm=15.0,
    px_per_mm=3.0,
    margins_mm=(0.0, 2.0),
    calibration_pulse=False,
    header=False,
)


def drawn_signal(view: SignalView) -> NDArray[np.uint8]:
    """The signal as the network saw it, RGB (H, W, 3), so that the map over time has something to lie on."""
    page = draw_page(EcgRecording(view.signal_mv, view.sampling_rate_hz), _DRAWN)
    left = min(box.left_px for box in page.boxes)
    right = max(box.left_px + box.width_px for box in page.boxes)
    return np.ascontiguousarray(page.pixels[:, int(left) : int(right)])


def recording_answer(ecg: EcgReading, context: RequestContext) -> RecordingAnswer:
    """What was read of an ECG, and what answered."""
    recording, check = ecg.recording, ecg.check
    if recording is None:
        return RecordingAnswer(read_as=ecg.read_as, format=ecg.format)
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
