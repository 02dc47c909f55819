"""A record in the forms of a clinic's other systems."""

from __future__ import annotations

from flask import Response, request
from flask_openapi3 import APIBlueprint

from backend.api.records.predictions import TAG, record_id
from backend.endpoint import strict
from backend.errors import NotAcceptable
from backend.schemas.accounts import Account
from backend.schemas.common import FHIR_CONTENT, FHIR_JSON, FHIR_R4_JSON
from backend.services.container import Services
from backend.telemetry import request_context

# What a client may ask for and is answered with it: FHIR's own type, with its version where that is said, and JSON.
_TAKEN = (FHIR_JSON, FHIR_R4_JSON, "application/json")
api = APIBlueprint("interop", __name__, url_prefix="/api/v1", abp_tags=[TAG])


@api.get("/predictions/<prediction_id>/fhir", summary="A record as FHIR R4", responses={200: {"content": FHIR_CONTENT}})
@strict
def fhir(services: Services, account: Account, prediction_id: str) -> Response:
    """A bundle: DiagnosticReport, Observations, Device and Provenance; of a DICOM file its ImagingStudy, of symptoms
    and risk factors a RiskAssessment. Own records; clinicians have those that are shared, too."""
    asked = record_id(prediction_id)
    if request.accept_mimetypes and request.accept_mimetypes.best_match(_TAKEN) is None:
        raise NotAcceptable(f"a record is given as {FHIR_JSON}, version 4.0; ask for that, or leave Accept out")
    made = services.records.open().interop.fhir(account, asked, request_context())
    response = Response(made, mimetype=FHIR_JSON)
    response.headers["Cache-Control"] = "no-store"
    return response
