"""Bundles of answers to pictures: whatever the probabilities are, they say what the answer says."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from clients.fhir import interpreted, noted, observed, read
from made_tasks import thresholds
from rendered import rendered, sent

from backend.services.rendering.messages import DISCLAIMER
from ml_model.diagnosis.decision import Beside
from ml_model.inference.bundle import PredictionSets
from ml_model.inputs.dicom.instances import DicomInstance
from ml_model.tasks.registry import ImageTask, load_image_tasks

Bundle = Callable[..., str]
STATES = {"suspected": "POS", "indeterminate": "IND", "ruled_out": "NEG"}
UNFIT = "The picture is cut off."


def answers(task: ImageTask, count: int, seed: int) -> list[dict[str, Any]]:
    """As they were sent, of every kind: settled or not, with thresholds or without, some that abstain."""
    rng, made = np.random.default_rng(seed), []
    for row in rng.dirichlet(np.full(len(task.codes), 0.4), count):
        fields: dict[str, Any] = {"evidence": str(rng.choice(["sufficient", "limited", "insufficient"]))}
        if rng.random() < 0.8:
            fields["findings"] = {rule.code: thresholds(0.35, 0.6) for rule in task.findings}
        if rng.random() < 0.8:
            fields["prediction_sets"] = PredictionSets(
                coverage=0.9, thresholds=dict.fromkeys(task.measured_labels, float(rng.choice([0.05, 0.9])))
            )
        beside = Beside(unfit=(UNFIT,) if rng.random() < 0.3 else ())
        made.append(sent(rendered(task, dict(zip(task.codes, row.tolist(), strict=True)), beside=beside, **fields)))
    return made


@pytest.mark.parametrize("task", load_image_tasks(), ids=lambda t: t.id)
def test_a_bundle_is_valid_and_says_what_the_answer_says(bundle_text: Bundle, task: ImageTask) -> None:
    for answer in answers(task, 25, seed=4):
        found = read(bundle_text(answer, task))
        (report,) = found["DiagnosticReport"]
        said, abstained = answer["prediction"], answer["prediction"]["abstain"]
        assert report["status"] == "preliminary"
        assert report["conclusion"].startswith(answer["headline"])
        assert report["conclusion"].endswith(DISCLAIMER)
        assert len(report["result"]) == len(found["Observation"])
        assert all(one["status"] == "preliminary" and DISCLAIMER in noted(one) for one in found["Observation"])
        named = observed(found, "Named class")
        if abstained:
            assert "component" not in named
            assert "valueCodeableConcept" not in named
            assert named["dataAbsentReason"]["coding"][0]["code"] == "unknown"
            assert said["abstain_reason"].startswith(noted(named)[0]) or said["abstain_reason"] in noted(named)
        else:
            assert named["valueCodeableConcept"]["text"] == said["name"]
            shares = {
                c["code"]["text"]: c["valueQuantity"]["value"] for c in named["component"] if "valueQuantity" in c
            }
            assert shares == {one["name"]: one["confidence"] for one in answer["all_predictions"]}
        assert ("interpretation" not in named) == said["settled"]
        assert observed(found, "Triage")["valueCodeableConcept"]["text"] == answer["triage"]["level"]
        assert {one["valueString"] for one in observed(found, "Triage")["component"]} == {
            one["text"] for one in answer["triage"]["reasons"]
        }
        _findings_are_those_of_the_answer(found, answer)
        _set_is_that_of_the_answer(found, answer, {spec.code: spec.name for spec in task.classes})


def _findings_are_those_of_the_answer(found: dict[str, Any], answer: dict[str, Any]) -> None:
    for finding in answer["findings"]:
        one = observed(found, finding["name"])
        if answer["prediction"]["abstain"] and finding["state"] != "suspected":
            assert interpreted(one) == "IND"
            assert one["dataAbsentReason"]["text"] == "No statement can be made"
            assert "valueQuantity" not in one
        else:
            assert interpreted(one) == STATES[finding["state"]]
            assert one["valueQuantity"]["value"] == finding["probability"]
        limits = {limit["text"]: limit for limit in one.get("referenceRange", ())}
        assert ("suspected from" in limits) == (finding["rule_in_from"] is not None)
        if finding["rule_out_below"] is not None:
            assert limits["ruled out below"]["high"]["value"] == finding["rule_out_below"]
        assert finding["message"] is None or finding["message"] in noted(one)


def _set_is_that_of_the_answer(found: dict[str, Any], answer: dict[str, Any], names: dict[str, str]) -> None:
    told = answer["prediction_set"]
    one = observed(found, f"Prediction set, still in question at {100 * told['coverage']:.0f}%")
    inside = [component["valueCodeableConcept"]["text"] for component in one.get("component", ())]
    abstained = answer["prediction"]["abstain"]
    assert inside == ([] if abstained else [names[code] for code in told["classes"]])
    assert ("dataAbsentReason" in one) == abstained
    assert told["note"] in noted(one)


def test_the_same_record_gives_the_same_bundle_and_another_other_ids(bundle_text: Bundle) -> None:
    task = load_image_tasks()[0]
    (answer,) = answers(task, 1, seed=1)
    text = bundle_text(answer, task)
    assert bundle_text(answer, task) == text
    other = json.loads(bundle_text(answer, task, uuid.UUID(int=7)))
    ids = {entry["fullUrl"] for entry in json.loads(text)["entry"]}
    assert not ids & {entry["fullUrl"] for entry in other["entry"]}


def test_it_holds_of_the_patient_the_pseudonym_alone_and_of_a_study_its_uids(bundle_text: Bundle) -> None:
    task = next(task for task in load_image_tasks() if task.id == "mammogram")
    (answer,) = answers(task, 1, seed=2)
    assert "identifier" not in read(bundle_text(answer, task))["Patient"][0]
    instances = tuple(
        DicomInstance("1.2.3", "1.2.3.4", f"1.2.3.4.{n}", "1.2.840.10008.5.1.4.1.1.1.2", "MG") for n in (1, 2)
    )
    found = read(bundle_text(answer, task, patient_ref="case-17", instances=instances, record_sha256="ab" * 32))
    (patient,), (study,) = found["Patient"], found["ImagingStudy"]
    assert patient["identifier"] == [{"system": "urn:medidiagnose:patient-reference", "value": "case-17"}]
    assert patient.keys() == {"resourceType", "id", "identifier"}
    assert study["identifier"] == [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}]
    (series,) = study["series"]
    assert (series["uid"], series["modality"]["code"]) == ("1.2.3.4", "MG")
    assert [one["uid"] for one in series["instance"]] == ["1.2.3.4.1", "1.2.3.4.2"]
    assert series["instance"][0]["sopClass"]["code"] == "urn:oid:1.2.840.10008.5.1.4.1.1.1.2"
    (report,) = found["DiagnosticReport"]
    assert [one["reference"] for one in report["imagingStudy"]] == [f"urn:uuid:{study['id']}"]
    assert report["code"]["coding"] == [
        {"system": "http://snomed.info/sct", "code": "71651007", "display": "Mammography"}
    ]


def test_it_tells_which_model_stated_it_and_from_what(bundle_text: Bundle) -> None:
    task = next(task for task in load_image_tasks() if task.id == "skin")
    (answer,) = answers(task, 1, seed=3)
    answer["provenance"]["input_sha256"] = ["cd" * 32]
    found = read(bundle_text(answer, task, record_sha256="ab" * 32))
    (device,), (provenance,) = found["Device"], found["Provenance"]
    assert [one["value"] for one in device["identifier"]] == [answer["model"]["sha256"]]
    assert answer["model"]["version"] in [one["value"] for one in device["version"]]
    assert task.intended_use in " ".join(noted(device))
    told = {one["what"]["display"]: one["what"]["identifier"]["value"] for one in provenance["entity"]}
    assert told == {"input": "cd" * 32, "model": answer["model"]["sha256"], "preprocessing": "0",
                    "result that is kept": "ab" * 32}  # fmt: skip
    assert provenance["agent"][0]["who"]["reference"] == f"urn:uuid:{device['id']}"
    stated = {one["id"] for kind in ("DiagnosticReport", "Observation") for one in found[kind]}
    assert {one["reference"].removeprefix("urn:uuid:") for one in provenance["target"]} == stated


def test_codes_are_those_of_the_task_file_and_numbers_have_their_digits(bundle_text: Bundle) -> None:
    task = next(task for task in load_image_tasks() if task.id == "skin")
    answer = sent(rendered(task, {"mel": 0.123456789012, "nv": 0.876543210988}))
    text = bundle_text(answer, task)
    classes = observed(read(text), "Named class")["component"]
    coded = {one["code"]["text"]: one["code"].get("coding", [{}])[0].get("code") for one in classes}
    assert (coded["Melanoma"], coded["Melanocytic nevus"], coded["Dermatofibroma"]) == ("1162635006", "D22", None)
    (share,) = (c["confidence"] for c in answer["all_predictions"] if c["code"] == "mel")
    read_exactly = json.loads(text, parse_float=Decimal)
    assert Decimal(repr(share)) in [
        one["valueQuantity"]["value"]
        for entry in read_exactly["entry"] for one in entry["resource"].get("component", ()) if "valueQuantity" in one
    ]  # fmt: skip


def test_of_a_task_that_is_no_more_the_words_remain(bundle_text: Bundle) -> None:
    task = load_image_tasks()[0]
    (answer,) = answers(task, 1, seed=5)
    found = read(bundle_text(answer, None))
    assert found["DiagnosticReport"][0]["code"] == {"text": task.id}


def test_of_an_answer_that_was_cut_short_nothing_is_missing(bundle_text: Bundle) -> None:
    """As ?top_k= does."""
    task = next(task for task in load_image_tasks() if task.id == "skin")
    fields = {"findings": {rule.code: thresholds(0.1, 0.2) for rule in task.findings}, "evidence": "sufficient"}
    answer = sent(rendered(task, {"mel": 0.3, "nv": 0.6, "bkl": 0.1}, **fields))
    assert answer["prediction"]["code"] == "mel"
    answer["all_predictions"] = answer["all_predictions"][:1]
    found = read(bundle_text(answer, task))
    named = observed(found, "Named class")
    assert named["valueCodeableConcept"]["text"] == "Melanoma"
    assert [one["code"]["text"] for one in named["component"]] == ["Melanocytic nevus"]
    _set_is_that_of_the_answer(found, answer, {spec.code: spec.name for spec in task.classes})
    (unknown,) = (one for one in read(bundle_text(answer, None))["Observation"] if one["code"]["text"] == "Named class")
    assert unknown["valueCodeableConcept"] == {"text": "Melanoma"}
