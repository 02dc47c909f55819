"""ECGs: digital recordings, and pages that are read back into a signal where that succeeds."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backend.parsing import MAX_UPLOAD_BYTES
from backend.schemas_image import InputCheckAnswer, PageReadingAnswer, RecordingAnswer
from backend.services.answers import require_model
from backend.services.context import RequestContext
from backend.services.input_gate import GateMode, InputGate, with_distance
from backend.services.loading import LoadedModel, ModelStore
from backend.services.recent import RecentStore
from backend.services.seen import Seen, View, predictor_of
from ml_model.diagnosis.population import Judgement, KnownFacts, judge
from ml_model.ecg.digitizer.page import PageReading
from ml_model.ecg.export import as_wfdb
from ml_model.ecg.page_inference import answer_page
from ml_model.ecg.page_renderer import draw_page
from ml_model.ecg.page_style import Look
from ml_model.ecg.recording import EcgRecording, RecordingCheck, examine_recording, load_recording, network_signal
from ml_model.errors import PoorQuality
from ml_model.inputs.images.decoder import ImageLimits, decode_image, fitted
from ml_model.inputs.images.geometry import Frame
from ml_model.tasks.image_schema import SignalInput
from ml_model.tasks.registry import ImageTask

# How the signal that the network saw is drawn for the heatmap: all leads over the whole time, nothing beside them.
_DRAWN = Look(
    layout="12x1",
    rhythm_leads=(),
    row_mm=15.0,
    px_per_mm=3.0,
    margins_mm=(0.0, 2.0),
    calibration_pulse=False,
    header=False,
)

UNREADABLE_PAGE = (
    "no twelve leads could be read off this picture; send a sharp, straight picture of the whole page with its grid "
    "and lead names, a PDF page, or the digital recording in the field record (WFDB, CSV, EDF or DICOM)"
)


class EcgDiagnosis:
    """Answers for the task that reads ECGs. Signals read off pages are kept in memory for download."""

    def __init__(self, models: ModelStore, gate: InputGate, demo_mode: bool) -> None:
        self._models = models
        self._gate = gate
        self._demo_mode = demo_mode
        self.signals: RecentStore[EcgRecording] = RecentStore()

    def recording(
        self, task: ImageTask, files: Sequence[tuple[str, bytes]], sampling_rate_hz: float | None, gate: GateMode
    ) -> Seen:
        """One digital recording. Raises the errors of `load_recording`, in gate mode "on" PoorQuality for what cannot
        be used, and ModelUnavailable."""
        signal_input, loaded = _signal_input(task), self._models.signal(task.id)
        require_model(loaded, f"{task.id} recordings", self._demo_mode)
        recording = load_recording(files, sampling_rate_hz=sampling_rate_hz)
        check = examine_recording(recording)
        input_check = _input_check(check, gate)
        told = RecordingAnswer(
            read_as="recording",
            format=recording.format,
            sampling_rate_hz=recording.sampling_rate_hz,
            duration_s=round(check.duration_s, 3),
            unit=recording.unit,
            unit_told_by=recording.unit_told_by,
            derived_leads=recording.derived,
            flat_leads=check.flat_leads,
        )
        if loaded is None:
            return Seen(np.array(task.demo_probabilities, np.float32), (), input_check, None, None, told)
        signal_mv = network_signal(recording, signal_input)
        prediction = predictor_of(loaded).predict_signals(signal_mv[None])
        input_check = with_distance(input_check, prediction.distance, loaded.bundle.manifest, gate)
        view = _drawn(signal_mv, signal_input, prediction.probabilities[0], prediction.activation_maps[0])
        return Seen(prediction.probabilities[0], (view,), input_check, loaded, _judged(task, loaded), told)

    def page(
        self, task: ImageTask, data: bytes, loaded: LoadedModel | None, gate: GateMode, context: RequestContext
    ) -> Seen:
        """One picture of a page. Raises the errors of `decode_image` and of the gate, and ModelUnavailable."""
        signal_input, signals = _signal_input(task), self._models.signal(task.id)
        decoded = decode_image(data, task.input, ImageLimits(max_bytes=MAX_UPLOAD_BYTES), full_size=True)
        image = fitted(decoded, task.input)
        input_check = self._gate.check(decoded, image, task, gate)
        answer = answer_page(
            decoded.rgb, task, predictor_of(loaded) if loaded else None, predictor_of(signals) if signals else None
        )
        if answer is None and signals is not None:
            raise PoorQuality(UNREADABLE_PAGE)
        if answer is None:
            require_model(None, task.id, self._demo_mode)
            return Seen(np.array(task.demo_probabilities, np.float32), (), input_check, None, None)
        probabilities, maps = answer.prediction.probabilities[0], answer.prediction.activation_maps[0]
        if answer.reading and answer.signal_mv is not None and signals:
            self.signals.put(context.answer_id, answer.reading.recording)
            view = _drawn(_where_seen(answer.signal_mv, answer.reading), signal_input, probabilities, maps)
            told = _page_signal(answer.reading, context)
            # How far it is from recordings is not asked: leads that a page shows for a part of the time are far by it.
            return Seen(probabilities, (view,), input_check, signals, _judged(task, signals), told)
        assert loaded is not None  # noqa: S101 - the model of pictures answered
        input_check = with_distance(input_check, answer.prediction.distance, loaded.bundle.manifest, gate)
        size = (decoded.original_width_px, decoded.original_height_px)
        view = View(image.pixels, image.frame, size, probabilities, maps)
        told = RecordingAnswer(read_as="page_picture", format=decoded.format)
        return Seen(probabilities, (view,), input_check, loaded, _judged(task, loaded), told)


def _input_check(check: RecordingCheck, gate: GateMode) -> InputCheckAnswer:
    """What is said of a recording's quality: each lead that cannot be used is warned of by name."""
    refusal = check.refusal if gate != "off" else None
    if refusal and gate == "on":
        raise PoorQuality(refusal)
    told = (refusal,) if refusal else tuple(str(fault) for fault in check.faults if gate != "off")
    return InputCheckAnswer(
        modality=None,
        expected="ecg_recording",
        accepted=refusal is None,
        score=None,
        quality={**dataclasses.asdict(check), "flat_leads": check.flat_leads},
        warnings=told,
    )


