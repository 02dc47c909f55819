"""A record on paper, and whether such a paper is genuine."""

from __future__ import annotations

from flask import Response, request
from flask_openapi3 import APIBlueprint

from backend.api.records.predictions import TAG, record_id
from backend.endpoint import strict
from backend.schemas.accounts import Account
from backend.schemas.kept import ReportQuery, VerifyAnswer, VerifyQuery
from backend.services.container import Services
from backend.telemetry import request_context

PDF = {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}
GENUINE = "this service keeps a record of this id with this result"
NOT_GENUINE = "this service keeps no record of this id with this result: it was deleted, or never answered so"
api = APIBlueprint("reports", __name__, url_prefix="/api/v1", abp_tags=[TAG])


def public_url(services: Services) -> str:
    """By which people reach this service."""
    return services.config.public_url or request.host_url.rstrip("/")


@api.get("/download/<prediction_id>", summary="A record as a report (PDF)", responses={200: PDF})
@strict
def download(services: Services, account: Account, prediction_id: str, query: ReportQuery) -> Response:
    """Triage first, then findings, probabilities, pictures, input check, model and limits. Its QR code leads to
    /verify. Own records; clinicians have those that are shared, too."""
    asked = record_id(prediction_id)
    reports = services.records.open().reports
    made = reports.pdf(account, asked, query.paper, public_url(services), request_context())
    response = Response(made, mimetype="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="report-{asked}.pdf"'
    response.headers["Cache-Control"] = "no-store"
    return response


@api.get("/verify/<prediction_id>", summary="Is a report genuine?", responses={200: VerifyAnswer})
@strict
def verify(services: Services, prediction_id: str, query: VerifyQuery) -> VerifyAnswer:
    """For whoever holds a report, without an account. Nothing of the record is told, nor whether there is one with
    another checksum."""
    asked = record_id(prediction_id)
    genuine = services.records.open().reports.is_genuine(asked, query.sha256)
    return VerifyAnswer(success=True, prediction_id=asked, genuine=genuine, text=GENUINE if genuine else NOT_GENUINE)
