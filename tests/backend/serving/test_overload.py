"""More work than can be done: what is taken on keeps its deadline, the rest is refused at once, probes never wait."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest
from child_processes.processes import Service
from clients.http_bytes import HOST, opened, reply

THREADS, QUEUE, OF_ONE, DEADLINE_S = 2, 4, 5, 4
AT_ONCE_S = 1.0  # generous: a free machine needs 2 ms


@pytest.fixture(scope="module")
def service(start_service: Callable[..., AbstractContextManager[Service]]) -> Iterator[Service]:
    settings = {"THREADS": THREADS, "QUEUE_LENGTH": QUEUE, "REQUESTS_PER_ADDRESS": OF_ONE}
    settings["REQUEST_DEADLINE_S"] = DEADLINE_S
    with start_service("slow_server", **{name: str(value) for name, value in settings.items()}) as running:
        yield running


def slow(port: int, seconds: float, source: str) -> tuple[int, float, str, str]:
    """Status, seconds, Retry-After and text of one request."""
    began = time.monotonic()
    sent = f"GET /slow?s={seconds} HTTP/1.1\r\n".encode() + HOST + b"\r\n"
    with contextlib.closing(opened(port, sent, source)) as link:
        status, headers, body = reply(link)
    return status, time.monotonic() - began, headers.get("Retry-After", ""), body.decode()


def sent_at_once(port: int, seconds: float, sources: list[str]) -> list[tuple[int, float, str, str]]:
    with ThreadPoolExecutor(len(sources)) as pool:
        return list(pool.map(lambda source: slow(port, seconds, source), sources))


def test_beyond_threads_and_queue_it_refuses_at_once_and_the_probes_go_on(service: Service) -> None:
    with ThreadPoolExecutor(1) as pool:
        flood = pool.submit(sent_at_once, service.port, 0.7, [f"127.0.1.{i}" for i in range(1, 31)])
        time.sleep(0.3)
        for path in (b"/livez", b"/readyz", b"/metrics") * 3:
            began = time.monotonic()
            with contextlib.closing(opened(service.port, b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")) as link:
                assert reply(link)[0] == 200
            assert time.monotonic() - began < AT_ONCE_S
        answers = flood.result()
    refused = [answer for answer in answers if answer[0] == 503]
    assert [status for status, *_ in answers].count(200) == THREADS + QUEUE
    assert len(refused) == 30 - THREADS - QUEUE
    for _, seconds, retry_after, text in refused:
        assert (json.loads(text)["code"], retry_after) == ("overloaded", "1")
        assert seconds < AT_ONCE_S
    assert slow(service.port, 0, "127.0.0.1")[0] == 200, "and it recovers"


def test_one_address_cannot_take_every_place(service: Service) -> None:
    with ThreadPoolExecutor(1) as pool:
        greedy = pool.submit(sent_at_once, service.port, 0.7, ["127.0.2.1"] * 20)
        time.sleep(0.3)
        status, *_ = slow(service.port, 0, "127.0.2.2")
        answers = greedy.result()
    assert status == 200
    assert sorted(status for status, *_ in answers) == [200] * OF_ONE + [503] * (20 - OF_ONE)
    assert "of your address" in next(text for status, *_, text in answers if status == 503)


def test_past_its_deadline_a_request_is_answered_and_its_thread_counts_until_it_is_done(service: Service) -> None:
    answers = sent_at_once(service.port, DEADLINE_S + 1.5, ["127.0.3.1", "127.0.3.2"])
    for status, seconds, _, text in answers:
        assert (status, json.loads(text)["code"]) == (504, "deadline_exceeded")
        assert DEADLINE_S - 0.1 < seconds < DEADLINE_S + AT_ONCE_S
    status, seconds, _, _ = slow(service.port, 0, "127.0.3.3")
    assert status == 200
    assert 0.3 < seconds < DEADLINE_S, "it waited for one of the two threads"
