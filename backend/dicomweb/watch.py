"""New pictures of an archive: its studies are looked through, by DICOMweb, and what is in them is noted once."""

from __future__ import annotations

import threading
from collections.abc import Collection

from backend.dicomweb.answering import SLICED
from backend.dicomweb.archive import ArchiveUnavailable, DicomWeb
from backend.dicomweb.ledger import Ledger
from backend.dicomweb.work import Work
from backend.settings.pacs import Pacs
from backend.telemetry import Logger
from ml_model.inputs.dicom.terms import modality_of


class Watch:
    """One archive."""

    def __init__(
        self, archive: DicomWeb, ledger: Ledger, work: Work, modalities: Collection[str], pacs: Pacs, logger: Logger
    ) -> None:
        self._archive = archive
        self._ledger = ledger
        self._work = work
        self._modalities = modalities
        self._pacs = pacs
        self._logger = logger

    def stay(self, stopping: threading.Event, *, once: bool = False) -> None:
        """Look, work, wait, until told to stop; or once."""
        while not stopping.is_set():
            try:
                self.look()
            except ArchiveUnavailable as error:
                self._logger.warning("archive_unavailable", problem=str(error))
            self._work.go_on(stopping)
            if once:
                return
            stopping.wait(self._pacs.poll_s)

    def look(self) -> None:
        """Note what is new. A study that has as many instances as when it was looked through is not asked about again.

        Raises ArchiveUnavailable; what was noted stays.
        """
        for study_uid, instances in self._archive.studies():
            if instances >= 0 and instances == self._ledger.seen(study_uid):
                continue
            noted = [self._note(study_uid, *told) for told in self._archive.series(study_uid)]
            if all(noted):
                self._ledger.looked_through(study_uid, instances)

    def _note(self, study_uid: str, series_uid: str, modality: str) -> bool:
        """Whether it is done with: slices may still be on their way while there are more than at the last look."""
        if modality not in self._modalities:
            # Noted as the series, once: of a report or a plan nobody asks which instance it was.
            why = f"no task reads the modality {modality_of(modality) or 'that is not told'}"
            self._ledger.add((study_uid, series_uid, series_uid), "archive", why)
            return True
        found, most = self._archive.instances(study_uid, series_uid), self._pacs.series_pictures
        if modality in SLICED:
            if len(found) != self._ledger.seen(series_uid):
                self._ledger.looked_through(series_uid, len(found))
                return False
            if len(found) > most:
                self._ledger.add((study_uid, series_uid, series_uid), "archive")
                return True
        several = f"a series of {len(found)} pictures; up to {most} are answered, each for itself"
        for instance_uid in found:
            self._ledger.add((study_uid, series_uid, instance_uid), "archive", several if len(found) > most else "")
        return True
