"""Which task reads what was sent, where the request does not say it: told by the content of a recording, by the header
of a DICOM file, else by the looks of a picture. What fits no task is refused with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ml_model.diagnosis.case import Case, KindTold
from ml_model.diagnosis.pipeline import Engines
from ml_model.diagnosis.reading import KindClue, KindOfFile, RecordingFiles
from ml_model.ecg.formats.wfdb import is_wfdb_header
from ml_model.ecg.recording import is_recording
from ml_model.errors import InvalidValue, UnsupportedFormat, WrongModality
from ml_model.input_gate.kind import UNTOLD_MODALITIES, header_misfits
from ml_model.input_gate.modality_classifier import PUT_RIGHT_FROM, Recognition, modality_spec, recognise
from ml_model.inputs.dicom.header import DicomFacts
from ml_model.inputs.file_type import sniff_format
from ml_model.inputs.images.decoder import DEFAULT_LIMITS, ImageLimits
from ml_model.tasks.image_schema import ImageInput
from ml_model.tasks.registry import ImageTask

RouteTold = Literal["request", "content", "dicom", "picture"]
_MOST_HEADER_BYTES = 2**16  # in which the names of signal files are looked for
Files = tuple[tuple[str, bytes], ...]  # name and content
# Flat margins of any width may be the picture's own as long as nobody knows what it shows.
_ANY = ImageInput(
    modality="any", height_px=224, width_px=224, dark_margins=(0.5, 0.5), light_margins=(0.5, 0.5), pdf_pages=True
)


@dataclass(frozen=True)
class Route:
    """task: whose pictures, or recordings, these are; told_by: what told it."""

    task: ImageTask
    told_by: RouteTold
    recording: bool = False


def sent_together(files: Sequence[tuple[str, bytes]]) -> tuple[Files, ...]:
    """The files of each case, in the order in which the cases begin: a WFDB header with the signal files that it names,
    every other file for itself."""
    left, cases = list(files), []
    headers = [one for one in files if sniff_format(one[1]) is None and is_wfdb_header(one[1])]
    signals = {id(one): [s for s in files if s is not one and _names(one[1], s)] for one in headers}
    of_header = {id(s) for found in signals.values() for s in found}
    for one in left:
        if id(one) not in of_header:
            cases.append((one, *signals.get(id(one), ())))
    return tuple(cases)


def _names(header: bytes, signal: tuple[str, bytes]) -> bool:
    """Whether a header names a file that is no picture."""
    name = signal[0].replace("\\", "/").rpartition("/")[2].encode()
    return bool(name) and sniff_format(signal[1]) is None and name in header[:_MOST_HEADER_BYTES].split()


def find_route(
    files: Files, engines: Engines, limits: ImageLimits = DEFAULT_LIMITS, facts: DicomFacts | None = None
) -> Route:
    """Which of the engines' tasks reads the files of one case. facts: of its DICOM header, where that was read before.

    Raises WrongModality for what none reads, InvalidValue where nothing can tell it (there is no gate), and the errors
    of reading a picture.
    """
    data = files[0][1]
    if len(files) > 1 or is_recording(data):
        return Route(_of_recordings(engines.tasks), "content", recording=True)
    if sniff_format(data) == "DICOM":
        return _by_header(data, engines, limits, facts)
    return _by_looks(engines.tasks, data, engines, limits)


def find_reader(
    task: ImageTask, others: Sequence[ImageTask], case: Case, engines: Engines, limits: ImageLimits = DEFAULT_LIMITS
) -> tuple[ImageTask, KindTold | None]:
    """The one of `others` whose kind of picture the first one of a case is, or `task`, and what told it; `task` itself
    where nothing speaks for any. Raises the errors of reading a picture."""
    gate = None if case.gate == "off" else engines.gate
    try:
        found = find_route((("", case.pictures[0]),), replace(engines, gate=gate, tasks=(task, *others)), limits)
    except (InvalidValue, WrongModality):
        return task, None
    return found.task, "dicom" if found.told_by == "dicom" else "picture"


def _of_recordings(tasks: Sequence[ImageTask]) -> ImageTask:
    task = next((t for t in tasks if t.signal), None)
    if task is None:
        raise WrongModality("this is a recording or a text, which no task here reads; send a picture")
    return task


def _clue(data: bytes, engines: Engines, limits: ImageLimits, *, looked: bool) -> KindClue:
    return engines.reader(KindOfFile(data, _ANY, limits.max_bytes, limits.max_pixels, looked))


def _by_header(data: bytes, engines: Engines, limits: ImageLimits, facts: DicomFacts | None) -> Route:
    """A header is believed; among several tasks that it fits, and where it is silent, the picture is looked at."""
    try:
        facts = facts or _clue(data, engines, limits, looked=False).dicom
    except UnsupportedFormat:
        if not _is_waveform(data, engines):
            raise
        return Route(_of_recordings(engines.tasks), "content", recording=True)
    fitting = [task for task in engines.tasks if not header_misfits(task, facts)]
    stated = [task for task in fitting if facts and facts.modality in task.dicom_modalities]
    if len(stated) == 1:
        return Route(stated[0], "dicom")
    silent = facts is None or facts.modality in (None, *UNTOLD_MODALITIES)
    if not stated and (not silent or not fitting):
        raise WrongModality(_unread(engines.tasks, facts))
    return _by_looks(stated or fitting, data, engines, limits)


def _is_waveform(data: bytes, engines: Engines) -> bool:
    """Whether a DICOM file without a picture holds a recording; what else is wrong with it is told when it is read."""
    try:
        engines.reader(RecordingFiles((("", data),), None, None, False))
    except UnsupportedFormat:
        return False
    return True


def _unread(tasks: Sequence[ImageTask], facts: DicomFacts | None) -> str:
    """What of the header no task reads: of the task that reads this modality, else the modality."""
    near = next((t for t in tasks if facts and facts.modality in t.dicom_modalities), None)
    says = header_misfits(near, facts) if near else (f"modality {facts.modality if facts else None}",)
    wanted = f"{near.id} reads {_kind_named(near.input.modality)}" if near else f"what is read here: {_read(tasks)}"
    return (
        f"the DICOM header says {' and '.join(says)}, which no task here reads ({wanted}); correct the header if it is "
        "wrong, or say what it is with scan_type= and send gate=warn for an answer with this warning"
    )


def _by_looks(tasks: Sequence[ImageTask], data: bytes, engines: Engines, limits: ImageLimits) -> Route:
    clue = _clue(data, engines, limits, looked=True) if engines.gate else KindClue()
    looks = (recognise(engines.gate, clue.overview, task.input.modality) for task in tasks)
    seen = next((found for found in looks if found), None)
    if seen is None:
        raise InvalidValue("scan_type: kinds of picture are not told apart here; say which it is, for example by "
                           f"scan_type={tasks[0].id} (one of {', '.join(t.id for t in tasks)})")  # fmt: skip
    for task in tasks:
        if task.input.modality == seen.kind:
            return Route(task, "picture")
    for task in tasks:
        if task.input.film and _film_when_exchanged(task, clue, engines):
            return Route(task, "picture")
    raise WrongModality(_unlike(tasks, seen))


def _film_when_exchanged(task: ImageTask, clue: KindClue, engines: Engines) -> bool:
    """Whether it is surely a film once black and white are exchanged: its task then says what to make of it."""
    negative = None if clue.overview is None else 255 - clue.overview
    found = recognise(engines.gate, negative, task.input.modality)
    return found is not None and found.score >= PUT_RIGHT_FROM


def _unlike(tasks: Sequence[ImageTask], seen: Recognition) -> str:
    most = max(tasks, key=lambda task: seen.scores.get(task.input.modality, 0.0))
    score = seen.scores.get(most.input.modality, 0.0)
    return (
        f"the picture looks like {_kind_named(seen.kind)} ({seen.scores[seen.kind]:.3f}); of what is read here it is "
        f"most like {_kind_named(most.input.modality)} ({score:.3f}): send the whole picture, upright and in its own "
        "colours; or say what it is with scan_type= and send gate=warn for an answer with this warning"
    )


def _read(tasks: Sequence[ImageTask]) -> str:
    return ", ".join(_kind_named(task.input.modality) for task in tasks)


def _kind_named(modality: str) -> str:
    return modality_spec().kinds.get(modality, modality)
