"""Bundles of electrocardiograms: what was measured, with units and reference ranges."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from clients.fhir import interpreted, noted, observed, read
from ecg_files import heart, wfdb_record
from samples import image_task

from backend.app import Application

UNITS = {"1": "1", "1/min": "/min", "ms": "ms", "degree": "deg", "mV": "mV"}
STATES = {"normal": "N", "low": "L", "high": "H"}


@pytest.fixture(scope="module")
def answer(live_app: Application) -> dict[str, Any]:
    files = [(io.BytesIO(data), name) for name, data in wfdb_record(heart())]
    reply = live_app.test_client().post("/analyze/heart?age_years=61&sex=male", data={"record": files})
    assert reply.status_code == 200, reply.text
    return dict(reply.get_json())


def _is(one: dict[str, Any], told: dict[str, Any]) -> None:
    """Whether an observation, or a component, has the figure with all that is said of it."""
    if told["value"] is None:
        assert one["dataAbsentReason"]["text"] == told["how"]
        return
    assert (one["valueQuantity"]["value"], one["valueQuantity"]["code"]) == (told["value"], UNITS[told["unit"]])
    assert one["valueQuantity"]["system"] == "http://unitsofmeasure.org"
    bounds = {name: told[name] for name in ("low", "high") if told[name] is not None}
    (limits,) = one.get("referenceRange", ({},))
    assert {name: limit["value"] for name, limit in limits.items()} == bounds
    assert ("interpretation" in one) == (told["state"] in STATES)
    if told["state"] in STATES:
        assert interpreted(one) == STATES[told["state"]]


def test_every_figure_is_an_observation_or_of_a_lead_a_component(
    bundle_text: Callable[..., str], answer: dict[str, Any]
) -> None:
    found = read(bundle_text(answer, image_task("heart")))
    of_leads = [one for one in answer["measurements"] if one.get("lead")]
    assert of_leads
    assert len(answer["measurements"]) > len(of_leads) > 12
    for told in answer["measurements"]:
        one = observed(found, told["name"])
        if told.get("lead"):
            (one,) = (part for part in one["component"] if part["code"]["text"] == f"lead {told['lead']}")
        _is(one, told)


def test_a_figure_outside_its_range_says_what_it_means(bundle_text: Callable[..., str], answer: dict[str, Any]) -> None:
    rate = next(one for one in answer["measurements"] if one["code"] == "heart_rate")
    fast = {"code": "tachycardia", "name": "Fast", "text": "Too fast.", "level": "soon", "lowers_claim": False}
    changed = rate | {"value": 170.5, "state": "high", "finding": fast}
    lost = rate | {"code": "pr", "name": "PR interval", "value": None, "state": "not_measurable", "how": "no P wave"}
    found = read(bundle_text(answer | {"measurements": [changed, lost]}, image_task("heart")))
    one = observed(found, rate["name"])
    assert one["code"]["coding"] == [{"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}]
    assert (one["valueQuantity"]["value"], interpreted(one), one["interpretation"][0]["text"]) == (170.5, "H", "Fast")
    assert "Fast: Too fast." in noted(one)
    other = observed(found, "PR interval")
    assert other["code"]["coding"][0] == {
        "system": "urn:iso:std:iso:11073:10101", "code": str(2 * 65536 + 15872), "display": "PR interval global",
    }  # fmt: skip
    assert (other["dataAbsentReason"]["text"], "valueQuantity" in other) == ("no P wave", False)


def test_several_labels_are_each_a_finding(bundle_text: Callable[..., str], answer: dict[str, Any]) -> None:
    found = read(bundle_text(answer, image_task("heart")))
    for finding in answer["findings"]:
        assert interpreted(observed(found, finding["name"])) in ("POS", "IND", "NEG")
    said = answer["prediction"]["abstain"] or "Several can be present at once: the probabilities do not sum to 1."
    assert said is True or said in noted(observed(found, "Named class"))


def test_the_order_of_the_figures_does_not_matter(bundle_text: Callable[..., str], answer: dict[str, Any]) -> None:
    by_lead = sorted(answer["measurements"], key=lambda one: str(one.get("lead")))
    found, other = (
        read(bundle_text(answer | {"measurements": told}, image_task("heart")))["Observation"]
        for told in (answer["measurements"], by_lead)
    )
    assert sorted(one["code"]["text"] for one in found) == sorted(one["code"]["text"] for one in other)
