"""Answers as the service renders them, of probabilities that tests make up."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from predictions import manifest, predicted

from backend.schemas.common import ProvenanceAnswer, Source
from backend.schemas.images import AnalyzeAnswer, AnalyzeQuery
from backend.services.loading.bundles import LoadedModel
from backend.services.rendering.heatmaps import unexplained
from backend.services.rendering.responses import AnswerParts, analyze_answer
from backend.telemetry import RequestContext
from ml_model.diagnosis.case import CaseResult, InputCheck
from ml_model.diagnosis.decision import NOTHING_BESIDE, Beside, decide, example_decision
from ml_model.diagnosis.population import KnownFacts
from ml_model.inference.bundle import Bundle
from ml_model.inference.predictor import Predictor
from ml_model.input_gate.image_quality import Quality
from ml_model.tasks.registry import ImageTask

CONTEXT = RequestContext("r", "a", 0.0, 0.0)
PROVENANCE = ProvenanceAnswer(input_sha256=(), preprocessing_sha256="0", engine=None, request={})
CHECK = InputCheck("none", Quality(100, 50, 200, 100, 1, 224))


def rendered(
    task: ImageTask,
    by_code: dict[str, float],
    *,
    prevalence: float | None = None,
    facts: KnownFacts | None = None,
    beside: Beside = NOTHING_BESIDE,
    source: Source = "bundled",
    **settled: Any,
) -> AnalyzeAnswer:
    """The answer of a model whose manifest has the fields `settled`. by_code: probabilities (0-1); else 0."""
    own = manifest(task, **{"evidence": "limited", **settled})
    values = [by_code.get(code, 0.0) for code in task.codes]
    decision = decide(task, own, predicted([values]), facts or KnownFacts(), beside)
    engine = cast("Predictor", object())  # that there is one makes it no example
    loaded = LoadedModel(Bundle(Path(), own, "0" * 64), engine, source)
    parts = AnswerParts(unexplained("none", "x"), PROVENANCE, loaded)
    return analyze_answer(CaseResult(task, decision, CHECK, predictor=engine), parts, _query(prevalence), CONTEXT)


def rendered_example(task: ImageTask) -> AnalyzeAnswer:
    """The answer of demo mode."""
    parts = AnswerParts(unexplained("none", "x"), PROVENANCE, None)
    return analyze_answer(CaseResult(task, example_decision(task), CHECK), parts, _query(None), CONTEXT)


def sent(answer: Any) -> dict[str, Any]:
    """As it goes over the wire."""
    body: dict[str, Any] = answer.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return body


def strings(node: Any) -> list[str]:
    """Every text of an answer."""
    if isinstance(node, dict | list):
        return [text for one in (node.values() if isinstance(node, dict) else node) for text in strings(one)]
    return [node] if isinstance(node, str) else []


def _query(prevalence: float | None) -> AnalyzeQuery:
    return AnalyzeQuery.model_validate({"explain": "none", "prevalence": prevalence})
