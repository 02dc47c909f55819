"""Answers that are computed from measured risk factors."""

from __future__ import annotations

from backend.schemas.tabular import (
    MissingFactorAnswer,
    ProbabilityInterval,
    RiskAnswer,
    RiskFactorAnswer,
    RiskPrediction,
)
from backend.services.loading.models import ModelStore
from backend.services.rendering import demo_answers, messages
from backend.services.rendering.responses import body_provenance, model_answer, percent, require_model
from backend.services.rendering.triage import triage_answer
from backend.telemetry import RequestContext
from ml_model.inputs.json_body import json_object
from ml_model.inputs.tabular import risk_values
from ml_model.tabular.risk_model import HeartRiskModel
from ml_model.tasks.registry import RiskTask


class RiskDiagnosis:
    """Answers for the risk task of the registry."""

    def __init__(self, models: ModelStore, demo_mode: bool) -> None:
        self._models = models
        self._demo_mode = demo_mode

    @property
    def task(self) -> RiskTask:
        """That of the registry. Raises ModelUnavailable where there is none."""
        return self._models.task_of_kind(RiskTask)

    def assess_risk(self, sent: bytes, context: RequestContext) -> RiskAnswer:
        """Risk from a JSON object of factors, as it was sent. Raises the errors of `json_object` and `risk_values`."""
        task = self.task
        values = risk_values(task, json_object(sent))
        loaded = self._models.get(task.id)
        require_model(loaded, task.id, self._demo_mode)
        if loaded is None:
            return demo_answers.risk_answer(task, values, body_provenance(task, sent, None, "numpy"), context)
        engine = loaded.engine
        assert isinstance(engine, HeartRiskModel)  # noqa: S101 - the task says which  # nosec B101
        found = engine.assess(values)
        unsure = found.uncertainty
        return RiskAnswer(
            success=True,
            prediction=RiskPrediction(
                condition=found.condition,
                risk_level=found.risk_level,
                probability=found.probability,
                interval=ProbabilityInterval(low=unsure.low, high=unsure.high),
                confidence_percent=percent(found.probability),
                abstain=found.withheld is not None,
                abstain_reasons=() if found.withheld is None else (found.withheld,),
            ),
            risk_factors={f.name: RiskFactorAnswer.model_validate(vars(f)) for f in found.factors},
            baseline_log_odds=found.baseline_log_odds,
            imputed_log_odds=found.imputed_log_odds,
            severity=found.triage.severity,
            recommendations=found.recommendations,
            triage=triage_answer(found.triage),
            missing=found.missing,
            information=unsure.information,
            missing_factors=tuple(MissingFactorAnswer(**vars(factor)) for factor in unsure.missing),
            model=model_answer(task.id, loaded),
            provenance=body_provenance(task, sent, loaded, "numpy"),
            demo_mode=False,
            request_id=context.request_id,
            processing_ms=context.elapsed_ms(),
            disclaimer=messages.DISCLAIMER,
        )
