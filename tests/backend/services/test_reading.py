"""What a client is told of files that cannot be read, or only at too high a price; and what goes on all the same."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from samples import upload

from backend.app import Application
from ml_model.diagnosis import reading
from ml_model.sandbox.pool import PoolLimits, WorkerPool
from ml_model.sandbox.worker import Cost

SKIN = "/analyze/skin"


@pytest.fixture
def asked(live_app: Application, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., WorkerPool]]:
    """Factory: the application reads in a pool of this entry and these limits."""
    made: list[WorkerPool] = []

    def use(entry: str = reading.__name__, limits: PoolLimits | None = None) -> WorkerPool:
        made.append(WorkerPool(entry, limits))
        monkeypatch.setattr(live_app.services.images, "_pool", made[-1])
        return made[-1]

    yield use
    for pool in made:
        pool.close()


def test_without_processes_only_small_ordinary_pictures_are_answered(
    live_app: Application, picture: Callable[..., bytes], asked: Callable[..., WorkerPool]
) -> None:
    client = live_app.test_client()
    assert client.get("/health").get_json()["problems"] == {}
    asked("ml_model.no_such_module")
    reply = client.post(SKIN, data=upload(picture(300, 200, format="BMP")))
    assert (reply.status_code, reply.get_json()["code"]) == (503, "reader_unavailable")
    assert reply.headers["Retry-After"] == "30"
    assert client.post(SKIN, data=upload(picture())).status_code == 200
    health = client.get("/health").get_json()
    assert health["status"] == "degraded"
    assert health["problems"] == {"reading": reply.get_json()["error"]}


def test_a_limit_is_named_and_the_next_is_answered(
    live_app: Application, picture: Callable[..., bytes], asked: Callable[..., WorkerPool]
) -> None:
    client, limits = live_app.test_client(), PoolLimits(processes=1)
    pool = asked(limits=replace(limits, at_first=Cost(2**25, 1.0), memory_bytes=2**25))
    reply = client.post(SKIN, data=upload(picture(300, 200, format="BMP")))
    assert (reply.status_code, reply.get_json()["code"]) == (413, "too_costly")
    assert "more memory than a file may" in reply.get_json()["error"]
    pool._limits = limits
    assert client.post(SKIN, data=upload(picture(300, 200, format="BMP"))).status_code == 200


def test_who_cannot_be_served_in_time_is_told_at_once(
    live_app: Application, picture: Callable[..., bytes], asked: Callable[..., WorkerPool]
) -> None:
    pool = asked(limits=PoolLimits(processes=1, most_waiting=1))
    sent = picture(300, 200, format="BMP")

    def send() -> tuple[int, str]:
        reply = live_app.test_client().post(SKIN, data={"image": (io.BytesIO(sent), "a")})
        return reply.status_code, reply.get_json().get("code", "")

    assert send() == (200, "")
    with ThreadPoolExecutor(1) as threads, pool._slots.taken(1, time.monotonic() + 30):
        waiting = threads.submit(send)
        while not pool._slots._waiting:
            time.sleep(0.01)
        assert send() == (503, "overloaded")
        waiting_still = not waiting.done()
    assert waiting_still
    assert waiting.result() == (200, "")


def test_a_request_whose_deadline_passed_is_not_read(
    live_app: Application, picture: Callable[..., bytes], asked: Callable[..., WorkerPool]
) -> None:
    asked()
    past = {"backend.deadline": time.monotonic() - 1}
    reply = live_app.test_client().post(SKIN, data=upload(picture(300, 200, format="BMP")), environ_base=past)
    assert (reply.status_code, reply.get_json()["code"]) == (504, "deadline_exceeded")
