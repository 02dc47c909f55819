"""Clients of few words: what is open stands first, and benign or normal is said only where it is settled."""

from __future__ import annotations

from typing import Any

import pytest
from made_tasks import thresholds
from rendered import rendered, rendered_example, sent
from samples import image_task

from backend.schemas.images import AnalyzeAnswer
from backend.services.rendering.client_answers import label_answer, tissue_answer
from backend.services.rendering.messages import DEMO_WARNING

BREAST, TISSUE = image_task("breast"), image_task("histopathology")


def answered(task: Any, harmful: float, **fields: Any) -> AnalyzeAnswer:
    harmless, rule = task.harmless[0], task.findings[0]
    found = {rule.code: thresholds(0.1, 0.5)}
    return rendered(task, {harmless: 1 - harmful, rule.classes[0]: harmful}, findings=found, **fields)


def narrow(task: Any, answer: AnalyzeAnswer) -> dict[str, Any]:
    return sent(label_answer(task, answer) if task is BREAST else tissue_answer(answer))


def word(task: Any, body: dict[str, Any]) -> str:
    told: str = body["risk_level"] if task is BREAST else body["prediction"]
    return told


@pytest.mark.parametrize(("task", "calm"), [(BREAST, "Normal"), (TISSUE, "Benign")], ids=["breast", "tissue"])
@pytest.mark.parametrize(
    ("harmful", "fields", "settled", "harmless"),
    [
        (0.02, {}, True, True),
        (0.3, {}, False, True),
        (0.7, {}, True, False),
        (0.02, {"evidence": "insufficient"}, False, True),
    ],
    ids=["ruled out", "open", "suspected", "weak evidence"],
)
def test_what_is_not_settled_is_said_first(
    task: Any, calm: str, harmful: float, fields: dict[str, Any], settled: bool, harmless: bool
) -> None:
    answer = answered(task, harmful, **fields)
    body = narrow(task, answer)
    assert (word(task, body), body["settled"]) == (calm if harmless else "Malignant", settled)
    assert body["triage"] == sent(answer)["triage"]
    if settled:
        assert "warning" not in body
    else:
        assert next(iter(body)) == "warning"
        assert body["warning"] == f"NOT SETTLED: {answer.headline}. {answer.triage.text}"


@pytest.mark.parametrize("task", [BREAST, TISSUE], ids=["breast", "tissue"])
def test_an_example_is_said_to_be_one_before_it_is_said_to_be_open(task: Any) -> None:
    body = narrow(task, rendered_example(task))
    assert (next(iter(body)), body["settled"], body["demo_mode"]) == ("warning", False, True)
    assert body["warning"].startswith(f"{DEMO_WARNING} NOT SETTLED: ")


def test_a_diagnosis_in_labels_says_what_is_open() -> None:
    body = narrow(BREAST, answered(BREAST, 0.3))
    named = BREAST.by_code[BREAST.harmless[0]].name
    rule = BREAST.findings[0]
    assert body["diagnosis"] == f"{named} most likely; {rule.name} not ruled out. {BREAST.unsettled.staging}"
