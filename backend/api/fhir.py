"""Answers of the open addresses as FHIR, where the Accept header asks for that."""

from __future__ import annotations

from flask import Response

from backend.errors import NotAcceptable
from backend.schemas.accounts import Account
from backend.schemas.common import FHIR_JSON
from backend.schemas.images import AnalyzeAnswer
from backend.schemas.symptoms import DiseaseAnswer
from backend.schemas.tabular import RiskAnswer
from backend.services.container import Services
from backend.telemetry import request_context
from ml_model.diagnosis.case import Case


def as_fhir(
    services: Services, keeps: Account | None, answer: AnalyzeAnswer | DiseaseAnswer | RiskAnswer,
    case: Case | None = None,
) -> Response:  # fmt: skip
    """keeps: who has kept the answer; it is then given as GET /api/v1/predictions/<id>/fhir gives it. case: of pictures
    and recordings.

    Raises NotAcceptable for an example of demo mode, and the errors of reading a DICOM file.
    """
    from backend.services.interop.open_answers import fhir_of_answer

    if answer.demo_mode:
        raise NotAcceptable("no model answered, and an example is no result: ask for application/json")
    context = request_context()
    if keeps and answer.prediction_id:
        made = services.records.open().interop.fhir(keeps, answer.prediction_id, context)
    else:
        instances = services.images.instances(case, context) if case else ()
        made = fhir_of_answer(answer, services.models.tasks[answer.model.task], instances, context)
    return Response(made, mimetype=FHIR_JSON)
