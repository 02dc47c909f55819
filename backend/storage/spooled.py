"""Answers that would be too large for memory: written to a file without a name, and sent from it piece by piece."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO

from backend.errors import Busy, on_disk

PIECE_BYTES = 65_536
IN_MEMORY_BYTES = 1_000_000  # up to here there is no file
MOST_FILES = 8  # of answers on their way, at a time


class Spooled(Iterator[bytes]):
    """The body of an answer. It is closed once it was read to its end, or by whoever reads no further."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size_bytes = file.tell()
        file.seek(0)

    def __next__(self) -> bytes:
        if not self._file.closed and (piece := self._file.read(PIECE_BYTES)):
            return piece
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Nothing is left of it, on the disk either."""
        self._file.close()

    def __del__(self) -> None:
        """Whoever asked went away before it was sent."""
        self.close()


class Spool:
    """The files of one process, in a folder. Safe to use from several threads."""

    def __init__(self, folder: Path, most: int = MOST_FILES) -> None:
        self._folder = folder
        self._places = threading.BoundedSemaphore(most)

    @contextmanager
    def writing(self) -> Iterator[IO[bytes]]:
        """A new file, which is thrown away where this is left by an error; else it is for `Spooled` to read.

        Raises Busy where too many are on their way, RecordsUnavailable where the disk takes no more.
        """
        with ExitStack() as undo, on_disk():
            self._folder.mkdir(parents=True, exist_ok=True)
            file = undo.enter_context(closing(_File(self._folder, self._places)))
            yield file
            undo.pop_all()


class _File(tempfile.SpooledTemporaryFile[bytes]):
    """In memory while it is small; on the disk it takes a place."""

    def __init__(self, folder: Path, places: threading.BoundedSemaphore) -> None:
        super().__init__(IN_MEMORY_BYTES, dir=str(folder))
        self._places, self._taken = places, ExitStack()

    def rollover(self) -> None:
        """Raises Busy."""
        if not self._places.acquire(blocking=False):
            raise Busy("as many large answers as there may be are on their way; ask again once one of them is taken")
        self._taken.callback(self._places.release)
        super().rollover()

    def close(self) -> None:
        super().close()
        self._taken.close()
