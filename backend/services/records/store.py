"""Records, opened when the first is asked for: pictures are answered without them, and importing what they need takes
longer than all else of the service."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from backend.config import Config
from backend.errors import RecordsUnavailable
from backend.services.diagnosis import ImageDiagnosis
from backend.services.loading.bundles import Task
from backend.telemetry import Logger, Readiness
from ml_model.sandbox.pool import WorkerPool

if TYPE_CHECKING:
    from backend.services.records.opened import OpenRecords

FILE_NAME = "records.sqlite3"  # that of backend.storage.database, which imports what takes long
_TRY_AGAIN_S = 5.0


class RecordStore:
    """What is kept, as long as the database can be used. Safe to use from several threads."""

    def __init__(
        self, config: Config, secret: str, tasks: Mapping[str, Task], pool: WorkerPool, logger: Logger,
        images: ImageDiagnosis, readiness: Readiness,
    ) -> None:  # fmt: skip
        self._config = config
        self._secret = secret
        self._tasks = tasks
        self._pool = pool
        self._logger = logger
        self._images = images
        self._readiness = readiness
        self._opening = threading.Lock()
        self._opened: OpenRecords | None = None
        self._problem: str | None = None
        self._tried = float("-inf")

    @property
    def problem(self) -> str | None:
        """Why nothing can be kept; None where it can, or where nobody has tried."""
        return self._problem

    @property
    def opened(self) -> OpenRecords | None:
        """None where nobody has asked for records yet."""
        return self._opened

    @property
    def asked_for(self) -> bool:
        """Whether the operator named a database."""
        return bool(self._config.database_url)

    def open(self) -> OpenRecords:
        """Raises RecordsUnavailable; it is tried again after some seconds."""
        if self._opened is not None:
            return self._opened
        with self._opening:
            if self._opened is None:
                if time.monotonic() - self._tried < _TRY_AGAIN_S and self._problem:
                    raise RecordsUnavailable(self._problem)
                self._opened = self._try_to_open()
            return self._opened

    def _try_to_open(self) -> OpenRecords:
        from backend.services.records.opened import Surroundings, open_records

        given = Surroundings(
            self._config, self._secret, self._tasks, self._pool, self._images, self._readiness, self._logger
        )
        try:
            opened = open_records(given)
        except (RecordsUnavailable, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            self._problem = f"nothing can be kept: {reason}"
            self._tried = time.monotonic()
            self._logger.error("records_unavailable", problem=self._problem)
            raise RecordsUnavailable(self._problem) from error
        self._problem = None
        return opened

    @property
    def unfinished(self) -> bool:
        """Whether the file in the data folder has batches that are not answered yet; nothing is imported for it."""
        path = self._config.data_dir / FILE_NAME
        if self.asked_for or not path.exists():
            return False
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as link:
            return link.execute("SELECT 1 FROM batches WHERE finished_at IS NULL LIMIT 1").fetchone() is not None
        return False

    def try_to_open(self) -> None:
        """So that `problem` tells, and to go on with what a stop left undone. For a start: who asks first need not
        wait."""
        try:
            self.open().executor.wake()
        except RecordsUnavailable:
            return
