"""The form of a batch as it is read."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from records.batches import zipped

from backend.errors import RecordsUnavailable
from backend.services.batches.archive import ZipLimits
from backend.services.batches.form import FormReader


class _Nowhere:
    def put(self, data: bytes) -> None:
        """Keeps nothing."""


def test_a_zip_for_which_the_disk_has_no_room_may_come_later(tmp_path: Path) -> None:
    folder = tmp_path / "full"
    folder.write_bytes(b"a file, in which no file can be made")
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.zip"\r\n\r\n'
    stream = io.BytesIO(head + zipped([("a.jpg", b"x")]) + b"\r\n--b--\r\n")
    with pytest.raises(RecordsUnavailable, match="cannot be taken on now .*try again later"):
        FormReader(_Nowhere(), ZipLimits(1, 100, 100), folder).read(stream, b"b")
