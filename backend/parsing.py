"""Strict reading of requests: query, JSON body, one uploaded file.

The views are declared with annotations (`query:`, `body:`), from which the OpenAPI document is
made; `strict` reads the request by the same annotations. It takes the place of flask-openapi3's
own reader, which accepts NaN and repairs types, and which builds a JSON schema on each request.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import wraps
from io import BytesIO
from typing import IO, Any, NoReturn, TypeVar, get_type_hints

from flask import Request, request
from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import FileStorage

from backend.errors import InvalidJson, InvalidValue, UnknownField
from ml_model.errors import EmptyInput, UnsupportedFormat

MAX_UPLOAD_BYTES = 32_000_000
MULTIPART_SLACK_BYTES = 64 * 1024
MAX_JSON_BYTES = 256 * 1024
SHOWN_CHARACTERS = 60
R = TypeVar("R")


class UploadRequest(Request):
    """A request whose uploads stay in memory: an image is patient data and is never spooled to disk."""

    max_content_length = MAX_UPLOAD_BYTES + MULTIPART_SLACK_BYTES
    max_form_parts = 64

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return BytesIO()


def shown(value: object) -> str:
    """A received value, short enough for an error message."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


def _refuse(error: ValidationError, what: str) -> NoReturn:
    first = error.errors(include_url=False, include_context=False)[0]
    name = ".".join(str(part) for part in first["loc"]) or what
    if first["type"] == "extra_forbidden":
        raise UnknownField(f"{what} has an unknown field {name!r:.80}; see /openapi.json for the fields it takes")
    if first["type"] == "missing":
        raise InvalidValue(f"{name}: missing from the {what}; this field is required")
    raise InvalidValue(f"{name}: {first['msg']}; received {shown(first['input'])}")


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJson(f"{name} is not JSON; leave the field out or send null where a value is not known")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise InvalidJson(f"the number {text:.20} is too large for a float")
    return value


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidJson(f"the field {twice!r:.80} is there twice; send each field once")
    return found


def json_object() -> dict[str, Any]:
    """The body as a JSON object. Raises EmptyInput, UnsupportedFormat, InvalidJson or InvalidValue."""
    if not request.is_json and request.mimetype:
        raise UnsupportedFormat(f"received {request.mimetype:.80}; send JSON with Content-Type: application/json")
    data = request.get_data(cache=False)
    if not data.strip():
        raise EmptyInput("nothing was sent; send a JSON object with Content-Type: application/json")
    if len(data) > MAX_JSON_BYTES:
        raise InvalidValue(f"the body has {len(data)} bytes; at most {MAX_JSON_BYTES} are read")
    try:
        content = json.loads(data, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_no_repeats)
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        where = f" at line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidJson(f"the body is not valid JSON{where}") from error
    if not isinstance(content, dict):
        raise InvalidValue(f"the body is {shown(content)}; send a JSON object")
    return content


def _read_body(model: type[BaseModel]) -> BaseModel:
    content = json_object()
    try:
        return model.model_validate(content, strict=True)
    except ValidationError as error:
        _refuse(error, "body")


def _read_query(model: type[BaseModel]) -> BaseModel:
    known = {name: value for name, value in request.args.items() if name in model.model_fields}
    try:
        return model.model_validate(known)
    except ValidationError as error:
        _refuse(error, "query")


def uploaded_files(most: Mapping[str, int]) -> tuple[str, list[FileStorage]]:
    """The files of a multipart request and the one field they are in; `most` has the fields and their limits.

    Raises EmptyInput or UnknownField.
    """
    names, first = ", ".join(most), next(iter(most))
    example = f"curl -F {first}=@photo.jpg"
    if request.mimetype != "multipart/form-data":
        received = request.mimetype or "no Content-Type"
        raise EmptyInput(f"no file was sent (received {received:.80}); send multipart/form-data, for example {example}")
    files, texts = request.files, request.form
    if unknown := [name for name in (*files, *texts) if name not in most]:
        raise UnknownField(f"unknown form field {unknown[0]!r:.80}; this endpoint reads: {names}")
    if texts and not files:
        field = next(iter(texts))
        raise EmptyInput(f"the field {field} holds text, not a file; send the file itself, for example {example}")
    sent = {name: files.getlist(name) for name in most if name in files}
    if not sent:
        raise EmptyInput(f"no file was sent; send one in the field {first}, for example {example}")
    field, chosen = next(iter(sent.items()))
    if len(sent) > 1 or texts:
        count = sum(map(len, sent.values())) + len(texts)
        raise UnknownField(f"{count} parts were sent; send files in one of the fields: {names}")
    if len(chosen) > most[field]:
        wanted = "exactly one file" if most[field] == 1 else f"at most {most[field]} files"
        raise UnknownField(f"{len(chosen)} parts were sent; send {wanted} in the field {field}")
    return field, chosen


def strict(view: Callable[..., R]) -> Callable[..., R]:
    """Fill a view's `query` and `body` from the request, by their annotations."""
    hints = get_type_hints(view)
    query, body = hints.get("query"), hints.get("body")

    @wraps(view)
    def read(**route: Any) -> R:
        if query is not None:
            route["query"] = _read_query(query)
        if body is not None:
            route["body"] = _read_body(body)
        return view(**route)

    # flask-openapi3 then leaves the reading to us.
    read.__delay_validate_request__ = True  # type: ignore[attr-defined]
    return read
