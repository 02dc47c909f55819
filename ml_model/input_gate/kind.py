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
    misfits = header_misfits(task, dicom)
    by_picture = recognition is not None and not recognition.accepted
    if not (misfits or by_picture):
        return None
    kinds = modality_spec().kinds
    says = [f"the DICOM header says {' and '.join(misfits)}"] if misfits else []
    if recognition is not None:
        says.append(_looks(recognition))
    if by_picture and dicom and dicom.view_position and not any(one.startswith("view") for one in misfits):
        says.append(f"the header says view {dicom.view_position}")
    wanted = kinds.get(task.input.modality, task.input.modality)
    told = f"{task.id} reads {wanted}; {', and '.join(says)}: {_remedy(task, tasks, dicom, recognition)}"
    if recognition is not None and recognition.exchanged:
        told += f"; with black and white exchanged it looks like {wanted}: if it is one, send it with dark air"
    return told


def header_misfits(task: ImageTask, dicom: DicomFacts | None) -> tuple[str, ...]:
    """What of a header says that the picture is of another kind than the task reads: its modality, the part of the
    body or the view, in DICOM's words. Where a header is silent it speaks against nothing."""
    if dicom is None:
        return ()
    told = (
        ("modality", dicom.modality, task.dicom_modalities and (*task.dicom_modalities, *UNTOLD_MODALITIES)),
        ("body part", dicom.body_part, task.dicom_body_parts),
        ("view", dicom.view_position, task.dicom_views),
    )
    return tuple(f"{what} {stated}" for what, stated, read in told if read and stated and stated not in read)


def _takes(task: ImageTask, dicom: DicomFacts | None, recognition: Recognition | None) -> bool:
    """Whether the evidence names this task, and its own check would take the picture."""
    if header_misfits(task, dicom):
        return False
    if recognition is None:
        return dicom is not None and dicom.modality in task.dicom_modalities
    return task.input.modality == recognition.kind and recognition.accepts(recognition.kind)


def _looks(recognition: Recognition) -> str:
    kinds, expected = modality_spec().kinds, recognition.expected
    if recognition.inverted_kind:
        return f"with black and white exchanged the picture looks like {kinds[recognition.inverted_kind]}"
    if recognition.accepted:
        return f"the picture looks like {kinds[expected]}"
    score = f"as {kinds[expected]} it scores {recognition.score:.3f}, at least {recognition.threshold:.3f} is needed"
    if recognition.kind == expected:
        return f"the picture is too little like one ({score})"
    return f"the picture looks like {kinds[recognition.kind]} ({score})"


def _remedy(
    task: ImageTask, tasks: Sequence[ImageTask], dicom: DicomFacts | None, recognition: Recognition | None
) -> str:
    other = next((t for t in tasks if t is not task and _takes(t, dicom, recognition)), None)
    if other is not None:
        return f"send it to /analyze/{other.id}"
    if recognition is not None and recognition.accepted:
        return "the two disagree; correct the header if it is wrong, or send gate=warn for an answer with this warning"
    if recognition is not None and recognition.kind == recognition.expected:
        return "send the whole picture, upright and in its own colours, or gate=warn for an answer with this warning"
    return "no endpoint here takes such a picture; send one of that kind, or gate=warn for an answer with this warning"
