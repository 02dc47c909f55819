"""The parsers' part of a campaign: processes that examine cases, watched by one that outlives them."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import defaultdict
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection, wait
from typing import Any

from fuzzing.cases import Case
from fuzzing.summary import Tally, write_finding
from fuzzing.targets import PARSERS, Outcome, examined

_HANGS_AFTER_S = 120.0  # by the clock: a parser that another one's machine keeps waiting is not to blame
_TELLS_EVERY_S = 60.0


def examine_cases(link: Connection, seed: int, first: dict[str, int], budget_s: float) -> None:
    """A process: cases of each format in turn, the least served one next, for so many seconds of computing."""
    spent_s = dict.fromkeys(first, 0.0)
    following = {family: count(start) for family, start in first.items()}
    while _computed_s() < budget_s:
        family = min(spent_s, key=lambda one: spent_s[one])
        started_s = _computed_s()
        case = Case(seed, family, next(following[family]))
        upload = case.upload()
        link.send((str(case), None, _computed_s()))
        link.send((str(case), examined(case, upload), _computed_s()))
        spent_s[family] += _computed_s() - started_s
    link.send(("", None, _computed_s()))


def _computed_s() -> float:
    """With the processes that it waited for."""
    return sum(os.times()[:4])


@dataclass
class _Watched:
    """One process and what it told."""

    seed: int
    budget_s: float
    first: dict[str, int]
    current: str = ""
    since: float = 0.0
    spent_s: float = 0.0  # of computing, in the processes before this one
    told_s: float = 0.0  # and in this one
    is_done: bool = False

    def start(self) -> None:
        self.link, theirs = multiprocessing.Pipe(duplex=False)
        arguments = (theirs, self.seed, self.first, self.budget_s - self.spent_s)
        self.process = multiprocessing.get_context("spawn").Process(target=examine_cases, args=arguments)
        self.process.start()
        theirs.close()
        self.since = time.monotonic()

    def hear(self, tallies: dict[str, Tally]) -> None:
        """Take one message. Raises EOFError when the process has died."""
        told, outcome, self.told_s = self.link.recv()
        self.current, self.since = told, time.monotonic()
        self.is_done = not told
        if isinstance(outcome, Outcome):
            case, self.current = Case.named(told), ""
            self.first[case.family] = case.index + 1
            end = outcome.refused or "answered"
            tallies[case.family].add(case, end, outcome.computing_s, outcome.fault)
            if outcome.fault:
                write_finding(case, case.upload(), "parsers", outcome.fault)

    def restart(self, tallies: dict[str, Tally], fault: str) -> None:
        """After a process that died or hangs: what it was at is the finding."""
        self.process.kill()
        self.process.join()
        self.link.close()
        if not self.current:
            raise RuntimeError(f"a fuzzing process ended between cases: {fault}")
        case = Case.named(self.current)
        tallies[case.family].add(case, "lost", time.monotonic() - self.since, fault)
        write_finding(case, case.upload(), "parsers", fault)
        self.first[case.family] = case.index + 1
        self.spent_s += self.told_s
        self.told_s, self.current = 0.0, ""
        self.start()


def fuzz_parsers(seed: int, processes: int, budget_s: float, only: str = "") -> tuple[dict[str, Tally], float]:
    """Tallies by format, and the seconds of computing that were spent. only: how names of formats begin."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    first = dict.fromkeys((family for family in PARSERS if family.startswith(only)), 0)
    watched = [_Watched(seed + n, budget_s / processes, first.copy()) for n in range(processes)]
    for one in watched:
        one.start()
    told = time.monotonic()
    while running := [one for one in watched if not one.is_done]:
        ready: list[Any] = wait([one.link for one in running], timeout=1)
        for one in running:
            if one.link in ready:
                try:
                    one.hear(tallies)
                except EOFError:
                    one.process.join()
                    one.restart(tallies, f"the process died with status {one.process.exitcode}")
            elif one.current and time.monotonic() - one.since > _HANGS_AFTER_S:
                one.restart(tallies, f"no end after {_HANGS_AFTER_S:.0f} s")
        if time.monotonic() - told > _TELLS_EVERY_S:
            told = time.monotonic()
            print(f"parsers: {sum(tally.ends.total() for tally in tallies.values())} cases", flush=True)
    for one in watched:
        one.process.join()
        one.link.close()
    return tallies, sum(one.spent_s + one.told_s for one in watched)
