"""Compiled graphs, kept for the next start, and never believed unseen.

One file a graph: the SHA-256 of what made the graph and of the graph, then the graph. Both in one file, because two
files cannot be replaced in one step. The engine is given the bytes that were checked and opens no file of its own: one
that changes on the disk afterwards changes no answer. The hash tells damage; whoever can write to the folder could
write a hash as well.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from ml_model.inference.files import left_behind, read_small_file, write_whole

Outcome = Literal["read", "written", "damaged", "not_kept"]
OUTCOMES: tuple[Outcome, ...] = ("read", "written", "damaged", "not_kept")
SUFFIX = ".compiled"
DIGEST_BYTES = hashlib.sha256().digest_size
NOT_ITS_FAULT = (errno.EACCES, errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # the file may be whole
MOST_BYTES = 2_000_000_000
MOST_FILES = 40  # about 1 GB: every retrained model and every new engine leaves the file of the one before


class CompiledCache:
    """Graphs in a folder. Whatever is wrong with it, the graph is compiled, and `tell` hears of it.

    tell: gets the bundle's name, the outcome and, where it is "damaged" or "not_kept", the reason. Several threads and
    processes may use one folder.
    """

    def __init__(self, folder: Path, tell: Callable[[str, Outcome, str], None] = lambda name, outcome, reason: None):
        self._folder = folder
        self._tell = tell

    def read(self, name: str, made_of: str) -> bytes | None:
        """The graph that `made_of` (model, engine, device, settings) made; None where there is none that is whole."""
        path = self._path(name, made_of)
        try:
            content = read_small_file(path, MOST_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno in NOT_ITS_FAULT:
                self._tell(name, "not_kept", reason)
            else:
                self.refuse(name, made_of, reason)
            return None
        graph = content[DIGEST_BYTES:]
        if content[:DIGEST_BYTES] != _digest(made_of, graph):
            self.refuse(name, made_of, "SHA-256 differs")
            return None
        return graph

    def used(self, name: str) -> None:
        """The engine took the graph that `read` gave."""
        self._tell(name, "read", "")

    def refuse(self, name: str, made_of: str, reason: str) -> None:
        """Remove a file that cannot be used."""
        with contextlib.suppress(OSError):
            self._path(name, made_of).unlink()
        self._tell(name, "damaged", reason)

    def write(self, name: str, made_of: str, graph: bytes) -> None:
        """Keep a graph, if that can be done."""
        path = self._path(name, made_of)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, (_digest(made_of, graph), graph))
        except OSError as error:
            self._tell(name, "not_kept", error.strerror or str(error))
            return
        self._tell(name, "written", "")
        with contextlib.suppress(OSError):  # other processes tidy up too
            self._make_room(path)

    def _path(self, name: str, made_of: str) -> Path:
        return self._folder / f"{name}-{hashlib.sha256(made_of.encode()).hexdigest()[:20]}{SUFFIX}"

    def _make_room(self, kept: Path) -> None:
        # *.blob: what versions before this one kept, without a hash.
        old = [*left_behind(self._folder, f".*{SUFFIX}-*"), *self._folder.glob("*.blob")]
        files = sorted(set(self._folder.glob(f"*{SUFFIX}")) - {kept}, key=lambda path: path.lstat().st_mtime)
        for path in [*old, *files[: max(0, len(files) + 1 - MOST_FILES)]]:
            path.unlink(missing_ok=True)


def _digest(made_of: str, graph: bytes) -> bytes:
    digest = hashlib.sha256(f"{len(made_of)} {made_of}".encode())
    digest.update(graph)
    return digest.digest()
