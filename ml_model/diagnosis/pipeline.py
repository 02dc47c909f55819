"""One case: read, check at the gate, predict, decide. The only way in which a case is decided; service, replay and
evaluation all call `diagnose`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml_model.diagnosis.case import (
    Case,
    CaseResult,
    EcgReading,
    GateMode,
    InputCheck,
    PictureView,
    SignalView,
)
from ml_model.diagnosis.decision import Beside, decide, example_decision
from ml_model.diagnosis.measured import MeasuredEcg, measured_ecg
from ml_model.diagnosis.population import KnownFacts, known_facts
from ml_model.diagnosis.reading import (
    PictureFiles,
    PictureReading,
    Reader,
    RecordingFiles,
    read_here,
    reading_of,
)
from ml_model.ecg.leads import EcgRecording
from ml_model.ecg.recording import network_signal
from ml_model.ecg.signal_quality import RecordingCheck
from ml_model.errors import MediDiagnoseError, OutOfDistribution, PoorQuality, WrongModality
from ml_model.inference.bundle import Manifest
from ml_model.inference.predictor import Prediction, Predictor
from ml_model.input_gate.alterations import alterations
from ml_model.input_gate.field_of_view import FieldOfView, field_of_view
from ml_model.input_gate.image_quality import measure_quality, quality_refusal
from ml_model.input_gate.kind import header_misfits, kind_refusal
from ml_model.input_gate.modality_classifier import Recognition, recognise
from ml_model.input_gate.same_case import note_on_views
from ml_model.inputs.dicom.header import DicomFacts
from ml_model.inputs.images.decoder import DEFAULT_LIMITS, ImageLimits, LoadedImage
from ml_model.inputs.images.frames import note_on_frames
from ml_model.tasks.image_schema import SignalInput
from ml_model.tasks.registry import ImageTask

UNREADABLE_PAGE = (
    "no twelve leads could be read off this picture; send a sharp, straight picture of the whole page with its grid "
    "and lead names, a PDF page, or the digital recording in the field record (WFDB, CSV, EDF or DICOM)"
)

PAGE_AS_PICTURE = (
    "no signal could be read off this page, so that the picture itself was answered: that is less reliable, nothing is "
    "measured, and whether the page is the right way up was not checked"
)


@dataclass(frozen=True)
class Engines:
    """What answers a task: of pictures, of its recordings, and the gate before them; None where there is none.

    tasks: those that a picture may be sent to instead. reader: who reads the files; the service has it done in
    processes under limits.
    """

    pictures: Predictor | None = None
    signals: Predictor | None = None
    gate: Predictor | None = None
    tasks: tuple[ImageTask, ...] = ()
    reader: Reader = read_here


def diagnose(task: ImageTask, case: Case, engines: Engines, limits: ImageLimits = DEFAULT_LIMITS) -> CaseResult:
    """All that is said of one case; of a task without an engine its example. Several pictures are averaged.

    Raises the errors of the decoders and, in gate mode "on", WrongModality, PoorQuality and OutOfDistribution.
    """
    if case.recording:
        return _recording(task, case, engines)
    looked_at = engines.gate is not None and case.gate != "off"
    files = PictureFiles(case.pictures, task.input, limits.max_bytes, limits.max_pixels, looked_at, case.presentation)
    if task.signal:
        return _page(task, task.signal, case, engines, files)
    readings = engines.reader(files)
    check = _check_pictures(task, readings, case, engines)
    return _answered(task, case, [reading.image for reading in readings], check, engines.pictures)


def _check_pictures(task: ImageTask, readings: Sequence[PictureReading], case: Case, engines: Engines) -> InputCheck:
    """Quality and kind before pictures are answered: that of the first, with what is to be said of the others.

    Raises WrongModality or PoorQuality in mode "on".
    """
    checks, images = [], [reading.image for reading in readings]
    for reading in readings:
        exchanged = reading.image.pose.inverted if task.input.film else None
        recognition = recognise(engines.gate, reading.overview, task.input.modality, exchanged=exchanged)
        checks.append(_check_picture(task, reading, recognition, case, engines.tasks))
    if task.input.field_width_um:
        checks[0] = _with_field(checks[0], field_of_view(images[0], task.input, case.pixel_size_um))
    if len(images) > 1 and (note := note_on_views([image.dicom for image in images])):
        checks[0] = replace(checks[0], warnings=(*checks[0].warnings, note))
    later = tuple(f"picture {i}: {w}" for i, check in enumerate(checks[1:], 2) for w in check.warnings)
    unfit = tuple(f"picture {i}: {r}" for i, check in enumerate(checks[1:], 2) for r in check.abstain_reasons)
    return replace(
        checks[0], accepted=all(check.accepted for check in checks), warnings=checks[0].warnings + later,
        abstain_reasons=checks[0].abstain_reasons + unfit, dicom=tuple(image.dicom for image in images),
        crops=tuple(crop for check in checks for crop in check.crops),
    )  # fmt: skip


def _check_picture(
    task: ImageTask, reading: PictureReading, recognition: Recognition | None, case: Case, tasks: Sequence[ImageTask]
) -> InputCheck:
    """The same of one."""
    image = reading.image
    quality, refusals = measure_quality(image), list[MediDiagnoseError]()
    if case.gate != "off":
        if poor := quality_refusal(quality, task.input):
            refusals.append(PoorQuality(poor))
        if image.dicom or (recognition and not recognition.accepted):
            refusals = _with_kind(task, tasks, image.dicom, recognition, refusals)
    shown = image.dicom.frame if image.dicom else None
    unread = note_on_frames(image.format, reading.frames, shown) if reading.frames > 1 else None
    altered = alterations(image, reading.grid, recognition, task.input, judged=case.gate != "off")
    if altered.turned:
        refusals.append(PoorQuality(altered.turned))
    check = InputCheck(
        task.input.modality,
        quality,
        warnings=(*((unread,) if unread else ()), *altered.put_right, *altered.unfit),
        abstain_reasons=altered.unfit, recognition=recognition,
        crops=(image.surround.box if image.surround else None,),
    )  # fmt: skip
    return _refusing(check, refusals, case.gate) if refusals else check


def _with_kind(
    task: ImageTask,
    tasks: Sequence[ImageTask],
    dicom: DicomFacts | None,
    recognition: Recognition | None,
    refusals: list[MediDiagnoseError],
) -> list[MediDiagnoseError]:
    """A header is believed before the picture is looked at; what a blank picture looks like says nothing."""
    other = kind_refusal(task, tasks, dicom, recognition)
    if other is None:
        return refusals
    believed = not header_misfits(task, dicom)
    return [*refusals, WrongModality(other)] if believed else [WrongModality(other), *refusals]


def _refusing(check: InputCheck, refusals: Sequence[MediDiagnoseError], mode: GateMode) -> InputCheck:
    """The same with reasons to refuse: the first is raised in mode "on", all are warnings in mode "warn", once each."""
    if mode == "on":
        raise refusals[0]
    return replace(check, accepted=False, warnings=tuple(dict.fromkeys((*check.warnings, *map(str, refusals)))))


def _with_field(check: InputCheck, field: FieldOfView | None) -> InputCheck:
    """The same with a microscope picture's field of view."""
    warnings = (*check.warnings, field.warning) if field and field.warning else check.warnings
    return replace(check, field_of_view=field, warnings=warnings)


