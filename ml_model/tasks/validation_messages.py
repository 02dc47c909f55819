"""What is wrong with a task file, in words that the person who wrote it can act on."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_VALUE_ERROR_PREFIX = "Value error, "
_SHOWN_CHARACTERS = 60


def explain(error: ValidationError, content: Mapping[str, Any], field_names: Collection[str]) -> str:
    """All problems in one line, each as `field: what is wrong, what was received, what to do`.

    content: the file as read, to name a class by its code and not by its number.
    field_names: every key that some table of a task file knows, to suggest the right spelling.
    """
    found = error.errors()
    return " | ".join(_one(details, content, field_names) for details in found if not _follows(details, found))


def _follows(details: ErrorDetails, found: Sequence[ErrorDetails]) -> bool:
    """A list counts as too short also when its entries are faulty; then only these are worth telling."""
    path = details["loc"]
    return details["type"] == "too_short" and any(
        len(other["loc"]) > len(path) and other["loc"][: len(path)] == path for other in found
    )


def _one(details: ErrorDetails, content: Mapping[str, Any], field_names: Collection[str]) -> str:
    path, key = details["loc"], str(details["loc"][-1]) if details["loc"] else ""
    if path and path[0] == content.get("kind"):
        path = path[1:]  # the tag of the union of task kinds is no field
    if details["type"].startswith("union_tag"):
        path = ("kind",)
    text = _sentence(details, key, content, field_names)
    return f"{_field(path, content)}: {text}" if path else text


def _sentence(details: ErrorDetails, key: str, content: Mapping[str, Any], field_names: Collection[str]) -> str:
    context = details.get("ctx", {})
    received = repr(details["input"])
    if len(received) > _SHOWN_CHARACTERS:
        received = received[:_SHOWN_CHARACTERS] + "…"
    match details["type"]:
        case "extra_forbidden":
            near = difflib.get_close_matches(key, field_names, n=1)
            return "unknown key; " + (f"did you mean {near[0]}?" if near else "remove it or correct its spelling")
        case "missing":
            return "is missing; add it"
        case "literal_error":
            allowed = context["expected"]
            return f"must be {'one of ' if ',' in allowed or ' or ' in allowed else ''}{allowed}, got {received}"
        case "union_tag_invalid":
            return f"must be one of {context['expected_tags']}, got {content['kind']!r}"
        case "union_tag_not_found":
            return "is missing; add it"
        case "string_too_short":
            return "is empty; write the text or remove the key"
        case "too_short":
            return f"needs at least {context['min_length']} entries, has {context['actual_length']}"
        case "value_error":
            return details["msg"].removeprefix(_VALUE_ERROR_PREFIX)
        case _:
            return f"{details['msg'][0].lower()}{details['msg'][1:]}, got {received}"


def _field(path: Sequence[int | str], content: Any) -> str:
    """`classes.mel.urgency.color`; an entry without a code or name by its place, counted from 1."""
    words: list[str] = []
    for step in path:
        content = _below(content, step)
        if isinstance(step, str):
            words.append(step)
            continue
        named = content.get("code") or content.get("name") if isinstance(content, dict) else None
        words.append(named if isinstance(named, str) else f"entry {step + 1}")
    return ".".join(words)


def _below(content: Any, step: int | str) -> Any:
    try:
        return content[step]
    except (KeyError, IndexError, TypeError):
        return None
