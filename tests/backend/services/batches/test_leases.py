"""Files are taken on by one at a time, settled once, and taken on again after a crash; on both databases."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from records.batches import accepted, finished, send
from records.people import Person, person
from sqlalchemy import func, select, update

from backend.app import Application
from backend.errors import RecordsUnavailable
from backend.services.batches.leases import MOST_ATTEMPTS, Claimed, LeaseLost, Leases, settle
from backend.services.batches.states import DONE
from backend.services.records.opened import OpenRecords
from backend.storage.batch_tables import BatchItem
from backend.storage.tables import Prediction
from ml_model.errors import Overloaded, UnreadableInput

SHORT_S, LONG_S = 0.05, 3600.0


class Bench:
    """Records whose batches nobody works on but the test."""

    def __init__(self, app: Application, picture: bytes) -> None:
        self.app, self.picture = app, picture
        self.opened: OpenRecords = app.services.records.open()
        self.ada: Person = person(app)

    def batch(self, files: int) -> uuid.UUID:
        self.app.services.readiness.draining_since = float("inf")
        told = accepted(self.ada, [(f"{n}", self.picture) for n in range(files)], explain="none")
        assert self.opened.executor.join(60.0)
        return uuid.UUID(told["batch_id"])

    def leases(self, lease_s: float) -> Leases:
        return Leases(self.opened.database, self.opened.files, lease_s)

    def work(self, batch_id: uuid.UUID) -> dict[str, Any]:
        self.app.services.readiness.draining_since = None
        self.opened.executor.wake()
        return finished(self.ada, str(batch_id))


@pytest.fixture(scope="module")
def bench(records_app: Application, picture: Callable[..., bytes]) -> Bench:
    return Bench(records_app, picture(width_px=90, height_px=80))


@pytest.fixture(autouse=True)
def at_work_again(bench: Bench) -> Any:
    yield
    bench.app.services.readiness.draining_since = None


def test_of_many_who_take_on_at_once_each_has_files_of_its_own(bench: Bench) -> None:
    batch_id, taken, lock = bench.batch(30), [], threading.Lock()

    def take() -> None:
        while block := bench.leases(LONG_S).claim(4):
            with lock:
                taken.extend(one.position for one in block)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(1, 31))
    bench.ada.call("DELETE", f"/batches/{batch_id}")


def test_what_a_crash_left_is_done_by_another_once(bench: Bench) -> None:
    batch_id = bench.batch(4)
    dead = bench.leases(SHORT_S).claim(3)  # and never heard of again
    time.sleep(2 * SHORT_S)
    done = bench.work(batch_id)
    assert done["done"] == 4
    with pytest.raises(LeaseLost), bench.opened.database.writing() as session:  # unless it was not dead
        settle(session, dead[0], state=DONE, prediction_id=None)
    with pytest.raises(LeaseLost):
        bench.leases(SHORT_S).fail(dead[1], UnreadableInput("late"))
    bench.leases(SHORT_S).put_back(dead[2], 0.0)
    assert bench.ada.get(f"/batches/{batch_id}")["results"] == done["results"]
    records = {one["prediction_id"] for one in done["results"]}
    with bench.opened.database.reading() as session:
        kept = set(map(str, session.scalars(select(Prediction.id).join(BatchItem))))
        assert records <= kept
        of_batch = select(func.count()).select_from(BatchItem).where(BatchItem.batch_id == batch_id)
        assert session.execute(of_batch).scalar_one() == len(records) == 4


def test_a_record_whose_place_is_taken_is_not_kept(bench: Bench) -> None:
    """Who was thought dead comes with its answer late: neither the record nor its files stay."""
    batch_id, opened = bench.batch(1), bench.opened
    total = bench.ada.get("/history")["total"]
    keep, slow = opened.keeping.predict, threading.Event()

    def predict(*given: Any, **named: Any) -> Any:
        if not slow.is_set():
            slow.set()
            with opened.database.writing() as session:  # its lease has ended, and another has begun
                other = update(BatchItem).where(BatchItem.batch_id == batch_id).values(lease=uuid.uuid4())
                session.execute(other)
        return keep(*given, **named)

    folder = bench.app.services.config.data_dir / "files"
    before = len(list(folder.glob("*/*")))
    opened.keeping.predict = predict  # type: ignore[method-assign]
    try:
        bench.app.services.readiness.draining_since = None
        opened.executor.wake()
        assert slow.wait(60.0)
        until = time.monotonic() + 60.0
        while bench.ada.get(f"/batches/{batch_id}")["running"] != 1:
            assert time.monotonic() < until
        bench.app.services.readiness.draining_since = float("inf")
        opened.executor.wake()
        assert opened.executor.join(60.0)
    finally:
        opened.keeping.predict = keep  # type: ignore[method-assign]
    assert bench.ada.get("/history")["total"] == total
    assert len(list(folder.glob("*/*"))) == before
    bench.ada.call("DELETE", f"/batches/{batch_id}")


def test_what_passes_is_tried_again_and_what_kills_is_given_up(bench: Bench) -> None:
    batch_id = bench.batch(2)
    leases, deadly = bench.leases(0.0), ""
    for _ in range(MOST_ATTEMPTS):
        (one,) = leases.claim(1)  # the first file kills whoever takes it on
        deadly = str(one.file_id)
    kept = bench.app.services.config.data_dir / "files" / deadly[:2] / deadly
    assert kept.exists()
    assert deadly in {one["file_id"] for one in bench.ada.get("/auth/export")["files"]}
    late = leases.claim(2)
    assert [one.position for one in late] == [2]
    leases.put_back(late[0], LONG_S)
    assert leases.claim(2) == []
    assert 3000 < (leases.due_in_s() or 0) <= LONG_S
    leases.put_back(late[0], 0.0)
    told = bench.ada.get(f"/batches/{batch_id}")
    assert [one["state"] for one in told["results"]] == ["failed", "waiting"]
    assert told["results"][0]["error"]["code"] == "gave_up"
    assert not kept.exists(), "as it was sent: it is kept no longer than another"
    assert deadly not in {one["file_id"] for one in bench.ada.get("/auth/export")["files"]}
    assert bench.ada.call("DELETE", f"/batches/{batch_id}").status_code == 200


def test_what_was_begun_before_is_taken_on_alone(bench: Bench) -> None:
    """Of a block whose worker was killed any file may be the one that did it."""
    batch_id, leases = bench.batch(5), bench.leases(0.0)
    assert [one.position for one in leases.claim(3)] == [1, 2, 3]
    (first,) = leases.claim(3)
    leases.put_back(first, LONG_S)
    (second,) = leases.claim(3)
    leases.put_back(second, 0.0, counted=False)
    assert (first.position, first.attempts, second.position, second.attempts) == (1, 2, 2, 2)
    bench.ada.call("DELETE", f"/batches/{batch_id}")


def test_accounts_take_turns_however_many_batches_they_have(bench: Bench) -> None:
    ada, bob = bench.ada, person(bench.app)
    many = [bench.batch(2) for _ in range(3)]
    bench.ada = bob
    one = bench.batch(4)
    order = [bench.leases(LONG_S).claim(1)[0].batch_id for _ in range(10)]
    assert order in (
        [many[0], one, many[0], one, many[1], one, many[1], one, many[2], many[2]],
        [one, many[0], one, many[0], one, many[1], one, many[1], many[2], many[2]],
    ), "of an account the oldest first"
    bench.ada = ada
    for who, batch_id in [*((ada, each) for each in many), (bob, one)]:
        who.call("DELETE", f"/batches/{batch_id}")
    assert bench.leases(LONG_S).due_in_s() is None


def test_what_is_finished_counts_for_the_turn(bench: Bench) -> None:
    """Of two accounts, the one with many batches of a file each has no more turns than the other."""
    ada, bob, leases = bench.ada, person(bench.app), bench.leases(LONG_S)
    small = [bench.batch(1) for _ in range(3)]
    bench.ada = bob
    large = bench.batch(3)
    bench.ada = ada
    order = []
    for _ in range(6):
        (found,) = leases.claim(1)
        leases.fail(found, UnreadableInput("x"))  # which finishes a batch of one file
        order.append(found.batch_id)
    assert [order[0::2], order[1::2]] in ([small, [large] * 3], [[large] * 3, small])
    assert leases.due_in_s() is None


def test_an_account_has_so_many_batches_at_a_time(
    make_records_app: Callable[..., Application], tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    app = make_records_app(tmp_path, unfinished_batches=2)
    bench = Bench(app, picture(width_px=90, height_px=80))
    first, sent = bench.batch(1), [("x", bench.picture)]
    accepted(bench.ada, sent, key="second")
    assert bench.opened.executor.join(60.0)
    folder = app.services.config.data_dir / "files"
    before = sorted(folder.glob("*/*"))
    refused = send(bench.ada, sent)
    assert (refused.status_code, refused.get_json()["code"]) == (429, "too_many_batches")
    assert refused.get_json()["error"].startswith("2 batches of this account are not finished, and at most 2 may be;")
    assert refused.headers["Retry-After"] == "30"
    assert sorted(folder.glob("*/*")) == before
    assert send(bench.ada, sent, key="second").status_code == 202, "the one that there is"
    assert send(person(app), sent).status_code == 202, "of another account"
    bench.ada.call("DELETE", f"/batches/{first}")
    assert send(bench.ada, sent).status_code == 202
    assert send(bench.ada, sent).status_code == 429


def test_a_restart_goes_on_with_what_was_left(
    make_records_app: Callable[..., Application], tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    app = make_records_app(tmp_path)
    bench = Bench(app, picture(width_px=90, height_px=80))
    assert not app.services.records.unfinished
    batch_id = bench.batch(2)
    assert app.services.records.unfinished == bench.opened.database.is_sqlite
    app.services.readiness.draining_since = None
    app.services.records.try_to_open()  # as `begin_to_serve` does
    assert finished(bench.ada, str(batch_id))["done"] == 2
    assert not app.services.records.unfinished


def test_who_is_asked_goes_on_with_what_another_began(bench: Bench) -> None:
    batch_id = bench.batch(1)  # of a process that is no more
    bench.app.services.readiness.draining_since = None
    assert finished(bench.ada, str(batch_id))["done"] == 1


def test_a_store_may_be_gone_for_a_quarter_of_an_hour(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    batch_id, waits = bench.batch(1), list[float]()

    def gone(_file_id: uuid.UUID) -> bytes:
        raise RecordsUnavailable("the files cannot be read now")

    def put_back(claimed: Claimed, after_s: float, *, counted: bool = True) -> None:
        waits.append(after_s)
        Leases.put_back(work.leases, claimed, 0.0, counted=counted)

    work = bench.opened.work
    monkeypatch.setattr(bench.opened.files, "get", gone)
    monkeypatch.setattr(work.leases, "put_back", put_back)
    bench.app.services.readiness.draining_since = None
    while work.some():
        pass
    assert waits == [2.0, 16.0, 128.0, 1024.0]
    (told,) = bench.ada.get(f"/batches/{batch_id}")["results"]
    assert told["error"]["code"] == "records_unavailable"


def test_a_passing_fault_is_not_the_files(bench: Bench) -> None:
    batch_id, opened = bench.batch(1), bench.opened
    keep, faults = opened.keeping.predict, [Overloaded("full"), None]

    def predict(*given: Any, **named: Any) -> Any:
        assert given[5].owner == str(given[0].id), "what is left of the answer is its account's"
        if (fault := faults.pop(0)) is not None:
            raise fault
        return keep(*given, **named)

    opened.keeping.predict = predict  # type: ignore[method-assign]
    try:
        assert bench.work(batch_id)["done"] == 1
    finally:
        opened.keeping.predict = keep  # type: ignore[method-assign]
