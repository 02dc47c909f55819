"""Predictions that need no picture: symptoms and risk factors."""

from __future__ import annotations

from flask import Response, g, request
from flask_openapi3 import APIBlueprint, Tag

from backend.parsing import body_bytes, strict
from backend.schemas.common import to_json
from backend.schemas.tabular import DiseaseAnswer, RiskAnswer, SymptomsAnswer
from backend.services.container import Services, request_context
from ml_model.inputs.tabular import DiseaseQuestion
from ml_model.tasks.registry import RiskTask, SymptomTask


def blueprint(services: Services) -> APIBlueprint:
    """The routes that take JSON."""
    api = APIBlueprint(
        "predict", __name__, abp_tags=[Tag(name="Symptoms and risk", description="JSON in, an answer out")]
    )

    @api.get("/symptoms", summary="Every symptom that is understood", responses={200: SymptomsAnswer})
    @strict
    def symptoms() -> Response:
        """Sorted by name, with the synonyms that are matched to it."""
        return to_json(services.tabular.symptoms())

    @api.post("/predict-disease", summary="Diseases that fit some symptoms", responses={200: DiseaseAnswer})
    @strict
    def predict_disease(body: DiseaseQuestion) -> Response:
        """Names, synonyms and small spelling slips are matched; what is not recognised comes back with suggestions."""
        g.task = services.tabular.task(SymptomTask).id
        answer = services.tabular.predict_disease(body, request.get_data(), request_context())
        services.metrics.answers.labels(g.task, answer.demo_mode).inc()
        return to_json(answer)

    @api.post("/predict-heart", summary="Heart-disease risk from measured factors", responses={200: RiskAnswer})
    @strict
    def predict_heart() -> Response:
        """Fields, units and ranges are those of GET /models; leave out or send null what is not known."""
        g.task = services.tabular.task(RiskTask).id
        answer = services.tabular.assess_risk(body_bytes(), request_context())
        services.metrics.answers.labels(g.task, answer.demo_mode).inc()
        return to_json(answer)

    return api
