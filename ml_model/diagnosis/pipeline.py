"""One case: decode, check at the gate, predict, decide. The only way in which a case is decided; service, replay and
evaluation all call `diagnose`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml_model.diagnosis.case import Case, CaseResult, EcgReading, PictureView, SignalView
from ml_model.diagnosis.decision import decide, example_decision
from ml_model.diagnosis.input_check import (
    Gate,
    InputCheck,
    check_picture,
    check_recording,
    of_all_views,
    with_distance,
    with_field,
)
from ml_model.diagnosis.population import KnownFacts, known_facts
from ml_model.ecg.leads import EcgRecording
from ml_model.ecg.page_inference import read_signal
from ml_model.ecg.recording import examine_recording, load_recording, network_signal
from ml_model.errors import PoorQuality
from ml_model.inference.predictor import Prediction, Predictor
from ml_model.input_gate.field_of_view import field_of_view
from ml_model.inputs.dicom.header import read_dicom_header
from ml_model.inputs.images.decoder import DEFAULT_LIMITS, ImageLimits, LoadedImage, decode_image, fitted, sniff_format
from ml_model.tasks.image_schema import SignalInput
from ml_model.tasks.registry import ImageTask

UNREADABLE_PAGE = (
    "no twelve leads could be read off this picture; send a sharp, straight picture of the whole page with its grid "
    "and lead names, a PDF page, or the digital recording in the field record (WFDB, CSV, EDF or DICOM)"
)


@dataclass(frozen=True)
class Engines:
    """What answers a task: of pictures, of its recordings, and the gate before them; None where there is none."""

    pictures: Predictor | None = None
    signals: Predictor | None = None
    gate: Gate | None = None


def diagnose(task: ImageTask, case: Case, engines: Engines, limits: ImageLimits = DEFAULT_LIMITS) -> CaseResult:
    """All that is said of one case; of a task without an engine its example.

    Raises the errors of the decoders and, in gate mode "on", WrongModality, PoorQuality and OutOfDistribution.
    """
    if case.recording:
        return _recording(task, case, engines)
    if task.signal:
        return _page(task, task.signal, case, engines, limits)
    return _pictures(task, case, engines, limits)


def route(
    task: ImageTask, others: Sequence[ImageTask], case: Case, gate: Gate, limits: ImageLimits = DEFAULT_LIMITS
) -> ImageTask:
    """The task whose kind of picture the case's first one is: by its DICOM header, else by its looks; `task` itself
    where nothing speaks for one of `others`."""
    picture = case.pictures[0]
    if sniff_format(picture) == "DICOM":
        stated = read_dicom_header(picture).facts.modality
        return next((other for other in others if stated in other.dicom_modalities), task)
    if gate.predictor is None or case.gate == "off":
        return task
    recognition = gate.recognise(decode_image(picture, task.input, limits), task.input.modality)
    kind = recognition.kind if recognition else None
    return next((t for t in (task, *others) if t.input.modality == kind), task)


def _pictures(task: ImageTask, case: Case, engines: Engines, limits: ImageLimits) -> CaseResult:
    """The pictures decoded and checked; several are views of one case."""
    decoded = [decode_image(data, task.input, limits) for data in case.pictures]
    images = [fitted(one, task.input) for one in decoded]
    checks = [check_picture(*both, task, engines.gate, case.gate) for both in zip(decoded, images, strict=True)]
    check = of_all_views(checks)
    if task.input.field_width_um:
        check = with_field(check, field_of_view(images[0], task.input, case.pixel_size_um))
    return _answered(task, case, images, check, engines.pictures)


def _answered(
    task: ImageTask,
    case: Case,
    images: Sequence[LoadedImage],
    check: InputCheck,
    predictor: Predictor | None,
    ecg: EcgReading | None = None,
) -> CaseResult:
    """Pictures that were checked, predicted and averaged; without a predictor the example."""
    if predictor is None:
        return CaseResult(task, example_decision(task), check)
    prediction, manifest = predictor.predict(np.stack([image.pixels for image in images])), predictor.bundle.manifest
    check = with_distance(check, prediction.distance, manifest, case.gate)
    views = tuple(
        PictureView(image.pixels, image.frame, (image.original_width_px, image.original_height_px), p, maps)
        for image, p, maps in zip(images, prediction.probabilities, prediction.activation_maps, strict=True)
    )
    facts = known_facts(case.age_years, case.view, images[0].dicom)
    decision = decide(task, manifest, prediction, facts, check.recognition)
    return CaseResult(task, decision, check, views, predictor, prediction, ecg)


def _recording(task: ImageTask, case: Case, engines: Engines) -> CaseResult:
    """One digital recording."""
    assert task.signal is not None  # noqa: S101 - recordings are only read for tasks that declare them
    sent = case.recording
    recording = sent if isinstance(sent, EcgRecording) else load_recording(sent, sampling_rate_hz=case.sampling_rate_hz)
    quality = examine_recording(recording)
    check = check_recording(quality, case.gate)
    ecg = EcgReading("recording", recording.format, recording, quality)
    if engines.signals is None:
        return CaseResult(task, example_decision(task), check, ecg=ecg)
    signal_mv, manifest = network_signal(recording, task.signal), engines.signals.bundle.manifest
    prediction = engines.signals.predict_signals(signal_mv[None])
    check = with_distance(check, prediction.distance, manifest, case.gate)
    decision = decide(task, manifest, prediction, KnownFacts())
    view = _signal_view(signal_mv, task.signal, prediction)
    return CaseResult(task, decision, check, (view,), engines.signals, prediction, ecg)


def _page(task: ImageTask, signal_input: SignalInput, case: Case, engines: Engines, limits: ImageLimits) -> CaseResult:
    """One picture of an ECG page: from the signal read off it where that succeeds, else from the picture itself."""
    decoded = decode_image(case.pictures[0], task.input, limits, full_size=True)
    image = fitted(decoded, task.input)
    check = check_picture(decoded, image, task, engines.gate, case.gate)
    signals = engines.signals
    if signals and (read := read_signal(decoded.rgb, signal_input)):
        prediction = signals.predict_signals(read.signal_mv[None])
        # How far it is from recordings is not asked: leads that a page shows for a part of the time are far by it.
        prediction = replace(prediction, distance=np.zeros(0, np.float32))
        decision = decide(task, signals.bundle.manifest, prediction, KnownFacts(), check.recognition)
        recording = read.reading.recording
        ecg = EcgReading("page_signal", recording.format, recording, page=read.reading)
        view = _signal_view(read.shown_mv, signal_input, prediction)
        return CaseResult(task, decision, check, (view,), signals, prediction, ecg)
    if signals and engines.pictures is None:
        raise PoorQuality(UNREADABLE_PAGE)
    return _answered(task, case, [image], check, engines.pictures, EcgReading("page_picture", decoded.format))


def _signal_view(signal_mv: NDArray[np.float32], signal_input: SignalInput, prediction: Prediction) -> SignalView:
    rate_hz = float(signal_input.sampling_rate_hz)
    return SignalView(signal_mv, rate_hz, prediction.probabilities[0], prediction.activation_maps[0])
