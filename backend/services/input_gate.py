"""The gate before every picture is answered: its quality, and whether it is of the kind that the task reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backend.schemas_image import FieldOfViewAnswer, InputCheckAnswer
from backend.services.loading import ModelStore
from ml_model.errors import OutOfDistribution, PoorQuality, WrongModality
from ml_model.inference.bundle import Manifest
from ml_model.input_gate.field_of_view import FieldOfView
from ml_model.input_gate.image_quality import check, measure_quality
from ml_model.input_gate.modality_classifier import Recognition, modality_spec, recognise
from ml_model.inputs.images.decoder import DecodedImage, LoadedImage, resize_rgb
from ml_model.tasks.registry import ImageTask

GateMode = Literal["on", "warn", "off"]


class InputGate:
    """Refuses what no answer should be given to. Without the gate's model only quality is looked at."""

    def __init__(self, models: ModelStore) -> None:
        self._models = models

    def check(self, decoded: DecodedImage, image: LoadedImage, task: ImageTask, mode: GateMode) -> InputCheckAnswer:
        """What was found. Raises PoorQuality and WrongModality in mode "on"; in mode "warn" they become warnings."""
        warnings: list[str] = []
        quality = measure_quality(image)
        recognition = self._recognise(decoded, task) if mode != "off" else None
        try:
            if mode != "off":
                check(image, task.input, task.dicom_modalities, quality)
                _check_kind(recognition, task, self._models)
        except (PoorQuality, WrongModality) as error:
            if mode == "on":
                raise
            warnings.append(str(error))
        return InputCheckAnswer(
            modality=recognition.kind if recognition else None,
            expected=task.input.modality,
            accepted=not warnings,
            score=round(recognition.score, 4) if recognition else None,
            threshold=recognition.threshold if recognition else None,
            quality=dataclasses.asdict(quality),
            warnings=tuple(warnings),
        )

    def most_like(self, decoded: DecodedImage, tasks: Sequence[ImageTask]) -> ImageTask:
        """The task whose kind of picture this most probably is; the first one if it is of none of their kinds."""
        recognition = self._recognise(decoded, tasks[0])
        return next((t for t in tasks if recognition and t.input.modality == recognition.kind), tasks[0])

    def _recognise(self, decoded: DecodedImage, task: ImageTask) -> Recognition | None:
        gate, expected = self._models.gate, task.input.modality
        if gate is None or expected not in gate.bundle.manifest.thresholds:
            return None
        spec = modality_spec().input
        return recognise(gate, resize_rgb(decoded.rgb, spec.height_px, spec.width_px), expected)


def _check_kind(recognition: Recognition | None, task: ImageTask, models: ModelStore) -> None:
    if recognition is None or recognition.accepted:
        return
    kinds = modality_spec().kinds
    others = [t for t in models.tasks.values() if isinstance(t, ImageTask) and t.input.modality == recognition.kind]
    where = f"; send that to /analyze/{others[0].id}" if others and others[0] is not task else ""
    raise WrongModality(
        f"the picture looks like {kinds[recognition.kind]}; {task.id} reads {kinds[task.input.modality]}, for which it "
        f"scores {recognition.score:.3f} and at least {recognition.threshold:.3f} is needed{where}"
    )


def with_distance(
    answer: InputCheckAnswer, distances: NDArray[np.float32], manifest: Manifest, mode: GateMode
) -> InputCheckAnswer:
    """The same with the distance of the view that is furthest from the training pictures; nothing where the model
    cannot tell. Raises OutOfDistribution in mode "on" beyond the limit; in mode "warn" it becomes a warning."""
    limits = manifest.familiarity
    if limits is None or not distances.size:
        return answer
    distance, warnings = float(distances.max()), answer.warnings
    if mode != "off" and distance >= limits.refuse_from:
        told = (
            f"this is unlike everything that the model learnt from: its distance to the training pictures is "
            f"{distance:.3f}, below {limits.refuse_from:.3f} is needed; check that it is a usual picture of the kind "
            "that is read here, whole and in its own colours, or send gate=warn for an answer with this warning"
        )
        if mode == "on":
            raise OutOfDistribution(told)
        warnings = (*warnings, told)
    known = {"distance": round(distance, 4), "distance_limit": round(limits.refuse_from, 4)}
    accepted = answer.accepted and len(warnings) == len(answer.warnings)
    return answer.model_copy(update={**known, "warnings": warnings, "accepted": accepted})


def with_field(answer: InputCheckAnswer, field: FieldOfView | None) -> InputCheckAnswer:
    """The same with a microscope picture's field of view."""
    if field is None:
        return answer
    warnings = (*answer.warnings, field.warning) if field.warning else answer.warnings
    told = FieldOfViewAnswer.model_validate(dataclasses.asdict(field))
    return answer.model_copy(update={"field_of_view": told, "warnings": warnings})
