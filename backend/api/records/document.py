"""What the OpenAPI document says of records beside what the views are annotated with: who may call, what is sent."""

from __future__ import annotations

from typing import Any

from backend.api.records.identity import ACCESS_COOKIE
from backend.endpoint import CSRF_HEADER
from backend.schemas.batches import IDEMPOTENCY_KEY, KEY_PATTERN, MOST_FILES, BatchBody
from backend.schemas.records import DICOM_OBJECTS, PATIENT_REF, PredictBody
from backend.schemas.requests import RECORD_FILES, upload_body
from ml_model.deidentify.pictures import KEPT_FORMATS

PREFIX = "/api/v1/"
OPEN = {
    "/api/v1/auth/register", "/api/v1/auth/login", "/api/v1/health", "/api/v1/verify/{prediction_id}",
    "/api/v1/auth/oidc/login", "/api/v1/auth/oidc/callback",
}  # fmt: skip
_GUESSED = {"/api/v1/auth/login", "/api/v1/auth/password", "/api/v1/auth/me"}  # where a password is told
_BEARER, _COOKIE, _CSRF = "bearer", "access_cookie", "csrf"
SECURITY_SCHEMES: dict[str, Any] = {
    _BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "of POST /api/v1/auth/login"},
    _COOKIE: {"type": "apiKey", "in": "cookie", "name": ACCESS_COOKIE, "description": "of a log-in with `cookies`"},
    _CSRF: {
        "type": "apiKey", "in": "header", "name": CSRF_HEADER,
        "description": "beside the cookie, of whatever changes something: the value of the cookie csrf_access_token",
    },
}  # fmt: skip
_ID = {"type": "string", "format": "uuid", "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"}
IDENTIFIERS: dict[str, dict[str, Any]] = {
    "prediction_id": _ID,
    "file_id": _ID,
    "batch_id": _ID,
    "patient_ref": {"type": "string", "pattern": PATIENT_REF},
    "dicom_object": {"type": "string", "enum": list(DICOM_OBJECTS)},
}


def security_of(method: str, path: str) -> list[dict[str, list[str]]]:
    """Which proof of an account is taken, if one is needed."""
    if path in OPEN:
        return []
    by_cookie: dict[str, list[str]] = {_COOKIE: []} if method == "get" else {_COOKIE: [], _CSRF: []}
    return [{_BEARER: []}, by_cookie]


def is_open_to_accounts(method: str, path: str) -> bool:
    """Whether it answers anybody, and an account that shows itself, too."""
    answers = ("/analyze/", "/api/analyze", "/api/chat", "/process-image", "/predict")
    return method == "post" and path.startswith(answers)


def gives_fhir(method: str, path: str) -> bool:
    """Whether it answers with FHIR where Accept asks for that."""
    return method == "post" and (path.startswith(("/analyze/", "/predict-")) or path == "/api/analyze")


def statuses_of(method: str, path: str) -> set[int]:
    """Statuses of refusals that only records have."""
    found = set() if path in OPEN else {401}
    found |= {401} if path in _GUESSED and method != "get" else set()
    found |= {429}
    found |= {403} if method != "get" or path.endswith(("/audit", "/performance", "/drift", "/dataset")) else set()
    found |= {404, 413} if path.endswith("/dataset") else set()
    as_dicom = path.endswith(("/dicom", "/dicom-{dicom_object}"))
    reads_picture = as_dicom or path.startswith((f"{PREFIX}download/", f"{PREFIX}render/")) or path.endswith("/fhir")
    found |= {413, 504} if reads_picture else set()
    found |= {415} if as_dicom or path.startswith(f"{PREFIX}render/") else set()  # recordings
    found |= {406} if path.endswith("/fhir") else set()
    found |= {409} if path.endswith("/register") else set()
    return found | ({404} if path in (f"{PREFIX}predict", f"{PREFIX}batch-predict") else set())


def _beside(fields: dict[str, Any]) -> dict[str, Any]:
    """A body's fields as those of a form with files: left out, not null."""
    beside = {
        name: {**told, **next((one for one in told.get("anyOf", ()) if one.get("type") != "null"), {})}
        for name, told in fields["properties"].items() if name != "file_id"
    }  # fmt: skip
    for told in beside.values():
        told.pop("anyOf", None)
        if told.get("default", "") is None:
            del told["default"]
    return beside


def _batch_body(paths: dict[str, Any], file: dict[str, Any], encoding: dict[str, Any]) -> None:
    files = {"type": "array", "minItems": 1, "items": file, "description": f"at most {MOST_FILES}, or one zip"}
    form = {
        "type": "object", "properties": {"files": files, **_beside(BatchBody.model_json_schema())},
        "required": ["files"], "additionalProperties": False,
    }  # fmt: skip
    content = {"multipart/form-data": {"schema": form, "encoding": {"files": encoding}}}
    operation = paths[f"{PREFIX}batch-predict"]["post"]
    operation["requestBody"] = {"required": True, "content": content}
    operation["parameters"] = [
        {
            "name": IDEMPOTENCY_KEY, "in": "header", "required": False,
            "description": "the same key with the same content makes one batch",
            "schema": {"type": "string", "pattern": KEY_PATTERN},
        }
    ]  # fmt: skip


def request_bodies(paths: dict[str, Any], tasks: list[str]) -> None:
    """Those that no annotation tells: forms with a file. tasks: of which there can be a data set."""
    paths[f"{PREFIX}feedback/dataset"]["get"]["parameters"][0]["schema"] = {"type": "string", "enum": tasks}
    form = upload_body("the picture", {"file": 1, "record": RECORD_FILES})
    of_form = form["content"]["multipart/form-data"]
    files = of_form["schema"]["properties"]
    files["file"]["description"] = f"the picture: {', '.join(KEPT_FORMATS)}"
    paths[f"{PREFIX}upload"]["post"]["requestBody"] = form
    fields = PredictBody.model_json_schema()
    picture = {"file": files["file"], **_beside(fields)}
    sent = {"type": "object", "properties": picture, "required": ["file"], "additionalProperties": False}
    by_id = {**fields, "required": ["file_id"]}
    by_id["properties"]["file_id"] = _ID
    told = f"{files['file']['description']}; or one zip of them"
    _batch_body(paths, {**files["file"], "description": told}, of_form["encoding"]["file"])
    paths[f"{PREFIX}predict"]["post"]["requestBody"] = {
        "required": True,
        "content": {
            "application/json": {"schema": by_id},
            "multipart/form-data": {"schema": sent, "encoding": {"file": of_form["encoding"]["file"]}},
        },
    }
