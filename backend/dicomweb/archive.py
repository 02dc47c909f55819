"""A picture archive by DICOMweb (PS3.18): QIDO-RS, WADO-RS and STOW-RS, as far as pictures and results need them.

Bytes stay bytes: what comes is read where untrusted files are read, under limits, and not here.
"""

from __future__ import annotations

import json
import re
import tempfile
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import IO, Any

import requests

from backend.dicomweb.ledger import Entry, PassedOver
from backend.endpoint import MAX_UPLOAD_BYTES
from backend.services.batches.archive import ZipLimits
from backend.settings.pacs import Pacs
from ml_model.errors import InputTooLarge, MediDiagnoseError

_PAGE, _MOST_STUDIES = 100, 100_000
_WITHIN_S = (10.0, 60.0)  # to connect, to read
_MOST_JSON_BYTES = 32 * 2**20
_PIECE_BYTES = 65_536
_STUDY, _SERIES, _INSTANCE, _MODALITY = "0020000D", "0020000E", "00080018", "00080060"
_IN_STUDY = "00201208"  # how many instances there are
_FAILED = "00081198"  # FailedSOPSequence
_DICOM = "application/dicom"
_UID = re.compile(r"[0-9.]{1,64}")  # what may stand in an address


class ArchiveUnavailable(MediDiagnoseError):
    """The archive did not answer, or not as the standard says; the message has neither address nor value."""

    code = "archive_unavailable"


class DicomWeb:
    """One archive."""

    def __init__(self, pacs: Pacs) -> None:
        self._url = pacs.url
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy and no password of the machine's own
        self._session.verify = pacs.ca or True
        if pacs.token:
            self._session.headers["Authorization"] = f"Bearer {pacs.token}"
        elif pacs.username:
            self._session.auth = (pacs.username, pacs.password)

    def studies(self) -> Iterator[tuple[str, int]]:
        """UID of each study, and how many instances it has; -1 where that is not told."""
        for offset in range(0, _MOST_STUDIES, _PAGE):
            found = self._json("/studies", limit=str(_PAGE), offset=str(offset), includefield=_IN_STUDY)
            yield from ((uid, _count(one, _IN_STUDY)) for one in found if (uid := _uid(one, _STUDY)))
            if len(found) < _PAGE:
                return

    def series(self, study_uid: str) -> list[tuple[str, str]]:
        """UID and modality of each series."""
        found = self._json(f"/studies/{study_uid}/series")
        told = ((_uid(one, _SERIES), one) for one in found)
        return [(uid, _text(one, _MODALITY)) for uid, one in told if uid]

    def instances(self, study_uid: str, series_uid: str) -> list[str]:
        """Their UIDs."""
        found = self._json(f"/studies/{study_uid}/series/{series_uid}/instances")
        return [uid for one in found if (uid := _uid(one, _INSTANCE))]

    def fetch(self, study_uid: str, series_uid: str, instance_uid: str) -> bytes:
        """A file, in the transfer syntax that it is kept in. Raises ArchiveUnavailable, InputTooLarge."""
        path = f"/studies/{study_uid}/series/{series_uid}/instances/{instance_uid}"
        accept = f'multipart/related; type="{_DICOM}"; transfer-syntax=*'
        with self._asked("GET", path, headers={"Accept": accept}, stream=True) as reply:
            body = _bounded(reply, MAX_UPLOAD_BYTES + _PIECE_BYTES)
            return _only_part(body, reply.headers.get("Content-Type", ""))

    def fetch_series(self, entry: Entry, limits: ZipLimits, folder: Path) -> IO[bytes]:
        """All files of a series as a zip, in a file without a name in `folder`. Raises ArchiveUnavailable, PassedOver
        of more than the limits, InputTooLarge of a single file."""
        found, held = self.instances(entry.study_uid, entry.series_uid), 0
        if len(found) > limits.members:
            raise PassedOver(f"a series of {len(found)} pictures; at most {limits.members} are read")
        with ExitStack() as unless_whole:
            file = unless_whole.enter_context(tempfile.TemporaryFile(dir=folder))
            with zipfile.ZipFile(file, "w") as archive:
                for number, instance_uid in enumerate(found):
                    data = self.fetch(entry.study_uid, entry.series_uid, instance_uid)
                    held += len(data)
                    if held > limits.total_bytes:
                        raise PassedOver(f"a series of more than {limits.total_bytes} bytes")
                    archive.writestr(str(number), data)
            file.seek(0)
            unless_whole.pop_all()
            return file

    def store(self, study_uid: str, objects: Sequence[bytes]) -> None:
        """Files into a study; what is there already stays. Raises ArchiveUnavailable unless all were taken."""
        boundary = uuid.uuid4().hex
        head = f"--{boundary}\r\nContent-Type: {_DICOM}\r\n\r\n".encode()
        body = b"".join(head + one + b"\r\n" for one in objects) + f"--{boundary}--\r\n".encode()
        headers = {
            "Content-Type": f'multipart/related; type="{_DICOM}"; boundary={boundary}',
            "Accept": "application/dicom+json",
        }
        with self._asked("POST", f"/studies/{study_uid}", headers=headers, data=body, stream=True) as reply:
            told = _parsed(_bounded(reply, _MOST_JSON_BYTES))
        if not isinstance(told, dict) or reply.status_code != requests.codes.ok or _value(told, _FAILED) is not None:
            raise ArchiveUnavailable("the archive did not take every result")

    def _json(self, path: str, **query: str) -> list[dict[str, Any]]:
        with self._asked("GET", path, params=query, headers={"Accept": "application/dicom+json"}, stream=True) as reply:
            if reply.status_code == requests.codes.no_content:
                return []
            found = _parsed(_bounded(reply, _MOST_JSON_BYTES) or b"[]")
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise ArchiveUnavailable("the archive's list is none")
        return found

    def _asked(self, method: str, path: str, **given: Any) -> requests.Response:
        try:
            reply = self._session.request(method, self._url + path, timeout=_WITHIN_S, allow_redirects=False, **given)
        except requests.RequestException as error:  # whose text has the address
            raise ArchiveUnavailable(f"the archive cannot be reached ({type(error).__name__})") from error
        if not reply.ok or reply.is_redirect:
            reply.close()
            raise ArchiveUnavailable(f"the archive answered {reply.status_code} to {method}")
        return reply


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ArchiveUnavailable("the archive's answer is no JSON") from error


