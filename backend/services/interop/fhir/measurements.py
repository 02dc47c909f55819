"""What was measured on the signal of an electrocardiogram, with units and reference ranges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fhir.resources.R4B.observation import ObservationComponent, ObservationReferenceRange
from fhir.resources.R4B.reference import Reference

from backend.schemas.ecg import MeasurementAnswer
from backend.services.interop.fhir.entries import Entries
from backend.services.interop.fhir.terms import Interpretation, absent, concept, interpretation, quantity
from ml_model.tasks.registry import ImageTask

_STATES: dict[str, Interpretation] = {"normal": "N", "low": "L", "high": "H"}


def measurement_observations(made: Entries) -> Iterator[Reference]:
    """One for each figure; of one that each lead has, a component for each lead."""
    task = made.case.task
    concepts = {one.code: one.concept for one in task.measurements} if isinstance(task, ImageTask) else {}
    figures: dict[str, list[MeasurementAnswer]] = {}
    for one in made.case.answer.measurements:
        figures.setdefault(one.code if one.lead is None else f"{one.code}/leads", []).append(one)
    for name, of_code in figures.items():
        first = of_code[0]
        found = (f"{one.finding.name}: {one.finding.text}" for one in of_code if one.finding)
        said = _measured(first) if first.lead is None else {"component": [_of_lead(one) for one in of_code]}
        yield made.observe(
            f"measurement/{name}",
            concept(first.name, concepts.get(first.code)),
            *found,
            method=concept(first.how),
            **said,
        )


def _of_lead(one: MeasurementAnswer) -> ObservationComponent:
    return ObservationComponent(code=concept(f"lead {one.lead}"), **_measured(one))


def _measured(one: MeasurementAnswer) -> dict[str, Any]:
    """The elements that an observation and its components share."""
    if one.value is None:
        return {"dataAbsentReason": absent("unknown", one.how)}
    said: dict[str, Any] = {"valueQuantity": quantity(one.value, one.unit)}
    if one.low is not None or one.high is not None:
        low, high = (quantity(bound, one.unit) if bound is not None else None for bound in (one.low, one.high))
        said["referenceRange"] = [ObservationReferenceRange(low=low, high=high)]
    if one.state in _STATES:
        said["interpretation"] = interpretation(_STATES[one.state], one.finding.name if one.finding else None)
    return said
