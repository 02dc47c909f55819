"""Agreement and drift of all that this site keeps: counts, of nobody in particular."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from math import sqrt
from uuid import UUID

from sqlalchemy import func, select

from backend.errors import Forbidden
from backend.schemas.accounts import READERS, Account
from backend.schemas.monitoring import DriftAnswer, PerformanceAnswer, Share, TaskAgreement, TaskDrift
from backend.schemas.records import StatsQuery
from backend.services.loading.models import ModelStore
from backend.services.monitoring.drift import Seen, figures_of, known_of
from backend.storage.audit import Deed, note
from backend.storage.database import Database
from backend.storage.tables import Feedback, Prediction, Refusal

NEWEST = 500  # records of a task that are compared
REFRESH_AFTER_S = 300.0
_Z = 1.959964  # of the normal distribution, for 95 %
_OF_AGREEMENT = "Cases are those that somebody gave feedback on: not a sample, and no measure of accuracy."
_OF_DRIFT = (
    "Cases that differ from those of training are a reason to look, not a proof of worse answers. Below fifty records "
    "nothing is said; a warning is given where chance alone would make the difference less than once in a thousand."
)


class Monitor:
    """Of one database. `latest` is what was found last, for those who must not wait."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = threading.Lock()
        self._tried = float("-inf")
        self._thread: threading.Thread | None = None
        self.latest: DriftAnswer | None = None

    def performance(self, account: Account, query: StatsQuery, request_id: str) -> PerformanceAnswer:
        """How often clinicians agreed. Raises Forbidden."""
        _for_readers(account)
        told = (Feedback.prediction_id, Feedback.user_id, Feedback.agrees, Feedback.right_class)
        chosen = select(*told, Prediction.task, Prediction.class_code).join(Prediction)
        if query.task is not None:
            chosen = chosen.where(Prediction.task == query.task)
        if query.from_ is not None:
            chosen = chosen.where(Prediction.day >= query.from_)
        if query.to is not None:
            chosen = chosen.where(Prediction.day <= query.to)
        newest: dict[tuple[UUID, UUID], tuple[bool, str | None, str, str]] = {}
        with self._database.reading() as session:
            for record, who, agrees, right, task, code in session.execute(chosen.order_by(Feedback.created_at)):
                newest[record, who] = (agrees, right, task, code)
        note(self._database, Deed(str(account.id), "performance", "", request_id))
        by_task: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
        instead: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        for agrees, right, task, code in newest.values():
            by_task[task][code].append(agrees)
            if not agrees:
                instead[task][code][right or "not told"] += 1
        tasks = {
            task: TaskAgreement(
                **share(sum(map(sum, found.values())), sum(map(len, found.values()))).model_dump(),
                by_class={code: share(sum(said), len(said)) for code, said in sorted(found.items())},
                right_classes={code: dict(counts) for code, counts in sorted(instead[task].items())},
            )
            for task, found in sorted(by_task.items())
        }
        return PerformanceAnswer(success=True, tasks=tasks, note=_OF_AGREEMENT)

    def drift(self, account: Account, models: ModelStore, request_id: str) -> DriftAnswer:
        """Computed now. Raises Forbidden."""
        _for_readers(account)
        found = self.refresh(models)
        note(self._database, Deed(str(account.id), "drift", "", request_id))
        return found

    def refresh(self, models: ModelStore) -> DriftAnswer:
        """Compare all tasks that have a model."""
        tasks: dict[str, TaskDrift] = {}
        for task in (one.id for one in models.image_tasks):
            if (loaded := models.current(task)) is None:
                continue
            manifest = loaded.bundle.manifest
            seen = self._seen(task, manifest.version)
            figures = figures_of(seen, known_of(manifest))
            drifted = any(one.state == "drifted" for one in figures)
            sha256 = manifest.files.get("model.onnx", "")
            tasks[task] = TaskDrift(model_sha256=sha256, drifted=drifted, figures=figures)
        self.latest = DriftAnswer(success=True, computed_at=datetime.now(UTC), tasks=tasks, note=_OF_DRIFT)
        return self.latest

    def refresh_later(self, models: ModelStore) -> DriftAnswer | None:
        """What was found last; behind whoever asks it is found anew where it is old."""
        with self._turn:
            if time.monotonic() - self._tried > REFRESH_AFTER_S:
                self._tried = time.monotonic()
                self._thread = threading.Thread(target=self._quietly, args=[models], name="drift", daemon=True)
                self._thread.start()
        return self.latest

    def join(self, within_s: float) -> bool:
        """Whether nothing is looked for any more by then: for whoever closes the database."""
        if self._thread:
            self._thread.join(within_s)
        return not (self._thread and self._thread.is_alive())

    def _quietly(self, models: ModelStore) -> None:
        from backend.errors import RecordsUnavailable

        try:
            self.refresh(models)
        except RecordsUnavailable:  # /health tells of that itself
            return

    def _seen(self, task: str, version: str) -> Seen:
        told = (Prediction.class_code, Prediction.distance, Prediction.quality, Prediction.day)
        newest = select(*told).where(Prediction.task == task, Prediction.model_version == version)
        with self._database.reading() as session:
            rows = session.execute(newest.order_by(Prediction.number.desc()).limit(NEWEST)).all()
            refusals = select(Refusal.code, func.count()).where(Refusal.task == task).group_by(Refusal.code)
            since = min((row.day for row in rows), default=None)
            found = session.execute(refusals.where(Refusal.day >= since)).all() if since else []
        names = {name for row in rows for name in row.quality or ()}
        return Seen(
            classes=tuple(row.class_code for row in rows),
            distances=tuple(row.distance for row in rows if row.distance is not None),
            quality={n: tuple(row.quality[n] for row in rows if row.quality and n in row.quality) for n in names},
            refusals=dict(found),
        )


def _for_readers(account: Account) -> None:
    if account.role not in READERS:
        raise Forbidden("what all clinicians said and all records together are shown to clinicians and admins")


def share(agreed: int, count: int) -> Share:
    """With Wilson's interval. count: at least 1."""
    p, square = agreed / count, _Z**2 / count
    middle, half = p + square / 2, _Z * sqrt(p * (1 - p) / count + square / (4 * count))
    low, high = ((middle + side * half) / (1 + square) for side in (-1, 1))
    return Share(count=count, agreed=agreed, share=p, low=max(low, 0.0), high=min(high, 1.0))