def _bounded(reply: requests.Response, most_bytes: int) -> bytes:
    found = bytearray()
    try:
        for piece in reply.iter_content(_PIECE_BYTES):
            found += piece
            if len(found) > most_bytes:
                raise InputTooLarge(f"the archive sends more than {most_bytes // 2**20} MiB at once")
    except requests.RequestException as error:
        raise ArchiveUnavailable(f"the archive broke off ({type(error).__name__})") from error
    return bytes(found)


def _only_part(body: bytes, content_type: str) -> bytes:
    """Of a multipart answer; an archive may send a single file as it is."""
    told = BytesHeaderParser().parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode("ascii", "replace"))
    if told.get_content_type() == _DICOM:
        return body
    boundary = told.get_boundary()
    start = f"--{boundary}".encode("ascii", "replace")
    begin, ends = body.find(start), body.rfind(b"\r\n" + start)
    head_end = body.find(b"\r\n\r\n", begin)
    if not boundary or begin < 0 or head_end < 0 or ends < head_end:
        raise ArchiveUnavailable("the archive's answer has no part")
    return body[head_end + 4 : ends]


def _value(one: dict[str, Any], tag: str) -> Any:
    told = one.get(tag)
    values = told.get("Value") if isinstance(told, dict) else None
    return values[0] if isinstance(values, list) and values else None


def _text(one: dict[str, Any], tag: str) -> str:
    found = _value(one, tag)
    return found if isinstance(found, str) else ""


def _uid(one: dict[str, Any], tag: str) -> str:
    found = _text(one, tag)
    return found if _UID.fullmatch(found) else ""


def _count(one: dict[str, Any], tag: str) -> int:
    found = _value(one, tag)
    text = str(found)
    return int(text) if text.isascii() and text.isdecimal() else -1
