"""What is let through of a language model's text."""

from __future__ import annotations

import pytest

from backend.services.chat.checked import MOST_CHARACTERS, CheckedText
from backend.services.chat.passages import Passage

EVIDENCE = (
    Passage("result", "skin", "headline", "Melanoma suspected."),
    Passage("result", "skin", "findings.melanoma.state", "Melanoma is suspected: its probability is 38.5%."),
)


def passed(text: str, size: int = 7) -> tuple[list[str], dict[str, int]]:
    checked = CheckedText(EVIDENCE, lambda p: EVIDENCE.index(p) + 11, "urgent")
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    return list(checked.passed(pieces)), dict(checked.left_out)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_sentences_that_the_evidence_bears_out_stand_with_our_numbers_of_citations(size: int) -> None:
    said, left_out = passed(
        "Melanoma is suspected [2]. Its probability is about 38.5 % [2][9].\n1. See a doctor [1].", size
    )
    assert said == [
        "Melanoma is suspected [12].", "Its probability is about 38.5 % [12].", "1. See a doctor [11].",
    ]  # fmt: skip
    assert left_out == {}


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("Its probability is 97 %.", "number"),
        ("It is ninety-seven percent.", "number"),
        ("This is stage II.", "number"),
        ("Take 500 mg twice a day.", "number"),
        ("There is nothing to worry about.", "calmer"),
        ("You don\u2019t need a doctor for this.", "calmer"),
        ("It is definitely benign.", "calmer"),
        ("You definitely have melanoma.", "surer"),
        ("I confirm melanoma, and my diagnosis is final.", "surer"),
        ("Read more at https://example.org/x now.", "link"),
        ("Look: ![x](data:image/png;base64,AA).", "link"),
        ("So <img src=x onerror=alert>.", "link"),
        ("No\u200bthing to worry about.", "calmer"),
    ],
)
def test_others_are_dropped_and_counted(sentence: str, reason: str) -> None:
    said, left_out = passed(f"Melanoma is suspected. {sentence} A dermatologist decides.")
    assert said == ["Melanoma is suspected.", "A dermatologist decides."]
    assert left_out == {reason: 1}


def test_a_calm_result_may_be_told_calmly_but_never_for_sure() -> None:
    checked = CheckedText(EVIDENCE[:1], lambda p: 1, "none")
    text = "There is nothing to worry about in this film. It is confirmed."
    assert list(checked.passed([text])) == ["There is nothing to worry about in this film."]


def test_a_text_without_end_ends() -> None:
    def endless():  # type: ignore[no-untyped-def]
        while True:
            yield "A doctor decides. "

    checked = CheckedText(EVIDENCE, lambda p: 1, None)
    assert len(" ".join(checked.passed(endless()))) <= MOST_CHARACTERS