def _signal_input(task: ImageTask) -> SignalInput:
    assert task.signal is not None  # noqa: S101 - only asked of tasks that declare one
    return task.signal


def _judged(task: ImageTask, loaded: LoadedModel) -> Judgement:
    return judge(task, loaded.bundle.manifest, [], KnownFacts())


def _drawn(
    signal_mv: NDArray[np.float32],
    signal_input: SignalInput,
    probabilities: NDArray[np.float32],
    maps: NDArray[np.float32],
) -> View:
    """The signal as the network saw it, drawn, so that the map over time has something to lie on."""
    recording = EcgRecording(signal_mv, float(signal_input.sampling_rate_hz))
    page = draw_page(recording, _DRAWN)
    left = min(box.left_px for box in page.boxes)
    right = max(box.left_px + box.width_px for box in page.boxes)
    pixels = np.ascontiguousarray(page.pixels[:, int(left) : int(right)])
    height_px, width_px = pixels.shape[:2]
    frame = Frame(0, 0, width_px, height_px)
    return View(pixels, frame, (width_px, height_px), probabilities, maps, signal_input.duration_s)


def _where_seen(signal_mv: NDArray[np.float32], reading: PageReading) -> NDArray[np.float32]:
    """The network's signal with NaN where the page shows nothing of a lead; there the network saw zeros."""
    read_mv = reading.recording.signal_mv
    rows = np.linspace(0, len(read_mv) - 1, len(signal_mv)).round().astype(np.int64)
    return np.where(np.isnan(read_mv[rows]), np.nan, signal_mv).astype(np.float32)


def _page_signal(reading: PageReading, context: RequestContext) -> RecordingAnswer:
    page = PageReadingAnswer(
        layout=reading.layout,
        px_per_mm=round(reading.px_per_mm, 2),
        speed_mm_per_s=reading.speed_mm_per_s,
        gain_mm_per_mv=reading.gain_mm_per_mv,
        rotation_degrees=round(reading.rotation_degrees, 1),
        lead_quality={lead: round(quality, 3) for lead, quality in reading.quality.items()},
    )
    return RecordingAnswer(
        read_as="page_signal",
        format=reading.recording.format,
        sampling_rate_hz=reading.recording.sampling_rate_hz,
        duration_s=round(len(reading.recording.signal_mv) / reading.recording.sampling_rate_hz, 3),
        unit="mV",
        page=page,
        csv_url=f"/signals/{context.answer_id}.csv",
        wfdb_url=f"/signals/{context.answer_id}.zip",
    )


def wfdb_zip(recording: EcgRecording) -> bytes:
    """A zip of `page.hea` and `page.dat`."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in as_wfdb(recording, "page").items():
            archive.writestr(name, content)
    return packed.getvalue()
