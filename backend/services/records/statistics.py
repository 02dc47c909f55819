"""How many, of what, how grave, how fast: of the own records."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date

from sqlalchemy import func, select

from backend.schemas.accounts import Account
from backend.schemas.records import DayCount, StatsAnswer, StatsQuery
from backend.services.records.history import chosen_days
from backend.storage.database import Database
from backend.storage.tables import Prediction, Refusal


class Statistics:
    """Counts; an example of demo mode is never among what is counted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, account: Account, query: StatsQuery) -> StatsAnswer:
        """Days in the order of one index, classes in that of another: nothing is sorted, no row is looked up."""
        chosen = chosen_days(account, query)
        days = select(Prediction.day, func.count(), func.sum(Prediction.processing_ms)).where(*chosen)
        told = (Prediction.task, Prediction.class_code, Prediction.triage_level)
        classes = select(*told, func.count()).where(*chosen).group_by(*told)
        refused = select(Refusal.code, func.count()).where(Refusal.user_id == account.id)
        if query.task is not None:
            refused = refused.where(Refusal.task == query.task)
        if query.from_ is not None:
            refused = refused.where(Refusal.day >= query.from_)
        if query.to is not None:
            refused = refused.where(Refusal.day <= query.to)
        by_day, by_task, by_triage = Counter[date](), Counter[str](), Counter[str]()
        by_class: dict[str, Counter[str]] = defaultdict(Counter)
        total_ms = 0.0
        with self._database.snapshot() as connection:
            for day, count, ms in connection.execute(days.group_by(Prediction.day)):
                by_day[day] += count
                total_ms += ms
            for task, code, level, count in connection.execute(classes):
                by_task[task] += count
                by_class[task][code] += count
                by_triage[level] += count
            refusals = dict(connection.execute(refused.group_by(Refusal.code)).all())
        total = by_day.total()
        return StatsAnswer(
            success=True,
            total=total,
            by_task=dict(by_task),
            class_distribution={task: dict(counts) for task, counts in by_class.items()},
            triage=dict(by_triage),
            per_day=tuple(DayCount(day=day, count=count) for day, count in sorted(by_day.items())),
            refusals=refusals,
            mean_processing_ms=total_ms / total if total else None,
        )
