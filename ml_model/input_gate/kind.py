"""Is this a picture of the kind that a task reads? One refusal from all evidence: what a DICOM header states, and what
the picture looks like.

An endpoint is named only where its own check would take the picture, so no refusal leads to another. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from ml_model.input_gate.modality_classifier import Recognition, modality_spec
from ml_model.inputs.dicom.header import DicomFacts
from ml_model.tasks.registry import ImageTask

UNTOLD_MODALITIES = ("OT", "SC")  # "other" and "secondary capture": pictures of anything


def kind_refusal(
    task: ImageTask, tasks: Sequence[ImageTask], dicom: DicomFacts | None, recognition: Recognition | None
) -> str | None:
    """Why `task` should not read the picture and what to do instead; None where nothing speaks against it.

    tasks: those that could be named instead. dicom: what the header states, None for other files. recognition: None
    where the picture was not looked at.
    """
    stated = dicom.modality if dicom else None
    by_header = not header_fits(task, stated)
    by_picture = recognition is not None and not recognition.accepted
    if not (by_header or by_picture):
        return None
    kinds = modality_spec().kinds
    says = [f"the DICOM header says modality {stated}"] if by_header else []
    if recognition is not None:
        says.append(_looks(recognition))
    if by_picture and dicom and dicom.view_position:
        says.append(f"the header says view {dicom.view_position}")
    wanted = kinds.get(task.input.modality, task.input.modality)
    told = f"{task.id} reads {wanted}; {', and '.join(says)}: {_remedy(task, tasks, stated, recognition)}"
    if recognition is not None and recognition.exchanged:
        told += f"; with black and white exchanged it looks like {wanted}: if it is one, send it with dark air"
    return told


def header_fits(task: ImageTask, stated: str | None) -> bool:
    """Whether a header that states this modality may be of a picture that the task reads."""
    return not (task.dicom_modalities and stated and stated not in (*task.dicom_modalities, *UNTOLD_MODALITIES))


def _takes(task: ImageTask, stated: str | None, recognition: Recognition | None) -> bool:
    """Whether the evidence names this task, and its own check would take the picture."""
    if recognition is None:
        return stated in task.dicom_modalities
    return (
        task.input.modality == recognition.kind and recognition.accepts(recognition.kind) and header_fits(task, stated)
    )


def _looks(recognition: Recognition) -> str:
    kinds, expected = modality_spec().kinds, recognition.expected
    if recognition.accepted:
        return f"the picture looks like {kinds[expected]}"
    score = f"as {kinds[expected]} it scores {recognition.score:.3f}, at least {recognition.threshold:.3f} is needed"
    if recognition.kind == expected:
        return f"the picture is too little like one ({score})"
    return f"the picture looks like {kinds[recognition.kind]} ({score})"


def _remedy(task: ImageTask, tasks: Sequence[ImageTask], stated: str | None, recognition: Recognition | None) -> str:
    other = next((t for t in tasks if t is not task and _takes(t, stated, recognition)), None)
    if other is not None:
        return f"send it to /analyze/{other.id}"
    if recognition is not None and recognition.accepted:
        return "the two disagree; correct the header if it is wrong, or send gate=warn for an answer with this warning"
    if recognition is not None and recognition.kind == recognition.expected:
        return "send the whole picture, upright and in its own colours, or gate=warn for an answer with this warning"
    return "no endpoint here takes such a picture; send one of that kind, or gate=warn for an answer with this warning"
