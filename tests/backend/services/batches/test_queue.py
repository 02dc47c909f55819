"""Batches worked off by two processes with Redis between: one is killed, and Redis stops and forgets."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from child_processes.processes import one_task
from kombu import Connection
from records.batches import accepted, finished, send
from records.databases import fresh_postgres, redis_server
from records.people import Person, person
from records.queues import Queue, Worker

from backend.app import Application, create_app
from backend.config import Config, ConfigError, TestingConfig
from backend.services.batches.leases import Leases
from backend.services.batches.queue import QUEUE, TASK, QueueLabour

FILES, LEASE_S = 24, 3


@dataclass
class Site:
    """A service, its queue, and its workers."""

    app: Application
    queue: Queue
    ada: Person
    picture: bytes
    settings: dict[str, str]
    workers: list[Worker]

    def submit(self, files: int) -> str:
        sent = [(f"{n}", self.picture) for n in range(files)]
        return str(accepted(self.ada, sent)["batch_id"])

    def done_of(self, batch_id: str) -> int:
        return int(self.ada.get(f"/batches/{batch_id}?per_page=1")["done"])

    def begun(self, batch_id: str) -> int:
        """How many are done, once some are."""
        until = time.monotonic() + 120.0
        while not (done := self.done_of(batch_id)):
            assert time.monotonic() < until
            time.sleep(0.01)
        return done


@pytest.fixture(scope="module")
def site(postgres: str, tmp_path_factory: pytest.TempPathFactory, picture: Callable[..., bytes]) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("site")
    queue = Queue()
    url = fresh_postgres(postgres)
    settings = {
        **one_task(root), "APP_ENV": "testing", "DATA_DIR": str(root / "data"), "DATABASE_URL": url,
        "CELERY_BROKER_URL": queue.url, "BATCH_LEASE_S": str(LEASE_S), "SECRET_KEY": "k" * 32,
    }  # fmt: skip
    workers = [Worker(settings) for _ in range(2)]
    app = create_app(TestingConfig.from_env({**settings, "TMPDIR": ""}))
    assert app.services.models.wait_ready()
    made = Site(app, queue, person(app), picture(width_px=90, height_px=80), settings, workers)
    yield made
    for worker in made.workers:
        worker.kill()
    queue.stop()
    app.services.readiness.draining_since = 0.0
    app.services.records.open().executor.wake()
    assert app.services.records.open().executor.join(60.0)
    app.services.records.open().database.close()


def complete(site: Site, batch_id: str, files: int) -> None:
    """Every file has one result, and there are no others."""
    told = finished(site.ada, batch_id)
    records = [one["prediction_id"] for one in told["results"]]
    assert (told["done"], len(set(records)), told["warnings"]) == (files, files, [])
    export: list[dict[str, Any]] = site.ada.get("/auth/export")["predictions"]
    assert set(records) <= {one["id"] for one in export}


def test_a_worker_killed_in_mid_batch_leaves_no_file_without_a_result_and_none_with_two(site: Site) -> None:
    for worker in site.workers:
        worker.wait_working()
    batch_id = site.submit(FILES)
    assert 0 < site.begun(batch_id) < FILES
    site.workers.pop().kill()
    complete(site, batch_id, FILES)
    assert site.ada.get("/history")["total"] == FILES


def test_redis_that_stops_and_forgets_loses_nothing_and_the_client_is_told(site: Site) -> None:
    total = site.ada.get("/history")["total"]
    batch_id = site.submit(FILES)
    site.begun(batch_id)
    site.queue.stop()  # in mid-work: what it held is gone
    reply = send(site.ada, [("a", site.picture)])
    assert reply.status_code == 202
    assert "the queue does not answer" in reply.get_json()["warnings"][0]
    other = reply.get_json()["batch_id"]
    assert "the queue does not answer" in site.ada.get(f"/batches/{other}")["warnings"][0]
    site.queue.start()
    complete(site, batch_id, FILES)
    complete(site, other, 1)
    assert site.ada.get("/history")["total"] == total + FILES + 1


def test_a_pickle_is_not_read(site: Site, tmp_path: Path) -> None:
    trace = tmp_path / "was here"

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(trace),)

    with Connection(site.queue.url) as link, link.Producer() as producer:
        producer.publish(
            ([Evil()], {}, {}), serializer="pickle", routing_key=QUEUE, exchange=QUEUE,
            headers={"task": TASK, "id": "1", "lang": "py"},
        )  # fmt: skip
    complete(site, site.submit(1), 1)
    assert not trace.exists()


class Unserved:
    """A batch that a queue was told of before, and that nobody works on."""

    lease_s, batch_id = 1.0, uuid.uuid4()
    told = 0

    def unserved(self, _for_s: float) -> list[tuple[uuid.UUID, int, bool]]:
        return [(self.batch_id, 1, True)]

    def note_told(self, _batch_id: uuid.UUID) -> None:
        self.told += 1

    def due_in_s(self) -> float:
        return 0.0


def test_an_empty_queue_is_told_again_and_one_that_is_not_is_not(site: Site) -> None:
    """In Redis, a queue without messages is none."""
    leases, app = Unserved(), site.app.services
    with redis_server() as url:
        labour = QueueLabour(cast("Leases", leases), url, app.logger)
        labour.once()
        assert (leases.told, labour.problem) == (1, None)
        labour.once()
        assert leases.told == 1


def test_a_worker_that_is_told_to_stop_ends_in_good_order(site: Site) -> None:
    assert site.workers.pop().end() == 0


def test_a_queue_that_forgot_is_told_of_every_batch_at_once(site: Site) -> None:
    while site.workers:
        site.workers.pop().kill()
    opened, readiness = site.app.services.records.open(), site.app.services.readiness
    batches = [site.submit(1) for _ in range(2)]
    readiness.draining_since = float("inf")
    opened.executor.wake()
    assert opened.executor.join(60.0)
    site.queue.stop()
    site.queue.start()
    QueueLabour(Leases(opened.database, opened.files, 0.0), site.queue.url, site.app.services.logger).once()
    with Connection(site.queue.url) as link, link.SimpleQueue(QUEUE) as waiting:
        assert waiting.qsize() == 2
    readiness.draining_since = None
    for batch_id in batches:
        site.ada.call("DELETE", f"/batches/{batch_id}")


def test_only_redis_is_a_queue() -> None:
    told = "amqp://me:" + "hidden" + "@host"
    with pytest.raises(ConfigError, match="CELERY_BROKER_URL") as refused:
        Config.from_env({"CELERY_BROKER_URL": told})
    assert "hidden" not in str(refused.value)
    assert Config.from_env({"CELERY_BROKER_URL": "redis://h/0"}).celery_broker_url == "redis://h/0"
