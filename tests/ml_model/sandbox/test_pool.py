"""Reading processes: what crosses the border, what ends them, who takes their place, who waits."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from child_processes import sandbox_questions
from child_processes.sandbox_questions import Break, Compute, Echo, Fail, Fill, Setting, Values, Wait, WhoAnswers

from ml_model.errors import DeadlineExceeded, Overloaded, PoorQuality, ReaderUnavailable, TooCostly, UnreadableInput
from ml_model.sandbox import pool as pool_module
from ml_model.sandbox.pool import PoolLimits, WorkerFault, WorkerPool
from ml_model.sandbox.worker import Cost

MIB = 2**20
LIMITS = PoolLimits(processes=2, at_first=Cost(64 * MIB, 0.2), memory_bytes=256 * MIB, wall_s=10.0, most_waiting=3)


def soon(seconds: float = 30.0) -> float:
    """A deadline."""
    return time.monotonic() + seconds


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    made = WorkerPool(sandbox_questions.__name__, LIMITS)
    yield made
    made.close()


def test_values_come_back_as_they_were_sent(pool: WorkerPool) -> None:
    samples = np.array([[0.1, np.nan], [-np.inf, 1e-45]], np.float32)
    sent = Values(0.1 + 0.2, None, (b"", b"\x00\xff" * 100_000), {"a": -1}, samples)
    found = pool.ask(Echo(sent), soon())
    assert (found.number, found.text, found.data, found.named) == (sent.number, None, sent.data, sent.named)
    assert found.samples.dtype == np.float32
    assert found.samples.tobytes() == samples.tobytes()
    assert pool.ask(Echo(Values(1.0, "µ", (), {}, np.zeros((0, 3), np.float32))), soon()).samples.shape == (0, 3)


def test_a_process_answers_again_until_it_keeps_memory(pool: WorkerPool) -> None:
    processes = [pool.ask(WhoAnswers(), soon()) for _ in range(3)]
    assert processes[0] not in (os.getpid(), None)
    assert len(set(processes)) == 1
    assert pool.ask(WhoAnswers(kept_bytes=60 * MIB), soon()) == processes[0]
    assert pool.ask(WhoAnswers(), soon()) != processes[0]


def test_a_process_is_not_told_the_keys_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_KEY", "DB_PASSWORD", "ORDINARY"):
        monkeypatch.setenv(name, "as it is")
    fresh = WorkerPool(sandbox_questions.__name__, LIMITS)
    try:
        told = [fresh.ask(Setting(name), soon()) for name in ("SECRET_KEY", "DB_PASSWORD", "ORDINARY")]
    finally:
        fresh.close()
    assert told == ["", "", "as it is"]


@pytest.mark.parametrize(
    ("question", "error", "told"),
    [
        (Compute(20.0), TooCostly, "more processor time than a file may"),
        (Fill(1000 * MIB), TooCostly, "more memory than a file may"),
        (Fill(0, announced_bytes=1000 * MIB), TooCostly, r"more memory than a file may \(at most 256 MiB\)"),
        (Break("SIGKILL"), TooCostly, "what this server has"),
        (Break("SIGSEGV"), UnreadableInput, "breaks its decoder"),
        (Fail("PoorQuality", "too µ small"), PoorQuality, "^too µ small$"),
        (Fail("Nothing", "of a patient"), WorkerFault, "^ZeroDivisionError$"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_ends_a_question_is_told_and_the_next_is_answered(
    pool: WorkerPool, question: Compute | Fill | Break | Fail, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told) as caught:
        pool.ask(question, soon())
    assert type(caught.value) is error
    assert pool.ask(Fill(10), soon()) == 10


def test_a_question_that_only_waits_is_ended(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_limits", replace(LIMITS, wall_s=0.5))
    with pytest.raises(TooCostly, match=r"more time than a file may \(at most 0.5 s\)"):
        pool.ask(Wait(20.0), soon())


def test_a_fault_says_where_it_was(pool: WorkerPool) -> None:
    with pytest.raises(WorkerFault) as caught:
        pool.ask(Fail("Nothing", "of a patient"), soon())
    assert caught.value.frames[-1].endswith(" read")


def test_what_was_announced_may_be_used(pool: WorkerPool) -> None:
    assert pool.ask(Compute(0.4, announced_s=1.5), soon()) >= 0.4
    assert pool.ask(Fill(150 * MIB, announced_bytes=200 * MIB), soon()) == 150 * MIB
    with pytest.raises(TooCostly, match="memory"):
        pool.ask(Fill(300 * MIB, announced_bytes=200 * MIB), soon())


def test_the_deadline_ends_what_the_limits_would_allow(pool: WorkerPool) -> None:
    pool.ask(Fill(10), soon())
    with pytest.raises(DeadlineExceeded):
        pool.ask(Wait(1.5), soon(0.5))


def test_large_questions_are_answered_in_turn(pool: WorkerPool) -> None:
    """Two of them would not fit into the memory that all share."""
    began = time.monotonic()
    with ThreadPoolExecutor(3) as threads:
        large = Fill(100 * MIB, announced_bytes=200 * MIB, seconds=0.3)
        found = list(threads.map(lambda _: pool.ask(large, soon()), range(3)))
    assert found == [100 * MIB] * 3
    assert time.monotonic() - began >= 0.9


def test_who_would_wait_too_long_is_told_at_once(pool: WorkerPool) -> None:
    pool.ask(Fill(10), soon())
    with ThreadPoolExecutor(5) as threads:
        waiting = [threads.submit(pool.ask, Wait(1.0), soon()) for _ in range(5)]  # two are served, three wait
        while len(pool._slots._waiting) < 3:
            time.sleep(0.01)
        began = time.monotonic()
        with pytest.raises(Overloaded, match="3 files wait to be read"):
            pool.ask(Fill(10), soon())
        assert time.monotonic() - began < 0.5
        assert [one.result() for one in waiting] == [None] * 5


def test_it_starts_again_when_the_template_was_killed() -> None:
    pool = WorkerPool(sandbox_questions.__name__, LIMITS)
    try:
        pool.ask(Fill(10), soon())
        assert pool._template is not None
        pool._template._process.kill()
        for _ in range(3):
            with pytest.raises(UnreadableInput):
                pool.ask(Break("SIGSEGV"), soon())
        assert pool.ask(Fill(10), soon()) == 10
        assert pool.problem is None
    finally:
        pool.close()


def test_where_no_process_can_be_started_it_says_so() -> None:
    pool = WorkerPool("ml_model.no_such_module", LIMITS)
    try:
        with pytest.raises(ReaderUnavailable, match="no process to read files in can be started"):
            pool.ask(Fill(10), soon())
        assert "no process" in str(pool.problem)
        began = time.monotonic()
        with pytest.raises(ReaderUnavailable):
            pool.ask(Fill(10), soon())
        assert time.monotonic() - began < 5.0
    finally:
        pool.close()


def test_without_forking_a_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "FORKS", False)
    pool = WorkerPool(sandbox_questions.__name__, PoolLimits(processes=1, wall_s=3.0))
    try:
        first = pool.ask(WhoAnswers(), soon())
        assert pool.ask(WhoAnswers(), soon()) == first
        with pytest.raises(TooCostly, match="more time"):
            pool.ask(Wait(30.0), soon())
        assert pool.ask(WhoAnswers(), soon()) != first
    finally:
        pool.close()
