"""Large answers go through files that have no name, so many at a time."""

from __future__ import annotations

import errno
import io
import os
import tempfile
from pathlib import Path

import pytest

from backend.errors import Busy, RecordsUnavailable
from backend.storage.spooled import IN_MEMORY_BYTES, PIECE_BYTES, Spool, Spooled

LARGE = bytes(range(256)) * (IN_MEMORY_BYTES // 200)


def spooled(spool: Spool, content: bytes) -> Spooled:
    with spool.writing() as file:
        for start in range(0, len(content), 10_000):
            file.write(content[start : start + 10_000])
        return Spooled(file)


def half_of(spool: Spool) -> None:
    with spool.writing() as file:
        file.write(LARGE)
        raise ValueError("half")


def unnamed_in(folder: Path) -> int:
    """Files of this process that lie there without a name."""
    links = (os.readlink(one) for one in Path("/proc/self/fd").iterdir() if one.is_symlink())
    return sum(link.startswith(str(folder)) and link.endswith("(deleted)") for link in links)


def test_what_was_written_is_read_in_pieces_and_closed_at_its_end(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "made")
    for content in (LARGE, b"small", b""):
        found = spooled(spool, content)
        assert found.size_bytes == len(content)
        assert unnamed_in(tmp_path) == (content == LARGE), "what is small is kept in memory"
        assert list((tmp_path / "made").iterdir()) == []
        pieces = list(found)
        assert b"".join(pieces) == content
        assert max(map(len, pieces), default=0) <= PIECE_BYTES
        assert (list(found), unnamed_in(tmp_path)) == ([], 0)


def test_only_so_many_files_lie_there_at_a_time(tmp_path: Path) -> None:
    spool = Spool(tmp_path, most=2)
    first, second = spooled(spool, LARGE), spooled(spool, LARGE)
    for _ in range(3):
        with pytest.raises(Busy, match="ask again once one of them is taken"):
            spooled(spool, LARGE)
    assert unnamed_in(tmp_path) == 2
    assert b"".join(spooled(spool, b"small")) == b"small"
    first.close()
    first.close()  # once is enough
    third = spooled(spool, LARGE)
    with pytest.raises(Busy):
        spooled(spool, LARGE)
    del second
    second = spooled(spool, LARGE)  # one that nobody has any more is closed
    for one in (second, third):
        assert b"".join(one) == LARGE
    assert unnamed_in(tmp_path) == 0


def test_what_could_not_be_written_to_its_end_is_thrown_away(tmp_path: Path) -> None:
    spool = Spool(tmp_path, most=1)
    for _ in range(2):
        with pytest.raises(ValueError, match="half"):
            half_of(spool)
    assert unnamed_in(tmp_path) == 0
    assert b"".join(spooled(spool, LARGE)) == LARGE


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> io.BytesIO:
        raise OSError(errno.ENOSPC, "No space left on device")

    spool = Spool(tmp_path, most=1)
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "TemporaryFile", full)
        with pytest.raises(RecordsUnavailable, match="No space left on device"):
            spooled(spool, LARGE)
    assert b"".join(spooled(spool, LARGE)) == LARGE, "the place is free again"
