"""No regular expression of ours can be kept busy by the text that it reads: its cost grows as the text does."""

from __future__ import annotations

import re

import pytest
from hostile.patterns import Pattern, ambiguity, growth, patterns

PATTERNS = patterns()
# Patterns that this project once had, and the classic ones.
# How they are used, and the length of the text that shows it; 0: it would take for ever.
BAD: dict[str | bytes, tuple[str, int]] = {
    r"(?P<file>\S*[^\W\d]\S*)\s+(?P<format>\d{1,4})": ("fullmatch", 800),
    r"\b(?:samp|abtast)\w*[ _-]*(?:rate|freq\w*)": ("search", 1000),
    r"\bfs[ _]*(?:hz)?\s*[=:,;\s]\s*(?P<rate>\d{1,6})": ("search", 100),
    r"\(.*\)": ("sub", 2000),
    rb"\xff+([^\x00\xff\xd0-\xd7])": ("search", 2500),
    r"(a+)+$": ("match", 0),
    r"(?:a|a)*b": ("match", 0),
    r"(?:\w+\s?)+$": ("match", 0),
    r"\s+$": ("sub", 2000),
}
GOOD = {
    r"\s+": "sub",
    r"(?:[^/]+/)+x": "match",
    r"[-\w]+\s+\d{1,6}(?:\s.*)?": "fullmatch",
    rb"\xff([^\x00\xff\xd0-\xd7])": "search",
    r"(?:a++)+b": "match",
}


def made(pattern: str | bytes, use: str) -> Pattern:
    return Pattern("here", pattern, 0, frozenset({use}))


def test_the_patterns_are_found() -> None:
    where = {one.where.partition(":")[0] for one in PATTERNS}
    assert {"ml_model.ecg.formats.csv", "ml_model.ecg.leads", "backend.telemetry"} <= where
    assert {"ml_model.inputs.images.raster_containers", "ml_model.tabular.symptom_matcher"} <= where
    assert len(PATTERNS) > 30


@pytest.mark.parametrize("pattern", BAD)
def test_bad_patterns_are_told_by_structure_and_by_time(pattern: str | bytes) -> None:
    use, characters = BAD[pattern]
    assert ambiguity(made(pattern, use))
    grown = (growth(made(pattern, use), characters, least_s=0.002) for _ in range(3))  # the machine may be busy
    assert characters == 0 or any(one > 3 for one in grown)


@pytest.mark.parametrize("pattern", GOOD)
def test_good_patterns_are_left_alone(pattern: str | bytes) -> None:
    assert ambiguity(made(pattern, GOOD[pattern])) is None
    assert any(growth(made(pattern, GOOD[pattern])) < 3 for _ in range(3))


@pytest.mark.parametrize("one", PATTERNS, ids=lambda one: one.where)
def test_no_text_keeps_a_pattern_busy(one: Pattern) -> None:
    assert ambiguity(one) is None
    grown = growth(one)
    assert grown < 3 or growth(one) < 3, one  # once more: the machine may have been busy
    assert re.compile(one.pattern, one.flags)
