"""A question that was answered is not asked again, not even where the answer was not known."""

from __future__ import annotations

from typing import get_args

import pytest
from made_knowledge import PLAIN, condition, made_knowledge, made_vocabulary

from ml_model.symptoms.checker import Decisions, Given, SymptomChecker, Words


@pytest.mark.parametrize("given", get_args(Given))
def test_what_was_answered_is_not_asked_again(given: Given) -> None:
    made = [condition("measles", always=("rash",), usual=("fever",)), condition("flu", usual=("fever", "cough"))]
    checker = SymptomChecker(made_knowledge(made_vocabulary("fever", "rash", "cough"), made), PLAIN, Decisions())
    asked = [q.finding for q in checker.assess(Words("I have a fever.")).questions]
    assert asked == ["rash", "cough"]
    again = checker.assess(Words("I have a fever.", answers={"rash": given})).questions
    assert "rash" not in [q.finding for q in again]
