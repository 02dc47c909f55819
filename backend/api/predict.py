"""Predictions that need no picture: symptoms and risk factors."""

from __future__ import annotations

import functools

from flask import Response, g, request
from flask_openapi3 import APIBlueprint, Tag

from backend.api.fhir import as_fhir
from backend.endpoint import body_bytes, keeper, strict, wants_fhir
from backend.schemas.accounts import Account
from backend.schemas.common import Answer
from backend.schemas.kept import KeepQuery
from backend.schemas.symptoms import DiseaseAnswer, SymptomsAnswer
from backend.schemas.tabular import RiskAnswer
from backend.services.container import Services
from backend.telemetry import request_context
from ml_model.inputs.tabular import DiseaseQuestion

api = APIBlueprint("predict", __name__, abp_tags=[Tag(name="Symptoms and risk", description="JSON in, an answer out")])


@api.get("/symptoms", summary="Every symptom that is understood", responses={200: SymptomsAnswer})
@strict
def symptoms(services: Services) -> SymptomsAnswer:
    """Sorted by name, with the synonyms that are matched to it."""
    return services.symptoms.symptoms()


@api.post(
    "/predict-disease",
    summary="Diseases that fit what somebody tells, and how soon it must be seen",
    responses={200: DiseaseAnswer},
)
@strict
def predict_disease(
    services: Services, account: Account | None, query: KeepQuery, body: DiseaseQuestion
) -> Answer | Response:
    """Symptoms, a description in free text, or both. The answer says what was understood and where in the text, how
    soon it must be seen, and what to ask next; words of self-harm are answered with help. Nothing is kept, unless an
    account asks for it."""
    g.task, context = services.symptoms.task.id, request_context()
    ask = functools.partial(services.symptoms.predict_disease, body, request.get_data(), context)
    keeps = keeper(account, query)
    answer = services.records.open().answers.of_body(keeps, query, g.task, ask, context) if keeps else ask()
    services.metrics.answers.labels(g.task, answer.demo_mode).inc()
    return as_fhir(services, keeps, answer) if wants_fhir() else answer


@api.post("/predict-heart", summary="Heart-disease risk from measured factors", responses={200: RiskAnswer})
@strict
def predict_heart(services: Services, account: Account | None, query: KeepQuery) -> Answer | Response:
    """Fields, units and ranges are those of GET /models; leave out or send null what is not known. Nothing is kept,
    unless an account asks for it."""
    g.task, context = services.risk.task.id, request_context()
    ask = functools.partial(services.risk.assess_risk, body_bytes(), context)
    keeps = keeper(account, query)
    answer = services.records.open().answers.of_body(keeps, query, g.task, ask, context) if keeps else ask()
    services.metrics.answers.labels(g.task, answer.demo_mode).inc()
    return as_fhir(services, keeps, answer) if wants_fhir() else answer
