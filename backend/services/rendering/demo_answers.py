"""Demo mode for the tasks without pictures: fixed examples, made from the task file alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.schemas.common import ProvenanceAnswer
from backend.schemas.symptoms import DiseaseAnswer, DiseasePrediction, RankedDiseaseAnswer
from backend.schemas.tabular import (
    ProbabilityInterval,
    RiskAnswer,
    RiskFactorAnswer,
    RiskPrediction,
)
from backend.services.rendering import messages
from backend.services.rendering.responses import model_answer, percent
from backend.services.rendering.symptoms import conditions_in_question
from backend.services.rendering.triage import triage_answer
from backend.telemetry import RequestContext
from ml_model.errors import ModelUnavailable
from ml_model.inputs.tabular import DiseaseQuestion
from ml_model.tabular.risk_model import factors_of
from ml_model.tabular.risk_triage import recommendations, risk_triage
from ml_model.tabular.risk_uncertainty import Uncertainty
from ml_model.tasks.registry import RiskTask, SymptomTask

SHARES = (0.5, 0.3, 0.2)


def disease_answer(
    task: SymptomTask,
    question: DiseaseQuestion,
    provenance: ProvenanceAnswer,
    context: RequestContext,
    told: Mapping[str, Any],
) -> DiseaseAnswer:
    """The first diseases of the task file, whatever was asked. told: how soon it must be seen, which rules say."""
    diseases = task.conditions[: len(SHARES)]
    if not diseases:
        raise ModelUnavailable(f"no model is loaded for {task.id} and its task file holds no example; train the task")
    total = sum(SHARES[: len(diseases)])
    ranked = tuple(
        RankedDiseaseAnswer(
            disease=d.disease, probability=share / total, description=d.described_as, precautions=d.precautions
        )
        for d, share in zip(diseases, SHARES, strict=False)
    )
    best = ranked[0]
    return DiseaseAnswer(
        warning=messages.DEMO_WARNING,
        success=True,
        prediction=DiseasePrediction(
            disease=best.disease, confidence=best.probability, confidence_percent=percent(best.probability)
        ),
        top_predictions=ranked,
        ranking=question.ranking,
        symptoms_analyzed=tuple(question.symptoms),
        symptoms_matched=(),
        symptoms_unrecognized=(),
        recommendations=(told["triage"].text, *(flag.message for flag in told["red_flags"]), *task.recommendations),
        **told,
        prediction_set=conditions_in_question((), None),
        something_else=None,
        abstain=True,
        abstain_reasons=(messages.DEMO_WARNING,),
        next_questions=(),
        model=model_answer(task.id, None),
        provenance=provenance,
        demo_mode=True,
        request_id=context.request_id,
        processing_ms=context.elapsed_ms(),
        disclaimer=messages.DISCLAIMER,
    )


def risk_answer(
    task: RiskTask, values: Mapping[str, float | None], provenance: ProvenanceAnswer, context: RequestContext
) -> RiskAnswer:
    """The middle band of the task file; the values are sorted into their own ranges, which needs no model."""
    none_added = dict.fromkeys(values, 0.0)
    factors = {f.name: RiskFactorAnswer.model_validate(vars(f)) for f in factors_of(task, values, none_added)}
    middle = len(task.bands) // 2
    floor = task.bands[middle - 1].below if middle else 0.0
    band = task.bands[middle]
    probability = (floor + band.below) / 2
    unsure = Uncertainty(floor, band.below, 1.0, ())
    triage = risk_triage(task, probability, unsure, values, None, "sufficient")
    return RiskAnswer(
        warning=messages.DEMO_WARNING,
        success=True,
        prediction=RiskPrediction(
            condition=band.condition,
            risk_level=band.risk_level,
            probability=probability,
            interval=ProbabilityInterval(low=floor, high=band.below),
            confidence_percent=percent(probability),
            abstain=False,
            abstain_reasons=(),
        ),
        risk_factors=factors,
        baseline_log_odds=0.0,
        imputed_log_odds=0.0,
        severity=triage.severity,
        recommendations=recommendations(task, triage, withheld=False),
        triage=triage_answer(triage),
        missing=tuple(name for name, value in values.items() if value is None),
        information=None,
        missing_factors=(),
        model=model_answer(task.id, None),
        provenance=provenance,
        demo_mode=True,
        request_id=context.request_id,
        processing_ms=context.elapsed_ms(),
        disclaimer=messages.DISCLAIMER,
    )
