"""The own records, what was said of them, and the audit log."""

from __future__ import annotations

from flask import Response, g
from flask_openapi3 import APIBlueprint

from backend.api.health import health
from backend.api.records.predictions import TAG, record_id
from backend.endpoint import strict, to_json
from backend.errors import NotFound
from backend.schemas.accounts import Account, DoneAnswer
from backend.schemas.common import HealthAnswer
from backend.schemas.records import (
    REFERENCE,
    AuditAnswer,
    AuditQuery,
    FeedbackAnswer,
    FeedbackBody,
    HistoryQuery,
    RecordsAnswer,
    ShareAnswer,
    ShareBody,
    StatsAnswer,
    StatsQuery,
    TimelineAnswer,
    TimelineQuery,
    WholeRecordAnswer,
)
from backend.services.container import Services
from backend.telemetry import request_context

PNG = {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}
api = APIBlueprint("records", __name__, url_prefix="/api/v1", abp_tags=[TAG])

api.get("/health", summary="What is loaded, and whether records can be kept", responses={200: HealthAnswer})(health)


@api.get("/history", summary="The own records", responses={200: RecordsAnswer})
@strict
def history(services: Services, account: Account, query: HistoryQuery) -> RecordsAnswer:
    """Newest first. `page` counts pages; `before`, with `next_before` of the page before, is moved by nothing new."""
    return services.records.open().history.page(account, query, g.request_id)


@api.get("/history/<prediction_id>", summary="One record", responses={200: WholeRecordAnswer})
@strict
def one(services: Services, account: Account, prediction_id: str) -> WholeRecordAnswer:
    """Own ones; clinicians see those that are shared, too."""
    return services.records.open().history.one(account, record_id(prediction_id), g.request_id)


@api.get("/history/<prediction_id>/heatmap.png", summary="The overlay of a record", responses={200: PNG})
@strict
def heatmap(services: Services, account: Account, prediction_id: str) -> Response:
    """As it was when the picture was answered."""
    data = services.records.open().history.heatmap(account, record_id(prediction_id), g.request_id)
    return Response(data, mimetype="image/png")


@api.delete("/history/<prediction_id>", summary="Delete a record", responses={200: DoneAnswer})
@strict
def delete(services: Services, account: Account, prediction_id: str) -> DoneAnswer:
    """With its heatmap, and its file unless another record is of it."""
    services.records.open().history.delete(account, record_id(prediction_id), g.request_id)
    return DoneAnswer(success=True)


@api.post("/history/<prediction_id>/share", summary="Show a record to clinicians", responses={200: ShareAnswer})
@strict
def share(services: Services, account: Account, prediction_id: str, body: ShareBody) -> ShareAnswer:
    """Or to them no more. Its owner or an admin says so."""
    return services.records.open().history.share(account, record_id(prediction_id), body.shared, g.request_id)


@api.post("/history/<prediction_id>/feedback", summary="Agree, or say what it is", responses={201: FeedbackAnswer})
@strict
def feedback(services: Services, account: Account, prediction_id: str, body: FeedbackBody) -> Response:
    """By a clinician, of own records and those that are shared."""
    told = services.records.open().feedback.add(account, record_id(prediction_id), body, g.request_id)
    return to_json(told, 201)


@api.get("/patients/<patient_ref>/timeline", summary="One patient's records", responses={200: TimelineAnswer})
@strict
def timeline(services: Services, account: Account, patient_ref: str, query: TimelineQuery) -> TimelineAnswer:
    """The oldest first, with what changed since the one before of the same task, and what of that repeated pictures
    show as well."""
    if not REFERENCE.fullmatch(patient_ref):
        raise NotFound("there is no such patient: a reference has 1 to 64 letters, digits, dots, dashes, underscores")
    return services.records.open().course.timeline(account, patient_ref, query.compare, request_context())


@api.get("/stats", summary="The own records, counted", responses={200: StatsAnswer})
@strict
def stats(services: Services, account: Account, query: StatsQuery) -> StatsAnswer:
    """By task, class, triage and day; refusals by their code."""
    return services.records.open().statistics.of(account, query)


@api.get("/audit", summary="Who did what", responses={200: AuditAnswer})
@strict
def audit(services: Services, account: Account, query: AuditQuery) -> AuditAnswer:
    """For an admin. Newest first; `python -m backend.admin verify-audit` looks through the whole chain."""
    return services.records.open().exports.audit(account, query, g.request_id)
