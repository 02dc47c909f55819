"""What all clinicians said, how far cases are from those of training, and a data set to train on."""

from __future__ import annotations

from flask import Response, g
from flask_openapi3 import APIBlueprint

from backend.api.records.predictions import TAG
from backend.endpoint import spooled, strict
from backend.schemas.accounts import Account
from backend.schemas.monitoring import DatasetQuery, DriftAnswer, PerformanceAnswer
from backend.schemas.records import StatsQuery
from backend.services.container import Services

ZIP = {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}
api = APIBlueprint("monitoring", __name__, url_prefix="/api/v1", abp_tags=[TAG])


@api.get("/stats/performance", summary="How often clinicians agree", responses={200: PerformanceAnswer})
@strict
def performance(services: Services, account: Account, query: StatsQuery) -> PerformanceAnswer:
    """Of all records with feedback, by task and class; for clinicians and admins."""
    return services.records.open().monitor.performance(account, query, g.request_id)


@api.get("/stats/drift", summary="How far cases are from those of training", responses={200: DriftAnswer})
@strict
def drift(services: Services, account: Account) -> DriftAnswer:
    """Of all records, by task; for clinicians and admins."""
    return services.records.open().monitor.drift(account, services.models, g.request_id)


@api.get("/feedback/dataset", summary="A data set of feedback", responses={200: ZIP})
@strict
def dataset(services: Services, account: Account, query: DatasetQuery) -> Response:
    """Own records and those that are shared, with what clinicians say that they are: a zip that the training recipes
    read. Up to 100 MB and 20,000 pictures."""
    opened = services.records.open()
    response = spooled(opened.dataset.zipped(account, query.task, opened.spool, g.request_id), "application/zip")
    response.headers["Content-Disposition"] = 'attachment; filename="feedback.zip"'
    return response
