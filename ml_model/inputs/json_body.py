"""The one reader of JSON that was sent: objects without repeated keys, NaN or repaired types."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from ml_model.errors import EmptyInput, InvalidJson, InvalidValue, UnknownField

MAX_JSON_BYTES = 256 * 1024
MAX_DEPTH = 32  # of lists and objects in each other; what is read here has two
SHOWN_CHARACTERS = 60
M = TypeVar("M", bound=BaseModel)


def shown(value: object) -> str:
    """A received value, short enough for an error message."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


def refuse(error: ValidationError, what: str) -> NoReturn:
    """Raises UnknownField or InvalidValue for the first fault of `what`, a body or a query. A password is not told."""
    first = error.errors(include_url=False, include_context=False)[0]
    name = ".".join(str(part) for part in first["loc"]) or what
    if first["type"] == "extra_forbidden":
        raise UnknownField(f"{what} has an unknown field {name!r:.80}; see /openapi.json for the fields it takes")
    if first["type"] == "missing":
        raise InvalidValue(f"{name}: missing from the {what}; this field is required")
    received = "" if "password" in name else f"; received {shown(first['input'])}"
    raise InvalidValue(f"{name}: {first['msg']}{received}")


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
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise InvalidJson(f"the field {twice!r:.80} is there twice; send each field once")
    return found


def _is_deep(content: object) -> bool:
    """Whether there is more than MAX_DEPTH of lists and objects in each other, which nothing recursive may meet."""
    level = [content]
    for _ in range(MAX_DEPTH):
        nested = [each for each in level if isinstance(each, list | dict)]
        level = [part for each in nested for part in (each.values() if isinstance(each, dict) else each)]
    return any(isinstance(each, list | dict) for each in level)


def json_object(data: bytes) -> dict[str, Any]:
    """A body as a JSON object. Raises EmptyInput, InvalidJson or InvalidValue."""
    if not data.strip():
        raise EmptyInput("nothing was sent; send a JSON object with Content-Type: application/json")
    if len(data) > MAX_JSON_BYTES:
        raise InvalidValue(f"the body has {len(data)} bytes; at most {MAX_JSON_BYTES} are read")
    try:
        content = json.loads(data, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_no_repeats)
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        where = f" at line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidJson(f"the body is not valid JSON{where}") from error
    if _is_deep(content):
        raise InvalidJson(f"lists and objects are nested more than {MAX_DEPTH} times; send them flat")
    if not isinstance(content, dict):
        raise InvalidValue(f"the body is {shown(content)}; send a JSON object")
    return content


def read_body(data: bytes, model: type[M]) -> M:
    """A body as one of `model`; types are not repaired. Raises the errors of `json_object` and UnknownField."""
    content = json_object(data)
    try:
        return model.model_validate(content, strict=True)
    except ValidationError as error:
        refuse(error, "body")
