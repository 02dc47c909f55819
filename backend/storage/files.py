"""Files of records, each under its own random name, whole or not there: in a folder, or in a bucket (`objects.py`)."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Set
from pathlib import Path
from typing import Protocol

from backend.errors import RecordsUnavailable

FILES = "files"  # in the data folder
_HALF_WRITTEN = ".part"
_A_HANDFUL = 10  # files that a crash may leave before there is any row


Known = Callable[[Collection[uuid.UUID]], Set[uuid.UUID]]


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

    def sweep(self, known: Known, older_than_s: float, *, any_known: bool = True) -> int:
        """Remove what no row names, where it is older than any request under way. Returns how many files went. What has
        no name of ours is another's and stays.

        known: of some files, those that rows name; asked of many at once.
        any_known: whether rows name any file; where none does and there is more than a handful, the database is hardly
        the one of this store, and nothing goes. Raises RecordsUnavailable then, or where it cannot be looked through.
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
            new = not path.parent.is_dir()
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, written = tempfile.mkstemp(dir=path.parent, prefix=f"{file_id}.", suffix=_HALF_WRITTEN)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(written, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(written)  # a full disk has room again
                raise
            _sync_folder(path.parent)
            if new:
                _sync_folder(self._folder)
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

    def sweep(self, known: Known, older_than_s: float, *, any_known: bool = True) -> int:
        """Half-written ones too."""
        lost, removed = list[Path](), 0
        for folder in self._folder.glob("*"):
            old = dict[uuid.UUID, Path]()
            for path in folder.glob("*"):
                with contextlib.suppress(OSError):
                    half, name = path.suffix == _HALF_WRITTEN, f"{folder.name}/{path.name}"
                    file_id = id_of(name.partition(".")[0] if half else name)
                    if file_id is None or is_young(path.stat().st_mtime, older_than_s):
                        continue
                    if half:
                        lost.append(path)
                    else:
                        old[file_id] = path
            lost += [old[one] for one in old.keys() - known(old.keys())]
        refuse_another_database(len(lost), any_known)
        for path in lost:
            with contextlib.suppress(OSError):
                path.unlink()
                removed += 1
        return removed

    def _path(self, file_id: uuid.UUID) -> Path:
        return self._folder / name_of(file_id)


def name_of(file_id: uuid.UUID) -> str:
    """In the store. Of a UUID's own making: what a client sent is never part of a path."""
    return f"{file_id.hex[:2]}/{file_id}"


def id_of(name: str) -> uuid.UUID | None:
    """Of which file this is the name; None of a name that we do not give."""
    with contextlib.suppress(ValueError):
        file_id = uuid.UUID(name.rpartition("/")[2])
        return file_id if name == name_of(file_id) else None
    return None


def is_young(written_at: float, older_than_s: float) -> bool:
    """written_at: seconds of the clock that files are stamped by."""
    return time.time() - written_at < older_than_s


def refuse_another_database(lost: int, any_known: bool) -> None:
    """lost: how many files would go. Raises RecordsUnavailable."""
    if not any_known and lost > _A_HANDFUL:
        raise RecordsUnavailable(
            f"the database names no file and the store holds {lost}, so that it is hardly the database of this store; "
            "nothing was removed; see DATABASE_URL, DATA_DIR and STORAGE_URL, or empty the store by hand"
        )


def _sync_folder(folder: Path) -> None:
    """That the name is there is kept too; Windows has no such call."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