def _with_distance(check: InputCheck, distances: NDArray[np.float32], manifest: Manifest, mode: GateMode) -> InputCheck:
    """The same with the distance of the furthest view; nothing where the model cannot tell. Raises OutOfDistribution in
    mode "on" beyond the limit."""
    limits = manifest.familiarity
    if limits is None or not distances.size:
        return check
    distance = float(distances.max())
    known = replace(check, distance=distance, distance_limit=limits.refuse_from)
    if distance < limits.refuse_from or mode == "off":
        return known
    told = (
        f"this is unlike everything that the model learnt from: its distance to the training pictures is "
        f"{distance:.3f}, below {limits.refuse_from:.3f} is needed; check that it is a usual picture of the kind "
        "that is read here, whole and in its own colours, or send gate=warn for an answer with this warning"
    )
    return _refusing(known, [OutOfDistribution(told)], mode)


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
    check = _with_distance(check, prediction.distance, manifest, case.gate)
    views = tuple(
        PictureView(image.pixels, image.frame, (image.original_width_px, image.original_height_px), p, maps)
        for image, p, maps in zip(images, prediction.probabilities, prediction.activation_maps, strict=True)
    )
    facts = known_facts(case.age_years, case.view, images[0].dicom)
    beside = Beside(check.recognition, check.abstain_reasons)
    decision = decide(task, manifest, prediction, facts, beside)
    return CaseResult(task, decision, check, views, predictor, prediction, ecg)


