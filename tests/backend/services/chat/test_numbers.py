"""Numbers of a text, and whether an evidence bears them out."""

from __future__ import annotations

import pytest

from backend.services.chat.numbers import Borne, numbers_of

EVIDENCE = ("Melanoma has a probability of 0.8934.", "12.3% of 1,300 cases", "within 4 to 8 weeks", "nine in ten cases")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("99%", [99]),
        ("ninety-nine percent", [99]),
        ("two hundred and five", [200, 5]),
        ("three thousand", [3000]),
        ("2 million", [2_000_000]),
        ("stage IV", [4]),
        ("IV line", []),
        ("\uff19\uff19\uff05 or \u0669\u0669", [99, 99]),
        ("x\u00b2", [2]),
        ("p99", [99]),
        ("one in ten", [1, 10]),
        ("no one", []),
        ("half of them", [0.5]),
        ("1,300.5 of 0,5", [1300.5, 0.5]),
    ],
)
def test_numbers_are_found_however_they_are_written(text: str, values: list[float]) -> None:
    assert [number.value for number in numbers_of(text)] == values


@pytest.mark.parametrize(
    "text",
    [
        "89%",
        "89.3 %",
        "89.34 percent",
        "0.893",
        "12 percent",
        "1300",
        "in 4 weeks",
        "eight weeks",
        "9 of 10",
        "no number",
    ],
)
def test_what_is_in_the_evidence_or_is_it_rounded_is_borne_out(text: str) -> None:
    assert Borne(EVIDENCE)(text)


@pytest.mark.parametrize(
    "text",
    [
        "90%",
        "ninety percent",
        "0.95",
        "89.35 %",
        "4 days",
        "4 %",
        "eight percent",
        "stage II",
        "0.5",
        "half",
        "1301",
        "99",
    ],
)
def test_what_is_not_is_not(text: str) -> None:
    assert not Borne(EVIDENCE)(text)


def test_every_number_of_a_text_bears_itself_out() -> None:
    for text in EVIDENCE:
        assert numbers_of(text)
        assert Borne([text])(text)
