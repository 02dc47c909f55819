"""What is done with the pictures of a ledger: fetched, answered, and the results stored; each step can be done again.

Results are written down before they are sent, so that what is sent twice is the same. A picture and its results are
removed as soon as the archive has them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from backend.dicomweb.ledger import Entry, Ledger, Origin, PassedOver, write_whole
from backend.settings.pacs import Pacs
from backend.telemetry import Logger
from ml_model.errors import MediDiagnoseError

RESULTS, RECEIVED = "results", "received"


@dataclass(frozen=True)
class Steps:
    """How a picture, or a series as a zip, comes, becomes results, and where they go: of a study, all together."""

    fetch: Callable[[Entry], bytes | IO[bytes]]
    results: Callable[[Entry, bytes | IO[bytes]], Mapping[str, bytes]]
    store: Callable[[str, list[bytes]], None]


class Work:
    """Of one origin, one picture after the other."""

    def __init__(self, ledger: Ledger, origin: Origin, steps: Steps, pacs: Pacs, logger: Logger) -> None:
        self._ledger = ledger
        self._origin: Origin = origin
        self._steps = steps
        self._pacs = pacs
        self._logger = logger

    def sweep(self) -> None:
        """Remove what a stop left behind of pictures that are done with."""
        for entry in self._ledger.listed(("stored", "skipped")):
            if entry.origin == self._origin:
                self._clear(entry)

    def go_on(self, stopping: threading.Event) -> int:
        """All that is due now. Returns how many steps were done or tried."""
        done = 0
        while not stopping.is_set() and (entry := self._ledger.due(self._origin)):
            self._step(entry)
            done += 1
        return done

    def _step(self, entry: Entry) -> None:
        try:
            if entry.state == "waiting":
                self._answer(entry)
            else:
                self._store(entry)
        except PassedOver as error:
            self._ledger.change(entry, "skipped", str(error))
            self._clear(entry)
            self._logger.info("picture_passed_over", number=entry.number)
        except Exception as error:  # whatever it was, the next picture is answered, and this one is not lost
            # Of an error that is not ours the text may hold what it was about.
            reason = f"{error.code}: {error}" if isinstance(error, MediDiagnoseError) else type(error).__name__
            self._ledger.failed(entry, reason, self._pacs.attempts, self._pacs.backoff_s)
            self._logger.warning(
                "picture_failed", number=entry.number, attempt=entry.attempts + 1, kind=type(error).__name__
            )

    def _answer(self, entry: Entry) -> None:
        results = self._steps.results(entry, self._steps.fetch(entry))
        for kind, data in results.items():
            write_whole(self._path(entry, kind), data)
        self._ledger.change(entry, "answered")
        self._logger.info("picture_answered", number=entry.number)

    def _store(self, entry: Entry) -> None:
        paths = sorted((self._ledger.folder / RESULTS / str(entry.number)).glob("*.dcm"))
        if not paths:  # it is tried again from the start
            self._ledger.change(entry, "waiting")
            return
        self._steps.store(entry.study_uid, [path.read_bytes() for path in paths])
        self._ledger.change(entry, "stored")
        self._clear(entry)
        self._logger.info("results_stored", number=entry.number, objects=len(paths))

    def _path(self, entry: Entry, kind: str) -> Path:
        return self._ledger.folder / RESULTS / str(entry.number) / f"{kind}.dcm"

    def _clear(self, entry: Entry) -> None:
        folder = self._ledger.folder / RESULTS / str(entry.number)
        for path in folder.glob("*"):
            path.unlink(missing_ok=True)
        if folder.is_dir():
            folder.rmdir()
        received_path(self._ledger.folder, entry.instance_uid).unlink(missing_ok=True)


def received_path(folder: Path, instance_uid: str) -> Path:
    """Of a picture that was sent. Its UID is checked before."""
    return folder / RECEIVED / f"{instance_uid}.dcm"
