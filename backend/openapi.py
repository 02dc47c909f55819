"""The OpenAPI 3.1 document: made from the views' annotations, with one path per task of the registry."""

from __future__ import annotations

import copy
from typing import Any

from flask_openapi3 import Info, OpenAPI

from backend.schemas.common import ErrorAnswer
from backend.services.loading.bundles import Task
from backend.services.rendering.catalogue import endpoint_of
from backend.services.rendering.messages import DISCLAIMER, SERVICE_NAME, service_version
from ml_model.inputs.tabular import allowed
from ml_model.tasks.registry import ImageTask, RiskTask

ANALYZE = "/analyze/{task}"
ERROR_STATUSES = (400, 404, 405, 413, 415, 422, 500, 503)
EDGE_TEXT = {
    400: "nothing sent, an unknown field or query parameter, or a body that is not JSON",
    404: "no such task, heatmap or path",
    405: "the path exists, the method does not",
    413: "over 32 MB or over the pixel limit",
    415: "the content is of no format this endpoint reads",
    422: "decoded, but refused; the message has the measured value and the limit",
    500: "an error inside the service",
    503: "loading, draining, a damaged model, or no model with demo mode off; see Retry-After",
}


def api_info() -> Info:
    """Title, version and description of the document."""
    return Info(title=SERVICE_NAME, version=service_version(), description=DISCLAIMER)


def _error_responses() -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{ErrorAnswer.__name__}"}
    content = {"application/json": {"schema": schema}, "application/problem+json": {"schema": schema}}
    return {str(status): {"description": EDGE_TEXT[status], "content": content} for status in ERROR_STATUSES}


def _upload_body(task: ImageTask) -> dict[str, Any]:
    image = {"type": "string", "format": "binary", "description": f"{task.title}: PNG, JPEG, WebP, TIFF, BMP or GIF"}
    schema = {"type": "object", "properties": {"image": image}, "required": ["image"], "additionalProperties": False}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def _image_operation(shared: dict[str, Any], task: ImageTask) -> dict[str, Any]:
    operation = copy.deepcopy(shared)
    classes = "; ".join(f"`{c.code}` {c.name}" for c in task.classes)
    operation["operationId"] = f"analyze_{task.id.replace('-', '_')}"
    operation["summary"] = f"Analyse one picture: {task.title}"
    operation["description"] = f"{task.intended_use}\n\nClasses: {classes}."
    operation["parameters"] = [p for p in operation["parameters"] if p["in"] != "path"]
    for parameter in operation["parameters"]:
        if parameter["name"] == "target":
            parameter["schema"] = {"type": "string", "enum": list(task.codes)}
    operation["requestBody"] = _upload_body(task)
    return operation


def _risk_body(task: RiskTask) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for feature in task.features:
        described: dict[str, Any] = {"type": ["number", "null"], "description": f"{feature.label}; {allowed(feature)}"}
        if feature.categories:
            described["enum"] = [*(c.value for c in feature.categories), None]
        else:
            described |= {"minimum": feature.minimum, "maximum": feature.maximum}
        properties[feature.name] = described
    required = [feature.name for feature in task.features if feature.required]
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def build_document(app: OpenAPI, tasks: tuple[Task, ...]) -> dict[str, Any]:
    """The finished document. Call it after every blueprint is registered."""
    document: dict[str, Any] = copy.deepcopy(app.api_doc)
    paths = document["paths"]
    errors = _error_responses()
    for operations in paths.values():
        for operation in operations.values():
            operation["responses"] = {**operation.get("responses", {}), **errors}
    shared = paths.pop(ANALYZE)["post"]
    for task in tasks:
        if isinstance(task, ImageTask):
            paths[endpoint_of(task)] = {"post": _image_operation(shared, task)}
        elif isinstance(task, RiskTask):
            paths[endpoint_of(task)]["post"]["requestBody"] = _risk_body(task)
    identifiers = {"task": {"type": "string", "enum": [task.id for task in tasks]}, "answer_id": {"type": "string"}}
    for path, operations in paths.items():
        for operation in operations.values():
            named = [name for name in identifiers if f"{{{name}}}" in path]
            extra = [{"name": n, "in": "path", "required": True, "schema": identifiers[n]} for n in named]
            operation["parameters"] = extra + [p for p in operation.get("parameters") or [] if p["in"] != "path"]
    document["paths"] = dict(sorted(paths.items()))
    return document