def _recording(task: ImageTask, case: Case, engines: Engines) -> CaseResult:
    """One digital recording."""
    assert task.signal is not None  # noqa: S101 - only tasks that declare recordings read them  # nosec B101
    sent, wanted, refusing = case.recording, task.signal if engines.signals else None, case.gate == "on"
    read = (
        reading_of(sent, wanted, refusing=refusing)
        if isinstance(sent, EcgRecording)
        else engines.reader(RecordingFiles(sent, case.sampling_rate_hz, wanted, refusing))
    )
    measured = measured_ecg(task.measurements, read.recording, case.age_years, case.sex, page=False)
    check = _with_measured(_check_recording(read.check, case.gate), measured)
    ecg = EcgReading("recording", read.recording.format, read.recording, read.check, measured=measured)
    if engines.signals is None or read.signal_mv is None:
        return CaseResult(task, example_decision(task), check, ecg=ecg)
    signal_mv, manifest = read.signal_mv, engines.signals.bundle.manifest
    if measured.recording is not read.recording:  # leads were put right
        signal_mv = network_signal(measured.recording, task.signal)
    prediction = engines.signals.predict_signals(signal_mv[None])
    check = _with_distance(check, prediction.distance, manifest, case.gate)
    beside = Beside(unfit=check.abstain_reasons, measured=measured.findings)
    decision = decide(task, manifest, prediction, KnownFacts(), beside)
    view = _signal_view(signal_mv, task.signal, prediction)
    return CaseResult(task, decision, check, (view,), engines.signals, prediction, ecg)


def _check_recording(quality: RecordingCheck, mode: GateMode) -> InputCheck:
    """A recording before it is answered: each lead that cannot be used is warned of. Raises PoorQuality in mode "on"
    for what cannot be used at all."""
    check = InputCheck("ecg_recording", quality)
    if mode == "off":
        return check
    if refusal := quality.refusal:
        return _refusing(check, [PoorQuality(refusal)], mode)
    return replace(check, warnings=tuple(map(str, quality.faults)))


def _with_measured(check: InputCheck, measured: MeasuredEcg) -> InputCheck:
    if not measured.warnings:
        return check
    reasons = (*check.abstain_reasons, *measured.abstain_reasons)
    return replace(check, warnings=(*check.warnings, *measured.warnings), abstain_reasons=reasons)


def _page(task: ImageTask, signal_input: SignalInput, case: Case, engines: Engines, files: PictureFiles) -> CaseResult:
    """One picture of an ECG page: from the signal read off it where that succeeds, else from the picture itself."""
    signals = engines.signals
    only = replace(files, files=files.files[:1], page=True, signal=signal_input if signals else None)
    (reading,) = engines.reader(only)
    check = _check_pictures(task, [reading], case, engines)
    if signals and (read := reading.page):
        prediction = signals.predict_signals(read.signal_mv[None])
        # How far it is from recordings is not asked: leads that a page shows for a part of the time are far by it.
        prediction = replace(prediction, distance=np.zeros(0, np.float32))
        recording = read.reading.recording
        measured = measured_ecg(task.measurements, recording, case.age_years, case.sex, page=True)
        check = _with_measured(replace(check, warnings=(*check.warnings, *read.reading.notes)), measured)
        beside = Beside(check.recognition, check.abstain_reasons, measured.findings)
        decision = decide(task, signals.bundle.manifest, prediction, KnownFacts(page=True), beside)
        ecg = EcgReading("page_signal", recording.format, recording, page=read.reading, measured=measured)
        view = _signal_view(read.shown_mv, signal_input, prediction)
        return CaseResult(task, decision, check, (view,), signals, prediction, ecg)
    if signals and engines.pictures is None:
        raise PoorQuality(UNREADABLE_PAGE)
    if signals:
        check = replace(check, warnings=(*check.warnings, PAGE_AS_PICTURE))
    ecg = EcgReading("page_picture", reading.image.format)
    return _answered(task, case, [reading.image], check, engines.pictures, ecg)


def _signal_view(signal_mv: NDArray[np.float32], signal_input: SignalInput, prediction: Prediction) -> SignalView:
    rate_hz = float(signal_input.sampling_rate_hz)
    return SignalView(signal_mv, rate_hz, prediction.probabilities[0], prediction.activation_maps[0])
