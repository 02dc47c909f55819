"""Reading what may be anything but a file, and writing what must be whole or absent, whatever happens meanwhile."""

from __future__ import annotations

import errno
import os
import stat
import time
import uuid
from pathlib import Path

# Set for a FIFO, whose opening would wait for a writer for ever; Windows has neither.
_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
LEFT_AFTER_S = 3600.0  # older than this, something half made is of a process that was killed


def read_small_file(path: Path, most_bytes: int) -> bytes:
    """The bytes of a regular file. Raises OSError for a folder, a pipe or a device, and over `most_bytes`."""
    descriptor = os.open(path, os.O_RDONLY | _WITHOUT_WAITING)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no ordinary file", str(path))
        with open(descriptor, "rb", closefd=False) as stream:
            content = stream.read(most_bytes + 1)
    finally:
        os.close(descriptor)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {most_bytes // 1_000_000} MB", str(path))
    return content


def sync(path: Path) -> None:
    """Have the disk keep a file, or a folder's entries, before anything that is done after this.

    A rename alone is not enough: after a power cut the name can stand for an empty file.
    """
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, parts: tuple[bytes, ...]) -> None:
    """Write a file in one step: killed, or without space, it leaves what was there before. Raises OSError."""
    beside = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        with beside.open("xb") as stream:
            for part in parts:
                stream.write(part)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def left_behind(folder: Path, pattern: str) -> list[Path]:
    """Half-made files or folders of processes that were killed."""
    oldest = time.time() - LEFT_AFTER_S
    return [path for path in folder.glob(pattern) if path.lstat().st_mtime < oldest]
