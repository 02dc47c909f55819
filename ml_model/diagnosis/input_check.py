"""The gate before every answer: quality, kind of picture, field of view, distance to what the model learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml_model.ecg.signal_quality import RecordingCheck
from ml_model.errors import MediDiagnoseError, OutOfDistribution, PoorQuality, WrongModality
from ml_model.inference.bundle import Manifest
from ml_model.inference.predictor import Predictor
from ml_model.input_gate.field_of_view import FieldOfView
from ml_model.input_gate.image_quality import Quality, measure_quality, quality_refusal
from ml_model.input_gate.kind import header_fits, kind_refusal
from ml_model.input_gate.modality_classifier import Recognition, modality_spec, recognise
from ml_model.inputs.images.decoder import DecodedImage, LoadedImage, resize_rgb
from ml_model.tasks.registry import ImageTask

GateMode = Literal["on", "warn", "off"]


@dataclass(frozen=True)
class Gate:
    """The tasks that a picture may be sent to instead, and what tells kinds of picture apart where there is such."""

    tasks: tuple[ImageTask, ...]
    predictor: Predictor | None = None

    def recognise(self, decoded: DecodedImage, expected: str) -> Recognition | None:
        """How like each kind the picture is; None where the gate does not know the expected one."""
        if self.predictor is None or expected not in self.predictor.bundle.manifest.thresholds:
            return None
        spec = modality_spec().input
        return recognise(self.predictor, resize_rgb(decoded.rgb, spec.height_px, spec.width_px), expected)


@dataclass(frozen=True)
class InputCheck:
    """What the gate found. `warnings` say what speaks against relying on the answer; not accepted: some of them would
    have been refusals. distance: of the view that is furthest from the training pictures, refused from its limit on.
    """

    expected: str
    quality: Quality | RecordingCheck
    accepted: bool = True
    warnings: tuple[str, ...] = ()
    recognition: Recognition | None = None
    distance: float | None = None
    distance_limit: float | None = None
    field_of_view: FieldOfView | None = None

    def refusing(self, refusals: Sequence[MediDiagnoseError], mode: GateMode) -> InputCheck:
        """The same with reasons to refuse: raised in mode "on", warnings in mode "warn", nothing in mode "off"."""
        if not refusals or mode == "off":
            return self
        if mode == "on":
            raise refusals[0]
        return replace(self, accepted=False, warnings=(*self.warnings, *map(str, refusals)))


def check_picture(
    decoded: DecodedImage, image: LoadedImage, task: ImageTask, gate: Gate | None, mode: GateMode
) -> InputCheck:
    """One picture before it is answered. Raises WrongModality or PoorQuality in mode "on"."""
    quality, refusals = measure_quality(image), list[MediDiagnoseError]()
    if mode == "off":
        return InputCheck(task.input.modality, quality)
    recognition = gate.recognise(decoded, task.input.modality) if gate else None
    if poor := quality_refusal(quality, task.input):
        refusals.append(PoorQuality(poor))
    if other := kind_refusal(task, gate.tasks if gate else (), image.dicom, recognition):
        # A header is believed before the picture is looked at; what a blank picture looks like says nothing.
        stated = image.dicom.modality if image.dicom else None
        refusals.insert(len(refusals) if header_fits(task, stated) else 0, WrongModality(other))
    return InputCheck(task.input.modality, quality, recognition=recognition).refusing(refusals, mode)


def of_all_views(checks: Sequence[InputCheck]) -> InputCheck:
    """That of the first view, with what is to be said of the others."""
    later = tuple(f"picture {i}: {w}" for i, check in enumerate(checks[1:], 2) for w in check.warnings)
    warnings = (*checks[0].warnings, *later)
    return replace(checks[0], accepted=all(check.accepted for check in checks), warnings=warnings)


def check_recording(check: RecordingCheck, mode: GateMode) -> InputCheck:
    """A recording before it is answered: each lead that cannot be used is warned of. Raises PoorQuality in mode "on"
    for what cannot be used at all."""
    refusal = check.refusal if mode != "off" else None
    faults = tuple(str(fault) for fault in check.faults) if mode != "off" and not refusal else ()
    return InputCheck("ecg_recording", check, warnings=faults).refusing([PoorQuality(refusal)] if refusal else [], mode)


def with_distance(check: InputCheck, distances: NDArray[np.float32], manifest: Manifest, mode: GateMode) -> InputCheck:
    """The same with the distance of the furthest view; nothing where the model cannot tell. Raises OutOfDistribution in
    mode "on" beyond the limit."""
    limits = manifest.familiarity
    if limits is None or not distances.size:
        return check
    distance = float(distances.max())
    known = replace(check, distance=distance, distance_limit=limits.refuse_from)
    if distance < limits.refuse_from:
        return known
    told = (
        f"this is unlike everything that the model learnt from: its distance to the training pictures is "
        f"{distance:.3f}, below {limits.refuse_from:.3f} is needed; check that it is a usual picture of the kind "
        "that is read here, whole and in its own colours, or send gate=warn for an answer with this warning"
    )
    return known.refusing([OutOfDistribution(told)], mode)


def with_field(check: InputCheck, field: FieldOfView | None) -> InputCheck:
    """The same with a microscope picture's field of view."""
    if field is None:
        return check
    warnings = (*check.warnings, field.warning) if field.warning else check.warnings
    return replace(check, field_of_view=field, warnings=warnings)
