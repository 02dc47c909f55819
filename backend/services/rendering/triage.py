"""How soon a case must be acted on, as it is answered."""

from __future__ import annotations

from backend.schemas.common import TriageAnswer, TriageReasonAnswer
from ml_model.symptoms.urgency import SymptomTriage
from ml_model.tabular.risk_triage import Triage


def triage_answer(triage: Triage | SymptomTriage) -> TriageAnswer:
    """The level, its reasons, and what is to be done."""
    reasons = tuple(TriageReasonAnswer(**vars(reason)) for reason in triage.reasons)
    return TriageAnswer(level=triage.level, reasons=reasons, text=triage.text)
