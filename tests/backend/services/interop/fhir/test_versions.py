"""R4 and R4B: the models that bundles are made with are those of R4B, and what is told must be R4."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

# Every type that a bundle of ours holds.
TYPES = (
    "Bundle", "Device", "DiagnosticReport", "ImagingStudy", "Observation", "Patient", "Provenance", "RiskAssessment",
)  # fmt: skip


def elements_r4(name: str) -> dict[str, tuple[bool, bool]]:
    """By element: whether it repeats, and whether it must be there."""
    kind = getattr(importlib.import_module(f"fhirclient.models.{name.lower()}"), name)
    return {one[1]: (one[3], one[5]) for one in kind().elementProperties()}


def elements_r4b(name: str) -> dict[str, bool]:
    """By element: whether it repeats."""
    kind: Any = getattr(importlib.import_module(f"fhir.resources.R4B.{name.lower()}"), name)
    fields = {field.alias or own: field for own, field in kind.model_fields.items()}
    return {
        name: "List" in str(field.annotation) or "list" in str(field.annotation)
        for name, field in fields.items() if not name.startswith("_") and name not in ("resource_type", "fhir_comments")
    }  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
def test_the_types_that_are_used_have_the_same_elements_in_both(name: str) -> None:
    """So that what is valid by the one is valid by the other; bundles of the tests are read by both."""
    r4, r4b = elements_r4(name), elements_r4b(name)
    assert r4b.keys() - r4.keys() == set()
    assert r4.keys() - r4b.keys() == set()
    assert {one: repeats for one, (repeats, _) in r4.items()} == r4b
