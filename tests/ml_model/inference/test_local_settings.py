"""A site's own operating points: what a file may say, which bundle it is for, and what it can never say."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from made_tasks import thresholds
from predictions import manifest
from samples import image_task

from ml_model.diagnosis.findings import findings_of
from ml_model.inference.bundle import Bundle
from ml_model.inference.local.settings import (
    MOST_BYTES,
    LocalPoints,
    LocalPointsInvalid,
    read_local_settings,
    with_local_points,
    write_local_points,
)

SKIN = image_task("skin")
SHA = "a" * 64
SHARE = {"value": 0.9, "low": 0.8, "high": 1.0}


def point(below: float | None = 0.2, from_: float = 0.6, **more: Any) -> dict[str, Any]:
    measured = {"count": 30, **dict.fromkeys(("auc", "sensitivity", "suspected", "specificity", "ruled_out"), SHARE)}
    return {
        "rule_out_below": below, "rule_in_from": from_, "groups_with": 30, "groups_without": 40,
        "sensitivity_at_least": 0.9, "specificity_at_least": 0.8, "measured": measured, **more,
    }  # fmt: skip


def part(findings: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "task": "skin", "model_sha256": SHA, "made_by": "somebody", "made_on": "2026-12-01", "data": "clinic",
        "cases": 70, "groups": 65, "findings": {"": {"melanoma": point()}} if findings is None else findings, **more,
    }  # fmt: skip


def written(path: Path, *parts: Any, **more: Any) -> Path:
    path.write_text(json.dumps({"format_version": 1, "operating_points": parts, **more}), encoding="utf-8")
    return path


def bundle(**settled: Any) -> Bundle:
    shipped = {"melanoma": thresholds(0.1, 0.3), "other_skin_cancer": thresholds(None, 0.4)}
    return Bundle(Path("skin"), manifest(SKIN, findings=shipped, **settled), SHA)


def points(**more: Any) -> LocalPoints:
    return LocalPoints.model_validate_json(json.dumps(part(**more)))


def test_the_site_s_thresholds_take_the_place_of_the_bundle_s_and_say_so() -> None:
    local = points()
    held = with_local_points(bundle(), local)
    assert held.sha256 == SHA
    own, other = held.manifest.findings["melanoma"], held.manifest.findings["other_skin_cancer"]
    assert (own.rule_out_below, own.rule_in_from, own.groups_with, own.min_sensitivity) == (0.2, 0.6, 30, 0.95)
    assert own.local is not None
    assert (own.local.settings_sha256, own.local.made_on, own.local.cases) == (local.sha256, "2026-12-01", 70)
    assert own.local.measured is not None
    assert (own.local.measured.count, own.local.measured.suspected.value) == (30, 0.9)  # type: ignore[union-attr]
    assert other == thresholds(None, 0.4)
    assert other.local is None
    assert "local" not in other.model_dump()
    assert points(cases=71).sha256 != local.sha256 == points().sha256


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model_sha256": "b" * 64}, "for the model bbbbbbbbbbbb… are not used: aaaaaaaaaaaa… answers"),
        (
            {"findings": {"": {"cancer": point()}}},
            "the finding 'cancer' is not known; expected melanoma, other_skin_cancer",
        ),
        ({"findings": {"age given": {"melanoma": point()}}}, "judged as 'age given' is not known"),
        ({"findings": {"": {"melanoma": point(0.4, 0.3)}}}, "rule_out_below 0.4 is above rule_in_from 0.3"),
        ({"findings": {"": {"other_skin_cancer": point(0.01)}}}, "other_skin_cancer: .* this model never rules it out"),
        (
            {"findings": {"": {"melanoma": point(), "other_skin_cancer": point(0.01)}}},
            "other_skin_cancer: .* this model never rules it out",
        ),
    ],
)
def test_points_that_do_not_fit_the_bundle_are_refused_as_a_whole(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(LocalPointsInvalid, match=said):
        with_local_points(bundle(), points(**changed))


def test_a_finding_may_be_suspected_from_elsewhere_though_it_is_never_ruled_out() -> None:
    local = points(findings={"": {"other_skin_cancer": point(None, 0.7), "melanoma": point(None, 0.5)}})
    found = with_local_points(bundle(), local).manifest.findings
    assert (found["other_skin_cancer"].rule_in_from, found["other_skin_cancer"].never_ruled_out) == (0.7, "too few")
    assert found["melanoma"].never_ruled_out == "the site's own operating points never rule it out"


def test_of_several_populations_the_most_cautious_ends_serve_and_their_mixture_is_not_measured() -> None:
    apart = {name: {"melanoma": thresholds(0.1, 0.3)} for name in ("children", "adults")}
    shipped = bundle(findings_by_population=apart, populations=("children", "adults"))
    held = with_local_points(shipped, points(findings={"adults": {"melanoma": point(0.05, 0.6)}})).manifest
    by_code = dict.fromkeys(SKIN.codes, 0.0)
    (adult, *_), (nobody, *_) = (findings_of(SKIN, held, by_code, key) for key in ("adults", None))
    assert adult.thresholds == held.findings_by_population["adults"]["melanoma"]
    assert nobody.thresholds is not None
    assert (nobody.thresholds.rule_out_below, nobody.thresholds.rule_in_from) == (0.05, 0.3)
    assert nobody.thresholds.local is not None
    assert nobody.thresholds.local.measured is None
    (child, *_) = findings_of(SKIN, held, by_code, "children")
    assert child.thresholds == thresholds(0.1, 0.3)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"findings": {"": {"melanoma": point(0.6, 0.7)}}},
            "findings.*melanoma.rule_out_below: .* less than or equal to 0.5",
        ),
        ({"findings": {"": {"melanoma": point(-0.1)}}}, "rule_out_below: .* greater than or equal to 0"),
        ({"findings": {"": {"melanoma": point(0.1, 1.2)}}}, "rule_in_from: .* less than or equal to 1"),
        ({"findings": {"": {"melanoma": point(0.1, float("nan"))}}}, "rule_in_from: "),
        ({"findings": {"": {"melanoma": point(0.1, True)}}}, "rule_in_from: .* valid number"),
        ({"findings": {"": {"melanoma": point(local={})}}}, "melanoma.local: Extra inputs are not permitted"),
        ({"findings": {}}, "findings: .* at least 1 item"),
        ({"model_sha256": "A" * 64}, "model_sha256: "),
        ({"cases": 0}, "cases: .* greater than or equal to 1"),
        ({"made_by": "a\nb"}, "made_by: "),
        ({"more": 1}, "more: Extra inputs are not permitted"),
    ],
)
def test_a_part_that_is_wrong_is_left_out_with_the_reason_and_the_others_are_read(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    found = read_local_settings(written(tmp_path / "s.json", part(**changed), part(task="xray")))
    assert list(found.points) == ["xray"]
    assert list(found.problems) == ["skin"]
    assert re.search(said, found.problems["skin"]), found.problems


def test_two_parts_for_one_model_are_none_and_what_has_no_name_is_told_by_its_place(tmp_path: Path) -> None:
    found = read_local_settings(written(tmp_path / "s.json", part(), part(), 5))
    assert found.points == {}
    assert found.problems["skin"] == "two parts of the file are for it; keep one"
    assert "part 3" in found.problems


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "s.json: is not valid JSON"),
        (b"\xff\xfe", "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        (b"[]", "received no object of format_version 1"),
        (b'{"format_version": 2, "operating_points": []}', "received no object of format_version 1"),
        (b'{"format_version": 1, "operating_points": []}', "expected a list of 1 to 64 parts"),
        (b" " * (MOST_BYTES + 1), "cannot be read: it is larger than 1 MB"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "s.json").write_bytes(content)
    with pytest.raises(LocalPointsInvalid, match=said):
        read_local_settings(tmp_path / "s.json")


def test_writing_keeps_what_is_said_of_other_models_and_touches_no_other_file(tmp_path: Path) -> None:
    path = written(tmp_path / "s.json", part(task="xray"), part(cases=3))
    write_local_points(path, points())
    assert read_local_settings(path).points == {"skin": points(), "xray": points(task="xray")}
    assert points().made_on == date(2026, 12, 1)
    for content in (b"notes of mine", json.dumps({"format_version": 1, "operating_points": [part(more=1)]}).encode()):
        path.write_bytes(content)
        with pytest.raises(LocalPointsInvalid, match=r"s\.json: "):
            write_local_points(path, points())
        assert path.read_bytes() == content
