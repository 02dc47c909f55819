"""The OpenAPI 3.1 document: made from the views' annotations, with one path per task of the registry."""

from __future__ import annotations

import copy
from typing import Any, get_args

from flask_openapi3 import Info, OpenAPI

from backend.api.records import document as records
from backend.endpoint import COOKIE
from backend.errors import STATUS
from backend.schemas.chat.turns import EVENT_STREAM, ChatQuestion, chat_bodies
from backend.schemas.common import FHIR_CONTENT, Answer, ErrorAnswer, ProblemAnswer
from backend.schemas.requests import (
    ANY_FORMATS,
    FORMATS,
    RECORD_FILES,
    SERIES_FORMATS,
    modality_words,
    risk_body,
    upload_body,
)
from backend.schemas.scans.answers import MOST_SCANS
from backend.schemas.scans.regions import View
from backend.services.loading.bundles import Task
from backend.services.rendering.catalogue import endpoint_of
from backend.services.rendering.messages import DISCLAIMER, SERVICE_NAME, service_version
from backend.services.scans.answering import words_for
from ml_model.tasks.registry import ImageTask, RiskTask

ANALYZE, CHAT, READINESS = "/analyze/{task}", "/api/chat", "/readyz"
# Addresses that take files without a task in their path: the form's field, how many, and of which formats.
UPLOADS = {
    "/predict": ("file", 1, FORMATS), "/predict/breast-cancer": ("image", 1, FORMATS),
    "/process-image": ("file", 1, FORMATS), "/api/analyze": ("file", MOST_SCANS, ANY_FORMATS),
    "/api/analyze/series": ("file", 1, SERIES_FORMATS),
}  # fmt: skip
WITH_HISTORY = ("/predict", "/history")
SESSION = "session"
EDGE_TEXT = {
    400: "nothing sent, an unknown field or query parameter, or a body that is not JSON",
    401: "no token, or one that is not of this service, expired or revoked; or a wrong password",
    403: "the account may not do this, or a cookie came without the header that only our page can send",
    404: "no such task, heatmap, signal, plot, record or file",
    405: "another method than those described for the path, HEAD and OPTIONS",
    406: "no form of this answer is among those that the Accept header takes",
    409: "there is one of that name",
    413: "over 32 MB, over the pixel limit, or more work than one file may cost",
    415: "the content is of no format this endpoint reads",
    422: "decoded, but refused; the message has the measured value and the limit",
    429: "tried too often",
    500: "an error inside the service",
    501: "a body in another transfer encoding than chunked",
    503: "loading, draining, too much work at a time, a damaged model, or no model with demo mode off",
    504: "not answered within the time that a request may take",
}
ANSWERED = ("200", "201", "202", "302", "303", "304", "503")  # what a view declares
COMMON, OF_PATHS, OF_BODIES = (400, 405, 500, 503), (404,), (413, 415, 422, 501, 504)
HEADERS: dict[str, Any] = {
    "X-Request-ID": {
        "description": "the client's own, if it has up to 64 letters, digits, dots, dashes and underscores; else ours",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"},
    },
    "Retry-After": {
        "description": "seconds to wait before the request is sent again",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {
        "description": "Bearer; with `error` and `max_age` (RFC 9470) where the issuer has to be asked again",
        "required": True,
        "schema": {"type": "string"},
    },
    "Allow": {"description": "the methods there are", "required": True, "schema": {"type": "string"}},
}
ALSO = {401: "WWW-Authenticate", 405: "Allow", 429: "Retry-After", 503: "Retry-After"}


def api_info() -> Info:
    """Title, version and description of the document."""
    return Info(title=SERVICE_NAME, version=service_version(), description=DISCLAIMER)


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _headers(status: int) -> dict[str, Any]:
    names = ("X-Request-ID", *([ALSO[status]] if status in ALSO else []))
    return {name: _reference("headers", name) for name in names}


def _error_response(status: int) -> dict[str, Any]:
    codes = sorted({error.code for error, code in STATUS.items() if code == status})
    told = f"{EDGE_TEXT[status]}; code: {', '.join(codes)}" if codes else EDGE_TEXT[status]
    forms = {"application/json": ErrorAnswer, "application/problem+json": ProblemAnswer}
    content = {form: {"schema": _reference("schemas", model.__name__)} for form, model in forms.items()}
    return {"description": told, "headers": _headers(status), "content": content}


def _schema_of(model: type[Answer]) -> dict[str, Any]:
    return model.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")


def _add_components(document: dict[str, Any]) -> None:
    cookie = {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "Signed; without it a session begins."}
    components = document["components"]
    components["schemas"] |= {model.__name__: _schema_of(model) for model in (ErrorAnswer, ProblemAnswer)}
    components["headers"] = HEADERS
    components["responses"] = {f"Error{status}": _error_response(status) for status in EDGE_TEXT}
    components["securitySchemes"] = {SESSION: cookie, **records.SECURITY_SCHEMES}


def _parameter(declared: dict[str, Any]) -> dict[str, Any]:
    """A query parameter as it can be sent: left out, not null."""
    schema = dict(declared["schema"])
    present = [one for one in schema.pop("anyOf", ()) if one.get("type") != "null"]
    schema |= present[0] if present else {}
    if schema.get("default", "") is None:
        del schema["default"]
    return {**declared, "schema": schema}


def _image_operation(shared: dict[str, Any], task: ImageTask, read: tuple[ImageTask, ...]) -> dict[str, Any]:
    """read: the task and those whose pictures it hands over."""
    operation = copy.deepcopy(shared)
    classes = "; ".join(f"`{c.code}` {c.name}" for c in task.classes)
    operation["operationId"] = f"analyze_{task.id.replace('-', '_')}"
    operation["summary"] = f"Analyse one picture: {task.title}"
    operation["description"] = f"{task.intended_use}\n\nClasses: {classes}."
    known = {
        "target": tuple(code for one in read for code in one.codes),
        "modality": tuple(word for one in read for word in modality_words(one)),
    }
    for parameter in operation["parameters"]:
        if parameter["name"] in known:
            parameter["schema"] = {"type": "string", "enum": list(dict.fromkeys(known[parameter["name"]]))}
            if len(read) > 1:
                parameter["description"] += f"; told apart: {' or '.join(one.id for one in read)}"
    most = {one.id: one.input.max_pictures for one in read}
    fields = {"image": max(most.values()), **({"record": RECORD_FILES} if task.signal else {})}
    limits = f" (at most: {', '.join(f'{name} {count}' for name, count in most.items())})" if len(read) > 1 else ""
    operation["requestBody"] = upload_body(f"{task.title}{limits}", fields)
    return operation


def _uploads(paths: dict[str, Any], tasks: tuple[ImageTask, ...]) -> None:
    """Forms of addresses without a task in their path; where any kind is taken, the words for it and all classes."""
    codes = list(dict.fromkeys(code for task in tasks for code in task.codes))
    for path, (field, most, formats) in UPLOADS.items():
        operation = paths[path]["post"]
        operation["requestBody"] = upload_body(operation["summary"], {field: most}, formats)
        for parameter in operation.get("parameters") or []:
            if known := {"scan_type": list(words_for(tasks)), "target": codes}.get(parameter["name"]):
                parameter["schema"] = {"type": "string", "enum": known}


def _plain_arrays(node: Any) -> None:
    """Tuples of one type as arrays of a fixed length, which more programs read than `prefixItems`."""
    if isinstance(node, dict):
        first, *rest = node.get("prefixItems", [None])
        if rest and all(one == first for one in rest):
            del node["prefixItems"]
            node["items"] = first
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _plain_arrays(inner)


def _finish(method: str, path: str, operation: dict[str, Any], identifiers: dict[str, dict[str, Any]]) -> None:
    """Path parameters, what the cookie does, headers, and every error that the operation can answer with."""
    named = [name for name in identifiers if f"{{{name}}}" in path]
    extra = [{"name": n, "in": "path", "required": True, "schema": identifiers[n]} for n in named]
    queries = [_parameter(p) for p in operation.get("parameters") or [] if p["in"] != "path"]
    operation["parameters"] = extra + queries
    statuses = {*COMMON, *(OF_PATHS if named or path in UPLOADS else ()), *((422,) if queries else ())}
    statuses |= {*OF_BODIES} if "requestBody" in operation else set()
    statuses |= records.statuses_of(method, path) if path.startswith(records.PREFIX) else set()
    statuses |= {404} if path == CHAT else set()  # a record that is not there
    statuses |= {401, 403, 429} if records.is_open_to_accounts(method, path) else set()
    if records.gives_fhir(method, path):
        statuses.add(406)
        operation["responses"]["200"]["content"] |= FHIR_CONTENT
    answered = {status: response for status, response in operation["responses"].items() if status in ANSWERED}
    for status, response in answered.items():
        response["headers"] = _headers(int(status)) | response.get("headers", {})
    errors = {str(status): _reference("responses", f"Error{status}") for status in sorted(statuses)}
    operation["responses"] = dict(sorted((errors | answered).items()))
    if path in WITH_HISTORY:
        operation["security"] = [{SESSION: []}, {}]
    if path.startswith(records.PREFIX):
        operation["security"] = records.security_of(method, path)
    elif records.is_open_to_accounts(method, path):
        operation["security"] = [*records.security_of(method, path), *operation.get("security", [{}])]


def _add_chat(document: dict[str, Any], operation: dict[str, Any], tasks: list[str]) -> None:
    schemas = ChatQuestion.model_json_schema(ref_template="#/components/schemas/{model}")
    document["components"]["schemas"] |= schemas.pop("$defs", {})
    bodies = {"application/json": {"schema": schemas}, **chat_bodies(tasks)}
    operation["requestBody"] = {"required": True, "content": bodies}
    operation["responses"]["200"]["content"] |= {EVENT_STREAM: {"schema": {"type": "string"}}}


def build_document(app: OpenAPI, tasks: tuple[Task, ...]) -> dict[str, Any]:
    """The finished document. Call it after every blueprint is registered."""
    document: dict[str, Any] = copy.deepcopy(app.api_doc)
    paths = document["paths"]
    _add_components(document)
    shared = paths.pop(ANALYZE)["post"]
    images = {task.id: task for task in tasks if isinstance(task, ImageTask)}
    for task in tasks:
        if isinstance(task, ImageTask):
            read = (task, *(images[name] for name in task.also_reads))
            paths[endpoint_of(task)] = {"post": _image_operation(shared, task, read)}
        elif isinstance(task, RiskTask):
            paths[endpoint_of(task)]["post"]["requestBody"] = risk_body(task)
    records.request_bodies(paths, list(images))
    _uploads(paths, tuple(images.values()))
    _add_chat(document, paths[CHAT]["post"], list(images))
    identifiers: dict[str, dict[str, Any]] = {
        "task": {"type": "string", "enum": [task.id for task in tasks]},
        "answer_id": {"type": "string", "format": "uuid"},
        "kind": {"type": "string", "enum": ["csv", "zip"]},
        "part": {"type": "string", "enum": list(get_args(View))},
        "member": {"type": "string", "enum": ["pictures", "signal"]},
        "name": {"type": "string", "pattern": r"^[A-Za-z0-9._-]+\.png$"},
        **records.IDENTIFIERS,
    }
    for path, operations in paths.items():
        for method, operation in operations.items():
            _finish(method, path, operation, identifiers)
    document["paths"] = dict(sorted(paths.items()))
    _plain_arrays(document)
    return document
