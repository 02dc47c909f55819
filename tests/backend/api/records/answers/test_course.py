"""A patient's studies beside each other: in the timeline, in the report and as FHIR."""

from __future__ import annotations

import io
import json
import uuid
from typing import Any

import numpy as np
import pytest
from pictures import detailed
from PIL import Image
from records.pages import page_texts
from records.people import Person, person

from backend.app import Application
from backend.schemas.scans.comparison import Comparison, RegionChange
from backend.services.longitudinal.comparison import Laid, compared
from backend.services.reports.kept_answer import KeptAnswer
from ml_model.inference.bundle import MODELS_DIR, load_bundle
from ml_model.tasks.registry import load_image_tasks
from ml_model.tasks.repeatability import change_of, noise_of


def png(picture: Image.Image) -> bytes:
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


WHOLE = detailed(309, 280, 5)
EARLIER, LATER = png(WHOLE.crop((9, 0, 309, 280))), png(WHOLE.crop((0, 0, 300, 280)))


@pytest.fixture(scope="module")
def ada(records_file_app: Application) -> Person:
    """With two studies of one patient, the later nine pixels to the right, and two of another."""
    ada = person(records_file_app)
    for patient, pictures in {"moved": (EARLIER, LATER), "same": (EARLIER, EARLIER)}.items():
        for picture in pictures:
            ada.predict(picture, patient_ref=patient, gate="off")
    return ada


def newest(ada: Person, patient: str, compare: int = 1) -> dict[str, Any]:
    point: dict[str, Any] = ada.get(f"/patients/{patient}/timeline?compare={compare}")["timeline"][-1]
    return point


def test_the_same_picture_twice_shows_no_change(ada: Person) -> None:
    told = newest(ada, "same")["comparison"]
    assert (told["registered"], told["shift_px"], told["map_correlation"]) == (True, [0.0, 0.0], pytest.approx(1.0))
    assert told["region"]["ratio"] == 1.0
    assert {one["change_log_odds"] for one in told["findings"]} == {0.0}
    assert told["summary"].startswith("This study is as urgent as the one before")


def test_how_far_it_moved_and_what_changed_is_told(ada: Person) -> None:
    point = newest(ada, "moved")
    told = point["comparison"]
    assert told["since"] == point["change"]["since"]
    assert told["shift_px"] == pytest.approx([9.0, 0.0], abs=0.7)
    for one in told["findings"]:
        assert one["change_log_odds"] == pytest.approx(change_of(one["before"], one["after"]), abs=1e-3)
        if one["limit_log_odds"] is not None:
            assert one["within_repeats"] == (abs(one["change_log_odds"]) <= one["limit_log_odds"])


@pytest.fixture(scope="module")
def kept(ada: Person) -> dict[str, Any]:
    """An answer as it is kept, as if the shipped model of the skin had given it."""
    record = newest(ada, "same")["record"]["id"]
    result: dict[str, Any] = ada.get(f"/history/{record}")["result"]
    task = next(task for task in load_image_tasks() if task.id == "skin")
    bundle = load_bundle(MODELS_DIR / task.id, task=task.id, contract_sha256=task.contract_sha256)
    return {**result, "model": {**result["model"], "sha256": bundle.sha256}}


def of_two(kept: dict[str, Any], **otherwise: dict[str, Any]) -> Comparison:
    """The same answer twice; the later one with these parts of it otherwise."""
    later = {**kept, **{part: {**kept[part], **values} for part, values in otherwise.items()}}
    region = RegionChange(before_px=100, after_px=110, before_mm2=None, after_mm2=None, ratio=1.1, limit_ratio=None,
                          within_repeats=None)  # fmt: skip
    answers = (KeptAnswer.model_validate(kept), KeptAnswer.model_validate(later))
    return compared(uuid.UUID(int=1), "skin", *answers, Laid(None, region=region, map_correlation=0.99))


def test_what_differs_in_nothing_but_the_picture_is_held_against_repeats(kept: dict[str, Any]) -> None:
    told = of_two(kept)
    assert told.no_limits_because is None
    assert [one.within_repeats for one in told.findings] == [True] * len(kept["findings"])
    assert told.region is not None
    assert (told.region.within_repeats, told.map_within_repeats) == (True, True)


