"""A record in the forms of a clinic's other systems."""

from __future__ import annotations

from flask import Response, request
from flask_openapi3 import APIBlueprint

from backend.api.records.predictions import TAG, record_id
from backend.api.records.reports import public_url
from backend.endpoint import strict
from backend.errors import NotAcceptable, NotFound
from backend.schemas.accounts import Account
from backend.schemas.common import FHIR_CONTENT, FHIR_JSON, FHIR_R4_JSON
from backend.schemas.records import DICOM_OBJECTS, DicomObject
from backend.services.container import Services
from backend.telemetry import request_context

# What a client may ask for and is answered with it: FHIR's own type, with its version where that is said, and JSON.
_TAKEN = (FHIR_JSON, FHIR_R4_JSON, "application/json")
_BINARY = {"schema": {"type": "string", "format": "binary"}}
DICOM = {"content": {"application/dicom": _BINARY}}
ZIP = {"content": {"application/zip": _BINARY}}
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


@api.get(
    "/predictions/<prediction_id>/dicom-<dicom_object>", summary="A record as a DICOM object", responses={200: DICOM}
)
@strict
def dicom_object(services: Services, account: Account, prediction_id: str, dicom_object: str) -> Response:
    """`sr`: structured report (TID 1500); `sc`: heatmap as secondary capture; `seg`: where its map is strong, as a
    segmentation; `pdf`: the report, encapsulated; `picture`: of a picture that came without a study, itself. In the
    study of the DICOM file that was answered, each in a series of its own, without the patient's data; else in a new
    study. Own records; clinicians have those that are shared, too."""
    asked, kind = record_id(prediction_id), _object(dicom_object)
    made = services.records.open().dicom.object(account, asked, kind, public_url(services), request_context())
    return _file(made, "application/dicom", f"{asked}-{kind}.dcm")


@api.get("/predictions/<prediction_id>/dicom", summary="A record as DICOM objects", responses={200: ZIP})
@strict
def dicom(services: Services, account: Account, prediction_id: str) -> Response:
    """All objects that there are of it, in a zip."""
    asked = record_id(prediction_id)
    made = services.records.open().dicom.archive(account, asked, public_url(services), request_context())
    return _file(made, "application/zip", f"{asked}-dicom.zip")


def _object(text: str) -> DicomObject:
    for kind in DICOM_OBJECTS:
        if kind == text:
            return kind
    raise NotFound(f"there is no such object; there are {', '.join(DICOM_OBJECTS)}")


def _file(made: bytes, mimetype: str, name: str) -> Response:
    response = Response(made, mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response
