"""Lanes, addresses and the census by themselves."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import pytest

from backend.config import Config, ConfigError
from backend.errors import Busy
from backend.serving.addresses import client_address, counted_as, listening_sockets
from backend.serving.admission import Job, Lane, Outcome
from backend.serving.census import Census
from backend.serving.wsgi_call import Answer
from ml_model.errors import DeadlineExceeded


class Application:
    """Answers once `gate` is open; raises what `fails` holds."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.fails: Exception | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        assert self.gate.wait(30)
        time.sleep(environ.get("seconds", 0.0))
        if self.fails is not None:
            raise self.fails
        start_response("200 OK", [])
        return [b"done"]


@dataclass
class Sent:
    """A job with what came of it."""

    address: str = "a"
    seconds: float = 0.0
    deadline_s: float = 30.0
    outcomes: list[Outcome] = field(default_factory=list)
    finished: int = 0

    def job(self) -> Job:
        def finish() -> None:
            self.finished += 1

        environ = {"wsgi.input": io.BytesIO(), "seconds": self.seconds}
        return Job(environ, self.address, time.monotonic() + self.deadline_s, self.outcomes.append, finish)


async def until(true: Any) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


def test_a_lane_refuses_by_its_queue_by_address_and_by_the_wait_it_expects() -> None:
    async def scenario() -> None:
        application = Application()
        lane = Lane(application, 1, 3, 3)
        first = [Sent(seconds=0.2) for _ in range(3)]
        for sent in first:
            assert lane.refusal("a", 30) is None
            lane.enter(sent.job())
        assert "of your address" in str(lane.refusal("a", 30))
        assert lane.refusal("b", 30) is None
        lane.enter((other := Sent("b")).job())
        assert "as much work" in str(lane.refusal("c", 30))
        application.gate.set()
        await until(lambda: all(sent.outcomes for sent in first))
        assert first[0].outcomes == [Answer(200, [], b"done")]
        await until(lambda: other.finished)
        for sent in (busy := [Sent(seconds=0.2) for _ in range(3)]):
            lane.enter(sent.job())
        assert lane.refusal("b", 5) is None
        assert isinstance(lane.refusal("b", 0.3), Busy), "two wait, and each takes 0.2 s"
        await until(lambda: all(sent.finished for sent in busy))
        lane.stop()

    asyncio.run(scenario())


def test_a_late_job_is_settled_once_and_counts_until_its_thread_is_done() -> None:
    async def scenario() -> None:
        application = Application()
        lane = Lane(application, 1, 5, 2)
        running, waiting = Sent(deadline_s=0.05), Sent(deadline_s=0.05)
        lane.enter(running.job())
        lane.enter(waiting.job())
        await until(lambda: running.outcomes and waiting.outcomes)
        assert [type(sent.outcomes[0]) for sent in (running, waiting)] == [DeadlineExceeded, DeadlineExceeded]
        assert (running.finished, waiting.finished) == (0, 1)
        lane.enter(Sent().job())
        assert lane.refusal("a", 30) is not None
        application.gate.set()
        await until(lambda: running.finished == 1)
        assert len(running.outcomes) == 1
        await until(lambda: lane.refusal("a", 30) is None)
        lane.stop()

    asyncio.run(scenario())


def test_what_nobody_waits_for_any_more_is_not_begun_and_what_fails_is_told() -> None:
    async def scenario() -> None:
        application = Application()
        lane = Lane(application, 1, 5, 5)
        failing, left = Sent(), Sent()
        lane.enter(failing.job())
        lane.enter(job := left.job())
        lane.leave(job)
        application.fails = ValueError("inside")
        application.gate.set()
        await until(lambda: failing.outcomes)
        assert failing.outcomes == [application.fails]
        assert (left.outcomes, left.finished) == ([], 1)
        lane.stop()

    asyncio.run(scenario())


@dataclass(eq=False)
class Link:
    """A connection as the census sees it."""

    address: str | None
    since: float
    uploaded_bytes: int = 0
    expires_at: float = float("inf")
    waits_for_client: bool = True
    busy: bool = True
    answered: bool = False
    ended: list[Exception] = field(default_factory=list)
    census: Census | None = None

    def expire(self) -> None:
        self.ended.append(TimeoutError())

    def end(self, error: Exception) -> None:
        self.ended.append(error)
        self.waits_for_client = False
        if self.census is not None:
            held, self.uploaded_bytes = self.uploaded_bytes, 0
            self.census.release(held)


def test_the_oldest_of_the_address_that_has_too_many_goes() -> None:
    census = Census(connections=6, per_address=3, upload_bytes=100, spool_bytes=0)
    many = [Link("a", since) for since in (3.0, 1.0, 2.0)]
    answered = Link("a", 0.0, waits_for_client=False)
    for link in [answered, *many[:2], many[2]]:
        census.add(link)
    assert [bool(link.ended) for link in (answered, *many)] == [False, False, True, False]
    census.remove(many[1])
    proxied = [Link(None, 0.0) for _ in range(3)]
    for link in proxied:
        census.add(link)
    assert not any(link.ended for link in proxied), "a proxy speaks for many"
    census.add(Link("c", 9.0))
    assert sum(bool(link.ended) for link in (*proxied, *many)) == 2, "in all there are too many now"


def test_uploads_are_bounded_in_bytes_and_the_oldest_goes_first() -> None:
    census = Census(connections=10, per_address=10, upload_bytes=100, spool_bytes=0)
    old, new = Link("a", 1.0, 60, census=census), Link("b", 2.0, 50, census=census)
    for link in (old, new):
        census.add(link)
        census.hold(link.uploaded_bytes)
        census.make_room()
    assert [len(link.ended) for link in (old, new)] == [1, 0]
    assert isinstance(old.ended[0], Busy)
    census.hold(1000)
    census.release(1000)
    assert new.ended == []


PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("8.8.8.8", "1.1.1.1", "8.8.8.8"),
        ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "9.9.9.9, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
        ("::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("fd00::1", "2001:db8::5", "2001:db8::5"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1, unknown", "10.0.0.1"),
    ],
)
def test_forwarded_addresses(peer: str, forwarded: str, expected: str) -> None:
    assert client_address(peer, forwarded, PROXIES) == expected


def test_an_ipv6_site_counts_as_one() -> None:
    assert counted_as("2001:db8:1:2:3::4") == counted_as("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert counted_as("::ffff:1.2.3.4") == counted_as("1.2.3.4") == "1.2.3.4"
    assert counted_as("fe80::1%eth0") == "fe80::/64"


def test_every_address_of_a_host_is_listened_on_at_one_port() -> None:
    sockets = listening_sockets("localhost", 0)
    try:
        assert len({one.getsockname()[1] for one in sockets}) == 1
        assert "127.0.0.1" in {one.getsockname()[0] for one in sockets}
    finally:
        for one in sockets:
            one.close()


def test_who_may_call_by_what_name_follows_the_address_listened_on() -> None:
    assert Config.from_env({}).allowed_hosts == Config().allowed_hosts == ("localhost", ".localhost")
    assert Config.from_env({"HOST": "0.0.0.0"}).allowed_hosts == ("*",)  # noqa: S104
    assert Config.from_env({"HOST": "0.0.0.0", "ALLOWED_HOSTS": "a.test, B.test"}).allowed_hosts == ("a.test", "b.test")  # noqa: S104
    with pytest.raises(ConfigError, match=r"TRUSTED_PROXIES: '10\.0\.0\.300' does not appear"):
        Config.from_env({"TRUSTED_PROXIES": "10.0.0.300"})
