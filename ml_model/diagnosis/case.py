"""A case and what is said of it: frozen values between whoever asks, the pipeline and whoever renders the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml_model.diagnosis.decision import Decision
from ml_model.diagnosis.measured import MeasuredEcg
from ml_model.ecg.leads import EcgRecording
from ml_model.ecg.page_inference import PageReading
from ml_model.ecg.signal_quality import RecordingCheck
from ml_model.inference.predictor import Prediction, Predictor
from ml_model.input_gate.field_of_view import FieldOfView
from ml_model.input_gate.image_quality import Quality
from ml_model.input_gate.modality_classifier import Recognition
from ml_model.inputs.dicom.header import DicomFacts
from ml_model.inputs.dicom.presentation import AS_STORED, Presentation
from ml_model.inputs.images.geometry import Box, Frame
from ml_model.tasks.measurement_schema import Sex
from ml_model.tasks.registry import ImageTask

GateMode = Literal["on", "warn", "off"]
KindTold = Literal["request", "dicom", "picture"]
ReadAs = Literal["recording", "page_signal", "page_picture"]


@dataclass(frozen=True)
class Case:
    """What was sent, and what is known beside it: pictures (several views of one case), or the files of a recording.

    recording: (name, content) of each file, or a recording that was read already. view: projection of a chest X-ray,
    PA or AP. pixel_size_um: of a microscope picture. sampling_rate_hz: of a recording that does not say it. gate: "on"
    refuses what is of another kind or of poor quality, "warn" only says so, "off" does not look
    and only tells what was undone in a picture before it was answered. presentation: of DICOM pictures.
    """

    pictures: tuple[bytes, ...] = ()
    recording: tuple[tuple[str, bytes], ...] | EcgRecording = ()
    age_years: float | None = None
    sex: Sex | None = None
    view: str | None = None
    pixel_size_um: float | None = None
    sampling_rate_hz: float | None = None
    gate: GateMode = "on"
    presentation: Presentation = AS_STORED


@dataclass(frozen=True)
class InputCheck:
    """What the gate found. `warnings` say what speaks against relying on the answer; not accepted: some of them would
    have been refusals. abstain_reasons: what makes any answer unfit to be leant on. crops: of each picture the part
    that was answered from, (left, top, right, bottom) in pixels of the upright upload, None where nothing else was
    around it. distance: of the view that is furthest from the training pictures, refused from its limit on.
    dicom: what the header of each picture says, None for other files; empty of recordings.
    """

    expected: str
    quality: Quality | RecordingCheck
    accepted: bool = True
    warnings: tuple[str, ...] = ()
    abstain_reasons: tuple[str, ...] = ()
    crops: tuple[Box | None, ...] = ()
    recognition: Recognition | None = None
    distance: float | None = None
    distance_limit: float | None = None
    field_of_view: FieldOfView | None = None
    dicom: tuple[DicomFacts | None, ...] = ()


@dataclass(frozen=True)
class PictureView:
    """One picture as the model saw it, uint8 RGB (height_px, width_px, 3), with its own probabilities (classes,) and
    maps (classes, rows, columns). frame: what it shows of the upload, in the upload's pixels."""

    pixels: NDArray[np.uint8]
    frame: Frame
    original_size_px: tuple[int, int]  # width, height
    probabilities: NDArray[np.float32]
    maps: NDArray[np.float32]


@dataclass(frozen=True)
class SignalView:
    """The signal as the model saw it, mV (samples, 12), NaN where a page shows nothing of a lead; maps have one row."""

    signal_mv: NDArray[np.float32]
    sampling_rate_hz: float
    probabilities: NDArray[np.float32]
    maps: NDArray[np.float32]

    @property
    def duration_s(self) -> float:
        """What the width of the maps stands for."""
        return len(self.signal_mv) / self.sampling_rate_hz


View = PictureView | SignalView


@dataclass(frozen=True)
class EcgReading:
    """What an ECG was read as. recording: of a file, or read off a page; check: of a recording that was sent;
    measured: of the signal, where one was read."""

    read_as: ReadAs
    format: str
    recording: EcgRecording | None = None
    check: RecordingCheck | None = None
    page: PageReading | None = None
    measured: MeasuredEcg | None = None


@dataclass(frozen=True)
class CaseResult:
    """All that is said of one case. Without a model it is the task's example: no views, no predictor, no prediction.

    views: what the probabilities were averaged from. prediction: of the graph, a row a view.
    """

    task: ImageTask
    decision: Decision
    input_check: InputCheck
    views: tuple[View, ...] = ()
    predictor: Predictor | None = None
    prediction: Prediction | None = None
    ecg: EcgReading | None = None

    @property
    def outputs(self) -> Prediction:
        """The model's outputs, a row a view. Raises ValueError for an example."""
        if self.prediction is None:
            raise ValueError(f"{self.task.id}: no model answered")
        return self.prediction
