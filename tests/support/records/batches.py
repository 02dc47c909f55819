"""Batches of a test: sent, waited for, and zips to send."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Sequence
from typing import Any

from records.people import Person
from werkzeug.test import TestResponse

_WITHIN_S = 60.0


def send(who: Person, files: Sequence[tuple[str, bytes]], key: str | None = None, **fields: str) -> TestResponse:
    """Files of a form, answered by the task skin."""
    form: dict[str, Any] = {"task": "skin", **fields, "files": [(io.BytesIO(data), name) for name, data in files]}
    return who.call("POST", "/batch-predict", data=form, headers={"Idempotency-Key": key} if key else {})


def accepted(who: Person, files: Sequence[tuple[str, bytes]], key: str | None = None, **fields: str) -> dict[str, Any]:
    """What is said of a batch that is taken on."""
    reply = send(who, files, key, **fields)
    assert reply.status_code == 202, reply.text
    told: dict[str, Any] = reply.get_json()
    return told


def finished(who: Person, batch_id: str) -> dict[str, Any]:
    """A batch once nothing of it waits."""
    until = time.monotonic() + _WITHIN_S
    while (told := who.get(f"/batches/{batch_id}?per_page=1000"))["finished_at"] is None:
        assert time.monotonic() < until, told
        time.sleep(0.02)
    return dict(told)


def zipped(files: Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of them."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as made:
        for name, data in files:
            made.writestr(name, data)
    return stream.getvalue()
