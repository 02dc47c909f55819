"""Words to look for in the own records."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from backend.schemas.accounts import Account
from backend.storage.tables import Feedback, Prediction


def found_by(account: Account, text: str) -> ColumnElement[bool]:
    """Records that have every word of the text in a class, a task, a patient reference or a clinician's note.

    Parts of words count, and capitals do not. Signs that mean something to the database are looked for as they are.
    """
    return and_(*(_has(account, word) for word in text.split()))


def _has(account: Account, word: str) -> ColumnElement[bool]:
    own = (Prediction.task, Prediction.class_name, Prediction.patient_ref)
    of_mine = select(Prediction.number).join(Feedback, Feedback.prediction_id == Prediction.id)
    noted = of_mine.where(Prediction.user_id == account.id, or_(*_within(Feedback.note, word)))
    return or_(*(one for column in own for one in _within(column, word)), Prediction.number.in_(noted))


def _within(column: InstrumentedAttribute[Any], word: str) -> list[ColumnElement[bool]]:
    """SQLite, and PostgreSQL by its locale, know the capitals of A to Z alone: of others all three ways to write it."""
    if word.isascii():
        return [column.icontains(word, autoescape=True)]
    return [column.contains(form, autoescape=True) for form in {word, word.lower(), word.upper(), word.capitalize()}]
