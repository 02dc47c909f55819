"""What was told of the past or of the family says so, also where the finding itself is one of the past."""

from __future__ import annotations

from made_knowledge import PLAIN, condition, made_knowledge, made_vocabulary

from backend.services.rendering.symptoms import told_fields
from ml_model.symptoms.checker import Decisions, SymptomChecker, Words


def test_a_finding_of_the_past_is_history() -> None:
    vocabulary = made_vocabulary("fever", "kidney_stones", kidney_stones="history")
    made = [condition("colic", usual=("fever",), risk=("kidney_stones",))]
    checker = SymptomChecker(made_knowledge(vocabulary, made), PLAIN, Decisions())
    text = "I have a fever. I am known for kidney stones."
    told = told_fields(text, vocabulary, {}, checker.assess(Words(text)))["understood"]
    assert [(one.finding, one.present, one.history) for one in told] == [
        ("fever", True, False),
        ("kidney_stones", True, True),
    ]
