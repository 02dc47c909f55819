"""Answers as they were sent, as bundles."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.services.interop.answered import AnsweredCase
from backend.services.interop.fhir.bundle import bundle_of
from backend.services.loading.bundles import Task
from backend.services.reports.kept_answer import KeptAnswer

AT = datetime(2026, 11, 30, 9, 5, 7, tzinfo=UTC)
RECORD_ID = uuid.UUID("0f1e2d3c-4b5a-4968-8776-655443322110")


@pytest.fixture(scope="session")
def bundle_text() -> Callable[..., str]:
    """Factory: `bundle_text(answer, task, record_id=..., **known)`, JSON; known: other fields of AnsweredCase."""

    def make(answer: dict[str, Any], task: Task | None, record_id: uuid.UUID = RECORD_ID, **known: Any) -> str:
        case = AnsweredCase(record_id, AT, KeptAnswer.model_validate(answer), task, **known)
        return str(bundle_of(case).model_dump_json())

    return make
