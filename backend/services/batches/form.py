"""The form of a batch, read while it comes: each file goes into the store once it is there whole, a zip through a file
without a name, which is gone with the process that reads it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol
from uuid import UUID

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from backend.errors import on_disk
from backend.schemas.batches import MOST_FILES
from backend.services.batches.archive import ZIP_STARTS, ZipLimits, members
from ml_model.errors import EmptyInput, InputTooLarge, UnknownField, UnreadableInput

FILE_FIELDS = ("files", "file")
MOST_NAME_CHARACTERS = 255
_MOST_TEXT_BYTES, _MOST_FIELDS = 4096, 64
_CHUNK, _MOST_HELD = 2**18, 2**20


class Sink(Protocol):
    """Where files go. What it raises ends the reading."""

    def put(self, data: bytes) -> UUID | None:
        """The id under which it is kept, if it is."""


@dataclass(frozen=True)
class SentFile:
    """A file as it was sent. sha256: of the content; file_id: in the store; frame: from 1, where one of several is
    meant, which is an entry of its own."""

    name: str
    sha256: str
    size_bytes: int
    file_id: UUID | None
    frame: int | None = None


@dataclass
class SentForm:
    """What a request holds."""

    fields: dict[str, str] = field(default_factory=dict)
    files: list[SentFile] = field(default_factory=list)

    def fingerprint(self) -> str:
        """The same for the same fields and files, however they were sent."""
        told = [sorted(self.fields.items()), [(one.name, one.sha256) for one in self.files]]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


class _Part:
    """One part of the form, until its end."""

    def __init__(self, name: str, filename: str | None, most_bytes: int, spool: Callable[[], IO[bytes]]) -> None:
        self.name, self.filename = name, filename
        self.data = bytearray()
        self.archive: IO[bytes] | None = None
        self._most_bytes, self._spool = most_bytes, spool

    def write(self, data: bytes) -> None:
        """Raises InputTooLarge."""
        if self.archive is not None:
            self.archive.write(data)
            return
        self.data += data
        if self.filename is not None and self.data.startswith(ZIP_STARTS):
            self.archive = self._spool()
            self.archive.write(self.data)
            self.data.clear()
        most = _MOST_TEXT_BYTES if self.filename is None else self._most_bytes
        if len(self.data) > most:
            what = f"the field {self.name!r:.80}" if self.filename is None else "a file"
            raise InputTooLarge(f"{what} has more than {most} bytes; send a shorter one")


class FormReader:
    """Reads one form into `sink`. spool_dir: of the file that a zip goes through."""

    def __init__(self, sink: Sink, limits: ZipLimits, spool_dir: Path) -> None:
        self._sink, self._limits, self._spool_dir = sink, limits, spool_dir
        self._form = SentForm()
        self._zipped = False
        self._left_open = ExitStack()

    def read(self, stream: IO[bytes], boundary: bytes) -> SentForm:
        """Raises EmptyInput, UnknownField, InputTooLarge, UnreadableInput, ArchiveRefused, RecordsUnavailable where
        the disk has no room for a zip, and what the sink does."""
        decoder = MultipartDecoder(boundary, _MOST_HELD, max_parts=MOST_FILES + _MOST_FIELDS)
        with on_disk(), self._left_open:
            try:
                self._decode(decoder, stream)
            except ValueError as error:  # as the decoder says of what is none
                raise UnreadableInput("the form cannot be read: send multipart/form-data, as curl -F does") from error
            except RequestEntityTooLarge as error:
                raise InputTooLarge(f"the form has too many parts; at most {MOST_FILES} files, or one zip") from error
        if not self._form.files:
            raise EmptyInput("no file was sent; send some as files: curl -F files=@a.jpg -F files=@b.jpg")
        return self._form

    def _decode(self, decoder: MultipartDecoder, stream: IO[bytes]) -> None:
        part: _Part | None = None
        while True:
            data = stream.read(_CHUNK)
            decoder.receive_data(data or None)
            while not isinstance(event := decoder.next_event(), NeedData):
                if isinstance(event, Epilogue):
                    return
                if isinstance(event, Field | File):
                    filename = event.filename if isinstance(event, File) else None
                    part = _Part(event.name or "", filename, self._limits.member_bytes, self._spool)
                elif isinstance(event, Data) and part is not None:
                    part.write(event.data)
                    if not event.more_data:
                        self._take(part)

    def _spool(self) -> IO[bytes]:
        self._spool_dir.mkdir(parents=True, exist_ok=True)
        return self._left_open.enter_context(tempfile.TemporaryFile(dir=self._spool_dir))

    def _take(self, part: _Part) -> None:
        if part.filename is None:
            self._take_text(part)
            return
        if part.name not in FILE_FIELDS:
            raise UnknownField(f"unknown file field {part.name!r:.80}; send files, or one zip, as {FILE_FIELDS[0]}")
        if self._zipped or (part.archive is not None and self._form.files):
            raise UnknownField("a zip was sent beside other files; send it alone")
        if part.archive is None:
            self._keep(part.filename, bytes(part.data))
            return
        self._zipped = True
        part.archive.seek(0)
        for name, data in members(part.archive, self._limits):
            self._keep(name, data)

    def _take_text(self, part: _Part) -> None:
        if part.name in FILE_FIELDS:
            raise EmptyInput(f"the field {part.name} holds text, no file; send the file itself: curl -F files=@a.jpg")
        if part.name in self._form.fields:
            raise UnknownField(f"the field {part.name!r:.80} is there twice; send each once")
        self._form.fields[part.name] = part.data.decode()

    def _keep(self, name: str, data: bytes) -> None:
        if not self._zipped and len(self._form.files) >= MOST_FILES:
            raise InputTooLarge(f"more than {MOST_FILES} files were sent; send them in a zip, or in several batches")
        shown = "".join(one for one in name if one.isprintable())[-MOST_NAME_CHARACTERS:]
        self._form.files.append(SentFile(shown, hashlib.sha256(data).hexdigest(), len(data), self._sink.put(data)))
