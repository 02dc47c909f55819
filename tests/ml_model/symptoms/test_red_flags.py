"""Rules of what must be seen soon: when one applies, and files that do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_knowledge import case, made_vocabulary

from ml_model.symptoms.red_flags import RedFlagRule, load_red_flags, red_flags

VOCABULARY = made_vocabulary("headache", "worst_headache", "fever", "stiff_neck", "rash", parents={
    "worst_headache": "headache",
})  # fmt: skip


def rule(id_: str = "rule", **given: Any) -> RedFlagRule:
    return RedFlagRule.model_validate({"id": id_, "level": "emergency", "message": "Call now.", **given})


def applies(made: RedFlagRule, *present: str, **given: Any) -> bool:
    return bool(red_flags([made], case(*present, **given), VOCABULARY))


def test_any_all_any_too_and_none() -> None:
    made = rule(any=("headache", "fever"), all=("stiff_neck",), any_too=("rash", "fever"), none=("worst_headache",))
    assert applies(made, "headache", "stiff_neck", "rash")
    assert applies(made, "fever", "stiff_neck"), "one finding may meet any and any_too"
    assert not applies(made, "stiff_neck", "rash"), "one of any"
    assert not applies(made, "headache", "rash"), "all of all"
    assert not applies(made, "headache", "stiff_neck"), "one of any_too"
    assert not applies(made, "worst_headache", "stiff_neck", "rash"), "none of none"
    assert not applies(made, "headache", absent=["stiff_neck"])


def test_the_least_number_counts_what_is_told_and_not_what_it_implies() -> None:
    made = rule(any=("headache", "worst_headache", "fever", "rash"), least=2)
    assert applies(made, "fever", "rash")
    assert applies(made, "headache", "fever", "rash")
    assert not applies(made, "fever")
    assert not applies(made, "worst_headache"), "a headache is implied by it"
    assert not applies(made, "fever", "stiff_neck")


def test_empty_rows_ask_for_nothing_and_what_is_specific_implies_the_general() -> None:
    assert applies(rule(any=("headache",)), "worst_headache")
    assert not applies(rule(any=("worst_headache",)), "headache")
    assert applies(rule(all=("headache", "fever")), "worst_headache", "fever")
    assert not applies(rule(none=("headache",), any=("fever",)), "fever", "worst_headache")


@pytest.mark.parametrize(
    ("limits", "age_years", "there"),
    [
        ({"max_age_years": 0.25}, 0.2, True),
        ({"max_age_years": 0.25}, 0.25, False),
        ({"max_age_years": 0.25}, None, False),  # only for the young: the age must be known
        ({"min_age_years": 65}, 65, True),
        ({"min_age_years": 65}, 64.9, False),
        ({"min_age_years": 65}, None, True),
        ({}, 110, True),
    ],
)
def test_ages(limits: dict[str, float], age_years: float | None, there: bool) -> None:
    assert applies(rule(any=("fever",), **limits), "fever", age_years=age_years) is there


@pytest.mark.parametrize(("sex", "there"), [("female", True), ("male", False), (None, True)])
def test_sex(sex: str | None, there: bool) -> None:
    assert applies(rule(any=("fever",), sex="female"), "fever", sex=sex) is there


def test_the_gravest_come_first_and_otherwise_the_order_of_the_file() -> None:
    rules = [rule(id_, any=("fever",), level=level) for id_, level in
             (("a", "soon"), ("b", "emergency"), ("c", "urgent"), ("d", "emergency"))]  # fmt: skip
    assert [r.id for r in red_flags(rules, case("fever"), VOCABULARY)] == ["b", "d", "c", "a"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('any = ["no_such"]', "r: any names no_such, which is no finding"),
        ("any = []", "r: is there twice, or asks for no finding"),
        ('any = ["fever"]\n[[rules]]\nid = "r"\nlevel = "soon"\nmessage = "m"\nall = ["rash"]', "is there twice"),
        ('any = ["fever"]\nanyy = ["rash"]', "Extra inputs"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(f'[[rules]]\nid = "r"\nlevel = "soon"\nmessage = "m"\n{text}\n', encoding="utf-8")
    with pytest.raises(ValueError, match=says):
        load_red_flags(path, VOCABULARY)
