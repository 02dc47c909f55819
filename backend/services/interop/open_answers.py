"""Answers that are not kept, in the forms of other systems."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from backend.schemas.images import AnalyzeAnswer
from backend.schemas.symptoms import DiseaseAnswer
from backend.schemas.tabular import RiskAnswer
from backend.services.interop.answered import AnsweredCase
from backend.services.interop.fhir.bundle import bundle_of
from backend.services.loading.bundles import Task
from backend.services.reports.kept_answer import KeptAnswer
from backend.telemetry import RequestContext
from ml_model.inputs.dicom.instances import DicomInstance


def fhir_of_answer(
    answer: AnalyzeAnswer | DiseaseAnswer | RiskAnswer, task: Task, instances: tuple[DicomInstance, ...],
    context: RequestContext,
) -> str:  # fmt: skip
    """A bundle, JSON, under the id of the answer: of nobody, since nothing is kept. instances: that were answered."""
    told = KeptAnswer.model_validate(answer.model_dump(mode="json", by_alias=True, exclude_unset=True))
    case = AnsweredCase(uuid.UUID(context.answer_id), datetime.now(UTC), told, task, instances=instances)
    made: str = bundle_of(case).model_dump_json()
    return made