@pytest.mark.parametrize(
    ("otherwise", "reason"),
    [
        ({"provenance": {"request": {"age_years": 78.0}}}, "they were not asked alike (another age_years)"),
        ({"provenance": {"request": {"window": "lung"}}}, "they were not asked alike (another window)"),
        ({"provenance": {"preprocessing_sha256": "0"}}, "the earlier picture was prepared in another way"),
        (
            {"provenance": {"input_sha256": ["1", "2"]}},
            "it was measured of single pictures, and one of these is of several",
        ),
        ({"model": {"sha256": "0"}}, "another model answered the earlier study"),
        ({"model": {"judged_as": "age given"}}, "they were judged by the thresholds of different groups"),
        ({"model": {"age_told_by": "dicom"}}, "the age that was taken into account is of a header, and not kept"),
    ],
)
def test_what_was_answered_otherwise_is_not(kept: dict[str, Any], otherwise: dict[str, Any], reason: str) -> None:
    told = of_two(kept, **otherwise)
    assert told.no_limits_because == reason
    for one in told.findings:
        assert (one.limit_log_odds, one.within_repeats) == (None, None)
        assert one.note == f"Whether repeated pictures show such a change is not known: {reason}."
    assert told.region is not None
    assert (told.region.limit_ratio, told.region.within_repeats, told.map_within_repeats) == (None, None, None)


def test_one_picture_of_two_ages_is_no_change_of_the_picture(ada: Person) -> None:
    for age in ("42", "78"):
        ada.predict(EARLIER, patient_ref="older", gate="off", age_years=age)
    told = newest(ada, "older")["comparison"]
    assert told["no_limits_because"] == "they were not asked alike (another age_years)"
    assert told["registered"] is True


def test_both_maps_are_of_the_class_that_the_later_answer_explains(ada: Person) -> None:
    ada.predict(EARLIER, patient_ref="explained", gate="off", target="mel")  # whose map is empty
    ada.predict(EARLIER, patient_ref="explained", gate="off")
    told = newest(ada, "explained")["comparison"]
    assert told["map_correlation"] == pytest.approx(1.0)


def test_nothing_is_laid_on_each_other_unless_asked_for_or_of_another_model(ada: Person) -> None:
    assert newest(ada, "moved", compare=0)["comparison"] is None
    first = ada.get("/patients/moved/timeline")["timeline"][0]
    assert (first["change"], first["comparison"]) == (None, None)
    assert ada.call("GET", "/patients/moved/timeline?compare=11").status_code == 422


def test_report_and_fhir_tell_the_same(ada: Person) -> None:
    point = newest(ada, "moved")
    record_id, summary = point["record"]["id"], point["comparison"]["summary"]
    text = " ".join(" ".join(page_texts(ada.call("GET", f"/download/{record_id}").data)).split())
    assert "Since the study before" in text
    assert summary in text
    entries = ada.get(f"/predictions/{record_id}/fhir")["entry"]
    (change,) = [
        e["resource"] for e in entries if e["resource"].get("code", {}).get("text", "").startswith("Change since")
    ]
    assert change["valueString"] == summary
    assert change["derivedFrom"][0]["identifier"]["value"] == f"urn:uuid:{point['comparison']['since']}"
    whole = ada.get(f"/history/{point['comparison']['since']}")["record"]["id"]
    assert "Change since" not in json.dumps(ada.get(f"/predictions/{whole}/fhir"))  # of the first


def test_noise_is_known_of_every_finding_of_the_pictures_that_are_shipped() -> None:
    for task in load_image_tasks():
        if task.signal is None:
            bundle = load_bundle(MODELS_DIR / task.id, task=task.id, contract_sha256=task.contract_sha256)
            for rule in task.findings:
                noise = noise_of(task.id, bundle.sha256, rule.code)
                assert noise is not None, f"{task.id}: run ml_model.training.posthoc.repeatability again"
                assert 0 < noise.limit < 6
                assert noise.pairs >= 20
    assert noise_of("skin", "0" * 64, "melanoma") is None
    assert change_of(0.5, 0.75) == pytest.approx(np.log(3))
