"""What is sent, as JSON schemas made from the task files: files of a form, measured values, words for a modality.

A schema takes what the service takes. What only the content of a file can tell (its format, its quality) is
refused as 400, 413, 415 or 422 all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml_model.inputs.tabular import allowed
from ml_model.tasks.registry import ImageTask, RiskTask
from ml_model.tasks.tabular_schema import RiskFeature

RECORD_FILES = 2  # a WFDB recording is a header and its signals
FORMATS = "PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF or DICOM"
ANY_FORMATS = f"{FORMATS}; or a recording: WFDB (.hea and .dat), CSV or EDF"
SERIES_FORMATS = "a zip of DICOM files, or a DICOM file of several frames"


def modality_words(task: ImageTask) -> tuple[str, ...]:
    """What a client may call the kind of picture that a task reads, in lower case with underscores."""
    return tuple(dict.fromkeys((task.input.modality, *task.input.modality.split("_"))))


def _files(described: str, most: int) -> dict[str, Any]:
    one = {"type": "string", "format": "binary"}
    if most == 1:
        return {**one, "description": described}
    return {"type": "array", "items": one, "minItems": 1, "maxItems": most, "description": described}


def upload_body(title: str, fields: Mapping[str, int], formats: str = FORMATS) -> dict[str, Any]:
    """A multipart form: files in exactly one of `fields`, each with the number of files it takes at most."""
    said = {"image": f"{title}: {formats}", "file": f"{title}: {formats}"}
    said["record"] = "a recording: WFDB (.hea and .dat), CSV, EDF or a DICOM waveform"
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _files(said[name], most) for name, most in fields.items()},
        "additionalProperties": False,
    }
    schema |= {"required": list(fields)} if len(fields) == 1 else {"minProperties": 1, "maxProperties": 1}
    encoding = {name: {"contentType": "application/octet-stream"} for name in fields}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema, "encoding": encoding}}}


def _factor(feature: RiskFeature) -> dict[str, Any]:
    # What is not known is left out or null, but for what the model cannot do without.
    kind: Any = "number" if feature.required else ["number", "null"]
    described: dict[str, Any] = {"type": kind, "description": f"{feature.label}; {allowed(feature)}"}
    if feature.categories:
        described["enum"] = [c.value for c in feature.categories] + ([] if feature.required else [None])
    else:
        described |= {"minimum": feature.minimum, "maximum": feature.maximum}
    return described


def _example(feature: RiskFeature) -> float:
    if feature.categories or feature.minimum is None or feature.maximum is None:
        return feature.categories[0].value
    return round((feature.minimum + feature.maximum) / 2)


def risk_body(task: RiskTask) -> dict[str, Any]:
    """A JSON object of the task's factors."""
    schema = {
        "type": "object",
        "properties": {feature.name: _factor(feature) for feature in task.features},
        "required": [feature.name for feature in task.features if feature.required],
        "additionalProperties": False,
        "examples": [{feature.name: _example(feature) for feature in task.features if feature.required}],
    }
    return {"required": True, "content": {"application/json": {"schema": schema}}}
