"""Zip files of strangers: looked at as a whole before anything is unpacked, and unpacked in memory, a member at a time.

A member's name is never part of a path.
"""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from backend.errors import ArchiveRefused
from ml_model.errors import EmptyInput, InputTooLarge

ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_CHUNK = 2**18
_DIRECTORY_BYTES = 512  # of an entry: its name, and what is told of it
_RATIO, _RATIO_FROM_BYTES = 100, 2**20  # what packs better than a blank picture
_LOCAL_HEADER_BYTES = 30
_ENTRIES_A_MEMBER = 2  # folders, and what file managers leave
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_OUTSIDE = re.compile(r"^[/\\]|^[A-Za-z]:|\\|\x00|(?:^|/)\.\.(?:/|$)")
_OF_NOBODY = re.compile(r"^__MACOSX/|(?:^|/)(?:\.DS_Store|Thumbs\.db|desktop\.ini)$")  # left there by file managers


@dataclass(frozen=True)
class ZipLimits:
    """members: how many there may be; member_bytes, total_bytes: unpacked."""

    members: int
    member_bytes: int
    total_bytes: int


class _Sparing:
    """A file that is read in small parts: a directory that claims to be huge is not taken into memory, nor parsed."""

    def __init__(self, file: IO[bytes], most_entries: int) -> None:
        self._file, self._most_bytes = file, max(2 * _CHUNK, most_entries * _DIRECTORY_BYTES)
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._most_bytes + 1 if size < 0 else min(size, self._most_bytes + 1))
        if len(data) > self._most_bytes:
            raise InputTooLarge(
                f"the zip's directory has more than {self._most_bytes} bytes; send fewer files at a time"
            )
        return data


def members(file: IO[bytes], limits: ZipLimits) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file in a zip, in the order of its directory.

    All of the directory is checked before the first member is unpacked. Raises ArchiveRefused, InputTooLarge and
    EmptyInput; whoever reads on keeps nothing of what came before.
    """
    try:
        with zipfile.ZipFile(_Sparing(file, _ENTRIES_A_MEMBER * limits.members)) as opened:
            infos = _checked(opened.infolist(), opened.start_dir, limits)
            for number, info in enumerate(infos, 1):
                yield info.filename, _unpacked(opened, info, number, limits)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError, RuntimeError) as error:
        raise ArchiveRefused("the zip is damaged, or is none; make it anew and send it again") from error


def _checked(infos: list[zipfile.ZipInfo], end: int, limits: ZipLimits) -> list[zipfile.ZipInfo]:
    if len(infos) > _ENTRIES_A_MEMBER * limits.members:
        raise InputTooLarge(f"the zip has {len(infos)} entries; at most {limits.members} files are taken at a time")
    for number, info in enumerate(infos, 1):
        _check_entry(number, info)
    files = [info for info in infos if not info.is_dir() and not _OF_NOBODY.search(info.filename)]
    if not files:
        raise EmptyInput("there is no file in the zip; put some into it")
    if len(files) > limits.members:
        raise InputTooLarge(f"the zip has {len(files)} files; at most {limits.members} are taken at a time")
    for number, info in enumerate(files, 1):
        _check_size(number, info, limits)
    total = sum(info.file_size for info in files)
    if total > limits.total_bytes:
        raise InputTooLarge(f"the zip's files have {total} bytes unpacked; at most {limits.total_bytes} are taken")
    _check_places(infos, end)
    return files


def _check_entry(number: int, info: zipfile.ZipInfo) -> None:
    mode = info.external_attr >> 16
    kind = stat.S_IFMT(mode)
    if _OUTSIDE.search(info.orig_filename) or _OUTSIDE.search(info.filename):
        raise ArchiveRefused(f"the name of entry {number} leads out of the zip's folder (zip slip); rename it")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveRefused(f"entry {number} is a link or a device, not a file; put the file itself into the zip")
    if info.flag_bits & _ENCRYPTED:
        raise ArchiveRefused(f"entry {number} is encrypted; make the zip without a password")
    if info.compress_type not in _METHODS:
        raise ArchiveRefused(f"entry {number} is packed by method {info.compress_type}; deflate or store it")


def _check_size(number: int, info: zipfile.ZipInfo, limits: ZipLimits) -> None:
    if info.file_size > limits.member_bytes:
        raise InputTooLarge(f"file {number} has {info.file_size} bytes; at most {limits.member_bytes} are read")
    if info.file_size > _RATIO_FROM_BYTES and info.file_size > _RATIO * max(1, info.compress_size):
        raise ArchiveRefused(
            f"file {number} unpacks to over {_RATIO} times its size, as a zip bomb does; store it unpacked in the zip"
        )


def _check_places(infos: list[zipfile.ZipInfo], end: int) -> None:
    """Entries that share bytes unpack to more than was sent."""
    places = sorted((i.header_offset, i.header_offset + _LOCAL_HEADER_BYTES + i.compress_size) for i in infos)
    starts = [start for start, _ in places[1:]] + [end]
    if any(stop > start for (_, stop), start in zip(places, starts, strict=True)):
        raise ArchiveRefused("entries of the zip overlap, as those of a zip bomb do; make it anew")


def _unpacked(opened: zipfile.ZipFile, info: zipfile.ZipInfo, number: int, limits: ZipLimits) -> bytes:
    """What is there counts, whatever the directory says."""
    found = bytearray()
    with opened.open(info) as member:
        while chunk := member.read(_CHUNK):
            found += chunk
            if len(found) > min(info.file_size, limits.member_bytes):
                raise ArchiveRefused(f"file {number} unpacks to more than the zip says; make it anew")
    if len(found) != info.file_size:
        raise ArchiveRefused(f"file {number} unpacks to less than the zip says; make it anew")
    if found.startswith(ZIP_STARTS):
        raise ArchiveRefused(f"file {number} is a zip within the zip; put its files there instead")
    return bytes(found)
