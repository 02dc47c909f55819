"""Zips of strangers: bombs, names that lead out, links, passwords, zips in zips. None is unpacked."""

from __future__ import annotations

import io
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable

import pytest
from records.batches import zipped

from backend.errors import ArchiveRefused
from backend.services.batches.archive import ZipLimits, members
from ml_model.errors import EmptyInput, InputTooLarge, MediDiagnoseError

LIMITS = ZipLimits(members=20, member_bytes=4_000_000, total_bytes=8_000_000)
CENTRAL, LOCAL = b"PK\x01\x02", b"PK\x03\x04"


def read(data: bytes, limits: ZipLimits = LIMITS) -> list[tuple[str, bytes]]:
    return list(members(io.BytesIO(data), limits))


def of_mode(mode: int) -> bytes:
    info = zipfile.ZipInfo("a.jpg")
    info.create_system, info.external_attr = 3, mode << 16
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr(info, b"/etc/passwd")
    return stream.getvalue()


def patched(data: bytes, offset: int, value: bytes) -> bytes:
    """Bytes of the first entry of the directory changed."""
    at = data.index(CENTRAL) + offset
    return data[:at] + value + data[at + len(value) :]


def overlapping() -> bytes:
    """Two entries of the directory with the bytes of one."""
    data = zipped([("a", b"x" * 1000), ("b", b"y" * 1000)], zipfile.ZIP_STORED)
    second = data.rindex(CENTRAL) + 42
    return data[:second] + struct.pack("<I", 0) + data[second + 4 :]


def lying(size: int) -> bytes:
    """A member that says another size than it has, in both places."""
    data = bytearray(zipped([("a", b"x" * 5000)]))
    for mark, offset in ((LOCAL, 22), (CENTRAL, 24)):
        at = data.index(mark) + offset
        data[at : at + 4] = struct.pack("<I", size)
    return bytes(data)


def renamed(name: bytes) -> bytes:
    return zipped([("n" * len(name), b"x")]).replace(b"n" * len(name), name)


def test_what_is_in_a_zip_comes_in_its_order() -> None:
    files = [("b/2.jpg", b"two"), ("a/1.jpg", b"one"), ("empty", b"")]
    assert read(zipped([("b/", b""), *files, ("__MACOSX/b/._2.jpg", b"x"), ("a/.DS_Store", b"x")])) == files
    assert read(zipped(files, zipfile.ZIP_STORED)) == files
    assert read(of_mode(stat.S_IFREG | 0o600)) == [("a.jpg", b"/etc/passwd")]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (renamed(b"../up.jpg"), "zip slip"),
        (renamed(b"a/../../b"), "zip slip"),
        (renamed(b"/etc/cron.d/x"), "zip slip"),
        (renamed(b"C:\\Windows\\x"), "zip slip"),
        (renamed(b"..\\up.jpg"), "zip slip"),
        (renamed(b"a.jpg\x00.exe"), "zip slip"),
        (of_mode(stat.S_IFLNK | 0o777), "a link or a device"),
        (of_mode(stat.S_IFIFO | 0o600), "a link or a device"),
        (of_mode(stat.S_IFCHR | 0o600), "a link or a device"),
        (patched(zipped([("a", b"x")]), 8, b"\x01\x00"), "encrypted"),
        (patched(zipped([("a", b"x")]), 8, b"\x00\x20"), "encrypted"),
        (zipped([("a", b"x" * 99)], zipfile.ZIP_BZIP2), "packed by method 12"),
        (zipped([("a", zipped([("b", b"x")]))]), "a zip within the zip"),
        (zipped([("a", b"\x00" * 3_900_000)]), "zip bomb"),
        (overlapping(), "overlap"),
        (lying(2000), "damaged"),
        (lying(9000), "less than the zip says"),
        (zipped([("a", b"x" * 5000)], zipfile.ZIP_STORED).replace(b"xxx", b"xyx", 1), "damaged"),
        (zipped([("a", b"x")])[:-10], "damaged"),
        (b"PK\x03\x04" + bytes(100), "damaged"),
    ],
    ids=lambda value: value if isinstance(value, str) else "zip",  # a zip has the time in it
)  # fmt: skip
def test_a_zip_that_is_not_what_it_should_be_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(ArchiveRefused, match=told):
        read(data)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: zipped([(f"{n}", b"x") for n in range(21)]), InputTooLarge),
        (lambda: zipped([(f"{n}/", b"") for n in range(41)]), InputTooLarge),
        (lambda: zipped([("a", bytes(4_000_001))], zipfile.ZIP_STORED), InputTooLarge),
        (lambda: zipped([(f"{n}", bytes(3_000_000)) for n in range(3)], zipfile.ZIP_STORED), InputTooLarge),
        (lambda: zipped([]), EmptyInput),
        (lambda: zipped([("only/", b""), ("__MACOSX/x", b"x")]), EmptyInput),
    ],
)
def test_limits_hold(make: Callable[[], bytes], error: type[MediDiagnoseError]) -> None:
    with pytest.raises(error):
        read(make())


def test_nothing_is_unpacked_before_all_was_looked_at() -> None:
    found = members(io.BytesIO(zipped([("fine.jpg", b"x"), ("../up.jpg", b"x")])), LIMITS)
    with pytest.raises(ArchiveRefused):
        next(found)


def test_a_directory_of_millions_is_not_taken_into_memory() -> None:
    """40 MB that say: all of it is the directory."""
    size = 40_000_000
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFE, 0xFFFE, size, 0, 0)
    data = io.BytesIO((zipped([("a", b"x")])[-100:][:46] * (size // 46 + 1))[:size] + end)
    tracemalloc.start()
    with pytest.raises(InputTooLarge, match="directory"):
        list(members(data, LIMITS))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
