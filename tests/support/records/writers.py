"""Clients that write to a running service from several threads, and remember what they were told is kept."""

from __future__ import annotations

import http.client
import io
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image
from records.people import PASSWORD
from samples import multipart

_PAUSE_S = 0.02  # after a refusal, or where nobody answers
_JSON = "application/json"
TASK = "skin"


@dataclass
class Told:
    """What clients were told. doubtful: records whose deletion was asked for and not answered."""

    predictions: dict[str, dict[str, Any]] = field(default_factory=dict)
    uploads: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)
    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    unanswered: int = 0

    def count(self, status: int) -> int:
        """How many answers had this status."""
        return sum(number for (found, _), number in self.answers.items() if found == status)


def small_picture(seed: int) -> bytes:
    """A JPEG with structure, of 128 by 96 pixels."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(coarse).resize((128, 96), Image.Resampling.BICUBIC).save(stream, "JPEG")
    return stream.getvalue()


class Caller:
    """One account's requests, on a connection of its own."""

    def __init__(self, port: int, token: str = "") -> None:
        self._link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(self, method: str, path: str, body: bytes | None = None, kind: str = _JSON) -> tuple[int, bytes]:
        """Status and content. Raises OSError and HTTPException where no answer comes."""
        try:
            self._link.request(method, f"/api/v1{path}", body, {"Content-Type": kind, **self._headers})
            reply = self._link.getresponse()
            return reply.status, reply.read()
        except (OSError, http.client.HTTPException):
            self._link.close()
            raise

    def close(self) -> None:
        """Hang up."""
        self._link.close()


def log_in(port: int, name: str = "ada") -> str:
    """An access token of an account that is made where it is not there yet."""
    caller = Caller(port)
    made = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    assert caller.call("POST", "/auth/register", json.dumps(made).encode())[0] in (201, 409)
    status, text = caller.call("POST", "/auth/login", json.dumps({"username": name, "password": PASSWORD}).encode())
    caller.close()
    assert status == 200, text
    return str(json.loads(text)["access_token"])


class Writer:
    """Uploads, has pictures answered, and takes some records away, by chance."""

    def __init__(self, caller: Caller, told: Told, rng: random.Random) -> None:
        self._caller, self._told, self._rng = caller, told, rng
        self._mine: list[tuple[str, str]] = []  # records and their files

    def write(self) -> bool:
        """One request; whether it was answered as asked. Raises OSError and HTTPException where no answer came."""
        chosen = self._rng.random()
        if chosen < 0.15 and self._mine:
            return self._delete()
        body, kind = multipart(small_picture(self._rng.randrange(10**6)), field="file")
        if chosen < 0.4:
            return self._upload(body, kind)
        field = f'--sep\r\nContent-Disposition: form-data; name="task"\r\n\r\n{TASK}\r\n'
        return self._predict(field.encode() + body, kind)

    def _asked(self, method: str, path: str, body: bytes | None = None, kind: str = _JSON) -> tuple[int, Any]:
        status, text = self._caller.call(method, path, body, kind)
        answer = json.loads(text)
        self._told.answers[status, answer.get("code", "")] += 1
        return status, answer

    def _upload(self, body: bytes, kind: str) -> bool:
        status, answer = self._asked("POST", "/upload", body, kind)
        if status != 201:
            return False
        self._told.uploads[answer["file_id"]] = answer["sha256"]
        case = {"file_id": answer["file_id"], "task": TASK}
        return self._predict(json.dumps(case).encode(), _JSON)

    def _predict(self, body: bytes, kind: str) -> bool:
        status, answer = self._asked("POST", "/predict", body, kind)
        if status != 200:
            return False
        self._told.predictions[answer["prediction_id"]] = answer["result"]
        self._mine.append((answer["prediction_id"], answer["file_id"]))
        return True

    def _delete(self) -> bool:
        gone, file_id = self._mine.pop(self._rng.randrange(len(self._mine)))
        self._told.doubtful.add(gone)
        self._told.uploads.pop(file_id, None)  # it goes with its record
        status, _ = self._asked("DELETE", f"/history/{gone}")
        if status == 200:
            self._told.deleted.add(gone)
        return status == 200


@contextmanager
def writing(port: int, token: str, told: Told, rng: random.Random, threads: int = 4) -> Iterator[None]:
    """That many clients write until the end, whatever they are answered."""
    ended = threading.Event()

    def work(writer: Writer, caller: Caller) -> None:
        while not ended.is_set():
            try:
                if not writer.write():
                    time.sleep(_PAUSE_S)
            except (OSError, http.client.HTTPException):
                told.unanswered += 1
                time.sleep(_PAUSE_S)
        caller.close()

    callers = [Caller(port, token) for _ in range(threads)]
    writers = [Writer(caller, told, random.Random(rng.random())) for caller in callers]
    working = [threading.Thread(target=work, args=pair) for pair in zip(writers, callers, strict=True)]
    for thread in working:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in working:
            thread.join()
