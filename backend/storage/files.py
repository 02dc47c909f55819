"""Files of records, each under its own random name, whole or not there: in a folder, or in a bucket (`objects.py`)."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from backend.errors import RecordsUnavailable

FILES = "files"  # in the data folder
_HALF_WRITTEN = ".part"


class FileStore(Protocol):
    """Files of records by id. A file is there before the row that names it, and goes after it: a crash in between
    leaves a file without a row, which `sweep` removes. Safe to use from several threads."""

    def put(self, file_id: uuid.UUID, data: bytes) -> None:
        """Keep the content, for good once this returns. Raises RecordsUnavailable."""
        ...

    def get(self, file_id: uuid.UUID) -> bytes:
        """The content. Raises RecordsUnavailable where it cannot be read."""
        ...

    def remove(self, file_ids: Iterable[uuid.UUID]) -> None:
        """Take files away; one that cannot be goes with the next `sweep`."""
        ...

    def sweep(self, is_known: Callable[[uuid.UUID], bool], older_than_s: float) -> int:
        """Remove what no row names, where it is older than any request under way. Returns how many files went.

        Raises RecordsUnavailable where the store cannot be looked through.
        """
        ...


class FolderStore:
    """A `FileStore` in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, file_id: uuid.UUID, data: bytes) -> None:
        """On the disk once this returns. Raises RecordsUnavailable."""
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
        """Raises RecordsUnavailable."""
        try:
            return self._path(file_id).read_bytes()
        except OSError as error:
            raise RecordsUnavailable(f"the file cannot be read now ({error.strerror}); try again later") from error

    def remove(self, file_ids: Iterable[uuid.UUID]) -> None:
        """As far as it can."""
        for file_id in file_ids:
            with contextlib.suppress(OSError):
                self._path(file_id).unlink()

    def sweep(self, is_known: Callable[[uuid.UUID], bool], older_than_s: float) -> int:
        """Half-written ones too."""
        removed = 0
        for path in self._folder.glob("*/*"):
            with contextlib.suppress(OSError):
                young = time.time() - path.stat().st_mtime < older_than_s
                if not young and not is_named(path.name, is_known):
                    path.unlink()
                    removed += 1
        return removed

    def _path(self, file_id: uuid.UUID) -> Path:
        # Of a UUID's own making: what a client sent is never part of a path.
        return self._folder / file_id.hex[:2] / str(file_id)


def is_named(name: str, is_known: Callable[[uuid.UUID], bool]) -> bool:
    """Whether a file of this name is one that a row names."""
    with contextlib.suppress(ValueError):
        return str(uuid.UUID(name)) == name and is_known(uuid.UUID(name))
    return False


def _sync_folder(folder: Path) -> None:
    """That the name is there is kept too; Windows has no such call."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
