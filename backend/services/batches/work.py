"""The work on batches: a few files at a time are taken on, answered by the one pipeline and kept as `/predict` keeps
them. Any number of threads, processes and machines may do it at once."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy.orm import Session

from backend.errors import INTERNAL, NotFound, RecordsUnavailable, StillLoading, Unauthenticated, where
from backend.schemas.records import PredictBody
from backend.services.batches.leases import MOST_ATTEMPTS, Claimed, LeaseLost, Leases, failure, settle
from backend.services.batches.states import DONE
from backend.services.diagnosis import ImageDiagnosis
from backend.services.loading.bundles import Task
from backend.services.records.keeping import Keeping
from backend.storage.files import FileStore
from backend.telemetry import Logger, RequestContext
from ml_model.errors import DeadlineExceeded, MediDiagnoseError, ModelUnavailable, Overloaded, ReaderUnavailable
from ml_model.tasks.registry import ImageTask

BLOCK = 8  # files that are taken on together
_AT_ONCE = 2  # of them
_MOST_S = 30.0  # for one file
_PASSING = (DeadlineExceeded, Overloaded, ReaderUnavailable, StillLoading, RecordsUnavailable)
_FIRST_WAIT_S = 2.0  # before another try, then so many times as long each time:
_LONGER, _LONGER_WITHOUT_STORE = 2, 8  # a store may be gone for a quarter of an hour


class _Place:
    """A file's place in its batch: settled in the transaction that keeps the answer or counts the refusal."""

    def __init__(self, claimed: Claimed) -> None:
        self._claimed = claimed
        self.settled = False
        self.freed_bytes = claimed.size_bytes

    def fill(self, session: Session, prediction_id: uuid.UUID) -> None:
        """Raises LeaseLost."""
        settle(session, self._claimed, state=DONE, prediction_id=prediction_id)
        self.settled = True

    def refuse(self, session: Session, error: MediDiagnoseError) -> None:
        """Raises LeaseLost."""
        settle(session, self._claimed, **failure(error))
        self.settled = True


class BatchWork:
    """Does what there is to do. stopping: whether nothing new may be begun."""

    def __init__(
        self, leases: Leases, files: FileStore, keeping: Keeping, images: ImageDiagnosis, tasks: Mapping[str, Task],
        stopping: Callable[[], bool], logger: Logger,
    ) -> None:  # fmt: skip
        self.leases = leases
        self._files, self._keeping, self._images = files, keeping, images
        self._tasks, self._stopping, self._logger = tasks, stopping, logger

    def some(self) -> int:
        """Answer some files. Returns how many were taken on. Raises RecordsUnavailable.

        `_AT_ONCE` at a time: while one waits for the disk or the database, another is computed.
        """
        block = self.leases.claim(BLOCK)
        files = iter(block)  # whose next is taken by one thread alone
        with ThreadPoolExecutor(_AT_ONCE, "batch-file") as threads:
            for hand in [threads.submit(self._work_off, files) for _ in block[:_AT_ONCE]]:
                hand.result()
        return len(block)

    def _work_off(self, files: Iterator[Claimed]) -> None:
        renew_s = self.leases.lease_s / 2
        began = time.monotonic()
        for claimed in files:
            if self._stopping():
                self.leases.put_back(claimed, 0.0, counted=False)
                continue
            if time.monotonic() - began > renew_s:
                self.leases.renew(claimed)
                began = time.monotonic()
            self._answer(claimed, min(_MOST_S, renew_s))

    def _answer(self, claimed: Claimed, within_s: float) -> None:
        """One file: kept, refused, or put back. Raises RecordsUnavailable where not even that can be noted."""
        place = _Place(claimed)
        try:
            self._predict(claimed, place, within_s)
        except (LeaseLost, Unauthenticated):  # of another by now, or its account is no more
            self._logger.warning("batch_file_taken_over", batch_id=str(claimed.batch_id), position=claimed.position)
            return
        except MediDiagnoseError as error:
            if not place.settled or isinstance(error, RecordsUnavailable):
                self._without_result(claimed, error)
                return
        except Exception as error:  # one file's fault must not be that of the others
            self._tell(claimed, error)
            self._fail(claimed, MediDiagnoseError(INTERNAL))
            return
        self._remove(claimed)

    def _predict(self, claimed: Claimed, place: _Place, within_s: float) -> None:
        task = self._tasks.get(claimed.task)
        if not isinstance(task, ImageTask):
            raise NotFound(f"there is no image task {claimed.task!r:.80} any more")
        if claimed.file_id is None:
            raise NotFound("the file was deleted before it was answered")
        context = RequestContext(
            f"{claimed.batch_id}.{claimed.position}", str(uuid.uuid4()), time.perf_counter(),
            time.monotonic() + within_s, str(claimed.account.id),
        )  # fmt: skip
        frame = {"frame": claimed.frame} if claimed.frame else {}
        body = PredictBody.model_validate({**claimed.fields, **frame, "task": claimed.task})
        data = self._files.get(claimed.file_id)
        told = self._keeping.predict(claimed.account, body, data, task, self._images, context, place)
        if told.prediction_id is None:
            raise ModelUnavailable(f"there is no model of {claimed.task} here, and an example is never kept")

    def _without_result(self, claimed: Claimed, error: MediDiagnoseError) -> None:
        if isinstance(error, _PASSING) and claimed.attempts < MOST_ATTEMPTS:
            longer = _LONGER_WITHOUT_STORE if isinstance(error, RecordsUnavailable) else _LONGER
            self.leases.put_back(claimed, _FIRST_WAIT_S * longer ** (claimed.attempts - 1))
        else:
            self._fail(claimed, error)

    def _fail(self, claimed: Claimed, error: MediDiagnoseError) -> None:
        try:
            self.leases.fail(claimed, error)
        except LeaseLost:
            return
        self._remove(claimed)

    def _remove(self, claimed: Claimed) -> None:
        if claimed.file_id is not None:
            self._files.remove([claimed.file_id])

    def _tell(self, claimed: Claimed, error: Exception) -> None:
        told = {"batch_id": str(claimed.batch_id), "position": claimed.position}
        self._logger.error("batch_file_failed", **where(error), **told)
