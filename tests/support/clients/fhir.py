"""FHIR as those read it who get it: by the models of R4B, by those of R4, and reference by reference."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from fhir.resources.R4B.bundle import Bundle
from fhirclient.models.bundle import Bundle as BundleR4

FHIR_JSON = "application/fhir+json"
Resource = dict[str, Any]


def read(text: str) -> dict[str, list[Resource]]:
    """The resources of a bundle by type, once it was found valid, by both versions, and whole in itself."""
    sent = json.loads(text)
    Bundle.model_validate_json(text)
    assert BundleR4(sent, strict=True).as_json() == _without_extensions(sent)
    found: dict[str, list[Resource]] = {}
    urls = [entry["fullUrl"] for entry in sent["entry"]]
    for entry in sent["entry"]:
        assert entry["fullUrl"] == f"urn:uuid:{entry['resource']['id']}"
        found.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    assert len(set(urls)) == len(urls)
    types = {f"urn:uuid:{one['id']}": kind for kind, several in found.items() for one in several}
    _invariants_hold(sent)
    for reference in _references(sent):
        assert types[reference["reference"]] == reference["type"]
    return found


def _invariants_hold(node: Any) -> None:
    """Of the standard's rules on how elements go together, which no model checks, those that could be broken."""
    for one in node if isinstance(node, list) else ():
        _invariants_hold(one)
    if not isinstance(node, dict):
        assert node not in ("", []), "nothing is empty"
        return
    assert node, "nothing is empty"
    values = [name for name in node if name.startswith("value")]
    assert len(values) <= 1
    assert not (values and "dataAbsentReason" in node), "obs-6"
    assert "system" in node or "code" not in node or isinstance(node["code"], dict), "qty-3"
    assert 0 <= node.get("probabilityDecimal", 0) <= 100, "ras-2"
    for one in node.values():
        _invariants_hold(one)


def _without_extensions(node: Any) -> Any:
    """Of primitive values, which the models of R4 read and do not give back."""
    if isinstance(node, dict):
        return {name: _without_extensions(one) for name, one in node.items() if not name.startswith("_")}
    return [_without_extensions(one) for one in node] if isinstance(node, list) else node


def _references(node: Any) -> Iterator[Resource]:
    if isinstance(node, dict):
        if "reference" in node:
            yield node
        node = list(node.values())
    for one in node if isinstance(node, list) else ():
        yield from _references(one)


def observed(found: dict[str, list[Resource]], text: str) -> Resource:
    """The one observation that is called so."""
    (one,) = (one for one in found["Observation"] if one["code"]["text"] == text)
    return one


def interpreted(one: Resource) -> str:
    """The code of its one interpretation."""
    (told,) = one["interpretation"]
    return str(told["coding"][0]["code"])


def noted(one: Resource) -> list[str]:
    """The texts of its notes."""
    return [note["text"] for note in one["note"]]
