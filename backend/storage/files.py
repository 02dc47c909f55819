"""The folder of files: each under its own random name, whole or not there."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from backend.errors import RecordsUnavailable

FILES = "files"  # in the data folder
_HALF_WRITTEN = ".part"


class FileStore:
    """Files of records by id. A file is there before the row that names it, and goes after it: a crash in between
    leaves a file without a row, which `sweep` removes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, file_id: uuid.UUID, data: bytes) -> None:
        """Keep the content, on the disk once this returns. Raises RecordsUnavailable."""
        path = self._path(file_id)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, written = tempfile.mkstemp(dir=path.parent, suffix=_HALF_WRITTEN)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(written, path)
            _sync_folder(path.parent)
        except OSError as error:
            raise RecordsUnavailable(f"the file cannot be kept now ({error.strerror}); try again later") from error

    def get(self, file_id: uuid.UUID) -> bytes:
        """The content. Raises RecordsUnavailable where it cannot be read."""
        try:
            return self._path(file_id).read_bytes()
        except OSError as error:
            raise RecordsUnavailable(f"the file cannot be read now ({error.strerror}); try again later") from error

    def remove(self, file_ids: Iterator[uuid.UUID] | list[uuid.UUID]) -> None:
        """Take files away; one that cannot be goes with the next `sweep`."""
        for file_id in file_ids:
            with contextlib.suppress(OSError):
                self._path(file_id).unlink()

    def sweep(self, is_known: Callable[[uuid.UUID], bool], older_than_s: float) -> int:
        """Remove what no row names, where it is older than any request under way. Returns how many files went."""
        removed = 0
        for path in self._folder.glob("*/*"):
            with contextlib.suppress(OSError):
                young = time.time() - path.stat().st_mtime < older_than_s
                if not young and not (_is_id(path.name) and is_known(uuid.UUID(path.name))):
                    path.unlink()
                    removed += 1
        return removed

    def _path(self, file_id: uuid.UUID) -> Path:
        # Of a UUID's own making: what a client sent is never part of a path.
        return self._folder / file_id.hex[:2] / str(file_id)


def _is_id(name: str) -> bool:
    with contextlib.suppress(ValueError):
        return str(uuid.UUID(name)) == name
    return False


def _sync_folder(folder: Path) -> None:
    """That the name is there is kept too; Windows has no such call."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
