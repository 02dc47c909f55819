"""The first step of a case: files to the small arrays that all else is decided from. Pure functions of bytes and
declarations, the same wherever they run: here, or in a process of the sandbox, for which `QUESTIONS` and `prepare` are.

The service reads small ordinary pictures at once, everything else in processes under limits (`SandboxedReader`).
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ml_model.deidentify.kept import KeptFile
from ml_model.deidentify.pictures import without_metadata
from ml_model.ecg.kept_recording import as_kept
from ml_model.ecg.leads import EcgRecording
from ml_model.ecg.page_inference import PageSignal, read_signal
from ml_model.ecg.recording import examine_recording, load_recording, network_signal
from ml_model.ecg.signal_quality import RecordingCheck
from ml_model.input_gate.modality_classifier import overview_of
from ml_model.input_gate.screen_photo import grid_height
from ml_model.inputs.dicom.header import DicomFacts, read_dicom_header
from ml_model.inputs.dicom.presentation import AS_STORED, Presentation
from ml_model.inputs.dicom.questions import InstancesOfFiles, SourceOfFile
from ml_model.inputs.dicom.slices import SlicesOfFiles
from ml_model.inputs.dicom.transfer_syntax import DEFLATED
from ml_model.inputs.file_type import is_plain, sniff_format
from ml_model.inputs.images.decoder import DecodedImage, ImageLimits, LoadedImage, decode_image, fitted, resize_rgb
from ml_model.sandbox.pool import WorkerPool
from ml_model.sandbox.worker import Announce, Cost, Question
from ml_model.tasks.image_schema import ImageInput, SignalInput

T = TypeVar("T")
# What decoding and placing take at most, measured with 50 megapixels of each format. More of what is decoded into
# several copies, and of JPEG 2000 time by the bytes that are coded.
_FIXED_BYTES, _BYTES_PER_PX = 48 * 2**20, 12
_MORE_BYTES_PER_PX = {"animated WEBP": 7, "JPEG 2000": 5, "colour JPEG 2000": 15}
_JPEG_2000_S_PER_BYTE = 0.5e-6
_CPU_S_PER_PX, _PAGE_CPU_S_PER_PX = 0.1e-6, 0.25e-6  # three times that of this project's machines; pages are digitised
_PAGE_CPU_S = 3.0  # to digitise a page, whatever its size: up to 1.4 s on a busy machine
# Of a file on its way to the copy that is kept: in memory at once; what is decoded for it, two times or as a PNG; what
# a deflated DICOM file unfolds to, in memory at once. Measured by benchmarks/records/kept_copies.py, with a margin.
_COPIES, _COPYING_S, _UNFOLDED_BYTES, _HEAD_BYTES = 8, 3.0, 5 * 128 * 2**20, 1024
_COPIED_BYTES_PER_PX, _COPYING_S_PER_PX = 15, 0.5e-6
RECORDING_FORMAT = "ECG"  # of a kept one
_KEPT_S = 10.0  # of a recording, to be told of; what the network takes is made of the whole


class Reader(Protocol):
    """Has questions answered, wherever."""

    def __call__(self, question: Question[T], /) -> T:
        """What `question.read` gives."""
        ...


def read_here(question: Question[T], /) -> T:
    """In this process: for files that are trusted, in replay, evaluation and training."""
    return question.read()


@dataclass(frozen=True)
class PictureReading:
    """What is kept of a picture. overview: for the gate's model, in the levels that were sent, where it was asked for.
    page: the signal read off it, where that was asked for and succeeded. grid: `screen_photo.grid_height`, 0 where the
    gate does not look. frames: that the file holds, of which one was read."""

    image: LoadedImage
    frames: int
    overview: NDArray[np.uint8] | None = None
    page: PageSignal | None = None
    grid: float = 0.0


@dataclass(frozen=True)
class PictureFiles:
    """Pictures of one case. signal: what a recording's network takes, where they are pages to be digitised; page:
    whether all pixels are needed; presentation: frame and window of each."""

    files: tuple[bytes, ...]
    input: ImageInput
    max_bytes: int
    max_pixels: int
    overview: bool
    presentation: Presentation = AS_STORED
    page: bool = False
    signal: SignalInput | None = None

    def read(self, announce: Announce | None = None, /) -> tuple[PictureReading, ...]:
        """A reading of each. Raises the errors of `decode_image`."""
        limits = ImageLimits(self.max_bytes, self.max_pixels)
        if announce is not None:
            limits = replace(limits, announce=lambda n, pixels: announce(self._cost(n, pixels)), isolated=True)
        return tuple(self._reading(data, limits) for data in self.files)

    def _cost(self, name: str, pixels: int) -> Cost:
        bytes_per_px = _BYTES_PER_PX + _MORE_BYTES_PER_PX.get(name, 0)
        fixed_s, cpu_s_per_px = (_PAGE_CPU_S, _PAGE_CPU_S_PER_PX) if self.page else (0.0, _CPU_S_PER_PX)
        seconds = sum(fixed_s + cpu_s_per_px * pixels + _coded_s(name, data) for data in self.files)
        return Cost(_FIXED_BYTES + bytes_per_px * pixels, seconds)

    def _reading(self, data: bytes, limits: ImageLimits) -> PictureReading:
        decoded = decode_image(data, self.input, limits, full_size=self.page, presentation=self.presentation)
        return PictureReading(
            fitted(decoded, self.input),
            decoded.frames,
            _overview_as_sent(decoded) if self.overview else None,
            read_signal(decoded.rgb, self.signal) if self.signal else None,
            grid_height(decoded.rgb) if self.overview and not self.page else 0.0,
        )


def _coded_s(name: str, data: bytes) -> float:
    return _JPEG_2000_S_PER_BYTE * len(data) if name.endswith("JPEG 2000") else 0.0


def _overview_as_sent(decoded: DecodedImage) -> NDArray[np.uint8]:
    """Inverted films are known as films, too; what is none may have been inverted for one, and is known as it was."""
    overview = overview_of(decoded.rgb)
    return 255 - overview if decoded.pose.inverted else overview


@dataclass(frozen=True)
class KindClue:
    """What tells the kind of a picture: what a DICOM header states, and, of others or if `looked`, its overview."""

    dicom: DicomFacts | None = None
    overview: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class KindOfFile:
    """A picture of which only the kind is asked. looked: whether DICOM is looked at, too."""

    data: bytes
    input: ImageInput
    max_bytes: int
    max_pixels: int
    looked: bool = False

    def read(self, announce: Announce | None = None, /) -> KindClue:
        """Of DICOM the header first. Raises the errors of `read_dicom_header` and `decode_image`."""
        facts = read_dicom_header(self.data).facts if sniff_format(self.data) == "DICOM" else None
        if facts and not self.looked:
            return KindClue(facts)
        picture = PictureFiles((self.data,), self.input, self.max_bytes, self.max_pixels, overview=True)
        return KindClue(facts, picture.read(announce)[0].overview)


@dataclass(frozen=True)
class RecordingReading:
    """What is kept of a recording: its first seconds, what it was like as a whole, and what the network takes, float32
    (samples, 12), where that was asked for and it is not refused."""

    recording: EcgRecording
    check: RecordingCheck
    signal_mv: NDArray[np.float32] | None


@dataclass(frozen=True)
class RecordingFiles:
    """The files (name, content) of one recording. refusing: whether one of poor quality is of no use."""

    files: tuple[tuple[str, bytes], ...]
    sampling_rate_hz: float | None
    signal: SignalInput | None
    refusing: bool

    def read(self, announce: Announce | None = None, /) -> RecordingReading:
        """Raises the errors of `load_recording`."""
        recording = load_recording(self.files, sampling_rate_hz=self.sampling_rate_hz)
        return reading_of(recording, self.signal, refusing=self.refusing)


def reading_of(recording: EcgRecording, signal: SignalInput | None, *, refusing: bool) -> RecordingReading:
    """The same of a recording that was read already."""
    check = examine_recording(recording)
    wanted = signal is not None and not (refusing and check.refusal)
    signal_mv = network_signal(recording, signal) if wanted and signal else None
    kept = int(_KEPT_S * recording.sampling_rate_hz)
    return RecordingReading(replace(recording, signal_mv=recording.signal_mv[:kept]), check, signal_mv)


@dataclass(frozen=True)
class PictureToKeep:
    """A picture of which a copy is to be kept. checked: the input for which that must decode; None where it is about to
    be answered anyway."""

    data: bytes
    max_bytes: int
    max_pixels: int
    checked: ImageInput | None = None

    def read(self, announce: Announce | None = None, /) -> KeptFile:
        """The copy. Raises the errors of `without_metadata` and `decode_image`."""
        limits = ImageLimits(self.max_bytes, self.max_pixels)
        if announce is not None:
            announce(self._cost("", 0))
            limits = replace(limits, announce=lambda n, pixels: announce(self._cost(n, pixels)), isolated=True)
        copy = without_metadata(self.data, limits)
        if self.checked is not None:
            picture = PictureFiles((copy.data,), self.checked, self.max_bytes, self.max_pixels, overview=False)
            picture.read(announce)
        return copy

    def _cost(self, name: str, decoded_px: int) -> Cost:
        """decoded_px: of what is decoded to make the copy, which the copy may hold again."""
        bytes_per_px = _COPIED_BYTES_PER_PX + _MORE_BYTES_PER_PX.get(name, 0)
        memory_bytes = _COPIES * len(self.data) + bytes_per_px * decoded_px
        if DEFLATED.encode() in self.data[:_HEAD_BYTES]:
            memory_bytes += _UNFOLDED_BYTES
        seconds = _COPYING_S + _COPYING_S_PER_PX * decoded_px + 2 * _coded_s(name, self.data)  # before and after
        return Cost(_FIXED_BYTES + memory_bytes, seconds)


@dataclass(frozen=True)
class PictureToShow:
    """A picture to be looked at, not to be answered. longest_px: of its longer side, at most."""

    data: bytes
    input: ImageInput
    max_bytes: int
    max_pixels: int
    longest_px: int
    presentation: Presentation = AS_STORED

    def read(self, announce: Announce | None = None, /) -> NDArray[np.uint8]:
        """Upright RGB (height, width, 3), with all that is around the picture. Raises the errors of `decode_image`."""
        limits = ImageLimits(self.max_bytes, self.max_pixels)
        if announce is not None:
            cost = PictureFiles((self.data,), self.input, self.max_bytes, self.max_pixels, overview=False)._cost
            limits = replace(limits, announce=lambda n, pixels: announce(cost(n, pixels)), isolated=True)
        shown = decode_image(self.data, self.input, limits, whole=True, presentation=self.presentation).rgb
        scale = min(1.0, self.longest_px / max(shown.size))
        width_px, height_px = (max(1, round(scale * side)) for side in shown.size)
        return resize_rgb(shown, height_px, width_px)


@dataclass(frozen=True)
class RecordingToKeep:
    """The files (name, content) of a recording of which a copy is to be kept."""

    files: tuple[tuple[str, bytes], ...]
    sampling_rate_hz: float | None
    max_bytes: int

    def read(self, announce: Announce | None = None, /) -> KeptFile:
        """Its signal alone. Raises the errors of `load_recording` and `as_kept`."""
        recording = load_recording(self.files, sampling_rate_hz=self.sampling_rate_hz)
        return KeptFile(as_kept(recording, self.max_bytes), RECORDING_FORMAT, 1)


QUESTIONS = (
    PictureFiles, KindOfFile, RecordingFiles, PictureToKeep, PictureToShow, RecordingToKeep, InstancesOfFiles,
    SourceOfFile, SlicesOfFiles,
)  # fmt: skip


def prepare() -> None:
    """In a process of the sandbox: import what is else imported when the first file of its kind comes."""
    import edfio  # noqa: F401
    import imagecodecs  # noqa: F401
    import scipy.signal  # noqa: F401

    from ml_model.inputs.dicom.elements import set_up_pydicom

    set_up_pydicom()


@dataclass(frozen=True)
class SandboxedReader:
    """A `Reader` for one request. deadline: in time.monotonic()."""

    pool: WorkerPool
    deadline: float

    def __call__(self, question: Question[T], /) -> T:
        """Raises the errors of the question and those of `WorkerPool.ask`."""
        return question.read() if _is_cheap(question) else self.pool.ask(question, self.deadline)


def _is_cheap(question: Question[T]) -> bool:
    """Whether it costs less than sending it elsewhere, whatever is in it."""
    if isinstance(question, PictureFiles):
        return not question.page and len(question.files) == 1 and is_plain(question.files[0])
    return isinstance(question, KindOfFile | PictureToKeep | PictureToShow) and is_plain(question.data)


def reading_pool() -> WorkerPool:
    """That of this process: all its applications share the memory, too. It starts at the first question."""
    return _pool_of(os.getpid())


@functools.cache
def _pool_of(_process: int) -> WorkerPool:
    return WorkerPool(__name__)
