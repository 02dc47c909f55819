"""The HTTP part of a campaign: every format sent to a server process of its own."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from child_processes.processes import Service
from fuzzing.cases import FAMILIES, Case
from fuzzing.requests import BUSY, MULTIPART, Sent, multipart, reply_fault, request_of
from fuzzing.seeds import Upload, seeds
from fuzzing.summary import Tally, write_finding
from hostile.costly_pictures import png

SLOW_S = 2.0
_TIMES_A_SEED = 5  # or so many times what a whole file of the format takes at that moment: the machine may be busy
BACK_WITHIN_MIB = 50.0
_CLIENTS, _TRIES, _SETTLE_S = 2, 3, 20.0
_FILLS, SIDE_PX = 450, 300  # pictures whose heatmaps fill 64 MiB
_MANY = 2000  # requests, from which on memory is compared


def tree_mib(pid: int) -> float:
    """Resident memory of a process and of all that it started; 0 where the kernel does not tell."""
    total, waiting = 0.0, [pid]
    while waiting:
        folder = Path("/proc", str(waiting.pop()))
        try:
            text = (folder / "status").read_text(encoding="utf-8")
            for task in (folder / "task").iterdir():
                waiting += map(int, (task / "children").read_text(encoding="utf-8").split())
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += int(text.partition("VmRSS:")[2].split(maxsplit=1)[0]) / 1024 if "VmRSS:" in text else 0
    return total


def post(service: Service, sent: Sent) -> tuple[int, str | None, float]:
    """Status, code of a refusal, and seconds. A connection that breaks reads as status 0."""
    started = time.monotonic()
    connection = service.connect()
    try:
        connection.request("POST", sent.path, sent.body, {"Content-Type": sent.content_type})
        reply = connection.getresponse()
        code = json.loads(reply.read()).get("code")
        return reply.status, code, time.monotonic() - started
    except (OSError, http.client.HTTPException, ValueError) as error:
        return 0, type(error).__name__, time.monotonic() - started
    finally:
        connection.close()


def _limit_s(service: Service, case: Case) -> float:
    whole = request_of(Case(0, case.family, 0), seeds(case.family)[0])
    return max(SLOW_S, _TIMES_A_SEED * post(service, whole)[2])


def _play(service: Service, case: Case, upload: Upload) -> tuple[str, float, str | None]:
    """How a case ended, its seconds, what was wrong. What is slow is slow each time that it is tried."""
    sent = request_of(case, upload)
    status, code, wall_s = post(service, sent)
    fault = reply_fault(status, code)
    for _ in range(_TRIES - 1):
        if fault or wall_s <= SLOW_S:
            break
        status, code, again_s = post(service, sent)
        fault, wall_s = reply_fault(status, code), min(wall_s, again_s)
    if fault is None and wall_s > SLOW_S and wall_s > _limit_s(service, case):
        fault = f"took {wall_s:.1f} s, status {status} {code}"
    end = code if code in BUSY else f"{status // 100}xx"
    return end, wall_s, fault


def _cases(seed: int, requests: int) -> Iterator[Case]:
    numbers = count()
    for _ in range(requests):
        number = next(numbers)
        yield Case(seed, FAMILIES[number % len(FAMILIES)], number // len(FAMILIES))


def _warm(service: Service) -> None:
    """Caches and pools fill once."""
    for _ in range(3):
        for family in FAMILIES:
            for index, upload in enumerate(seeds(family)):
                post(service, request_of(Case(0, family, index), upload))


def _fill(service: Service) -> None:
    """What is kept of answered pictures, to its limit: memory afterwards is held against memory that is full."""
    for index in range(_FILLS):
        body = multipart(("image", "picture.png", png(SIDE_PX, SIDE_PX, 8, 2, noise=0.01 + index / 1e5)))
        post(service, Sent("/analyze/skin?gate=warn", body, MULTIPART))


def _settled_mib(service: Service, most_mib: float) -> float:
    """Memory of the server's processes, once it is below `most_mib` or after some time."""
    until = time.monotonic() + _SETTLE_S
    while (held := tree_mib(service.process.pid)) > most_mib and time.monotonic() < until:
        time.sleep(0.5)
    return held


def fuzz_server(seed: int, requests: int) -> tuple[dict[str, Tally], str, bool]:
    """Tallies by format; a line on memory; whether the memory came back."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    service = Service({"LOG": "off"})
    try:
        service.wait_ready()
        _warm(service)
        if requests >= _MANY:
            _fill(service)
        before = _settled_mib(service, 0.0)
        taking, cases, peak = threading.Lock(), _cases(seed, requests), [before]

        def client() -> None:
            while True:
                with taking:
                    case = next(cases, None)
                if case is None or service.process.poll() is not None:
                    return
                end, wall_s, fault = _play(service, case, upload := case.upload())
                with taking:
                    peak[0] = max(peak[0], tree_mib(service.process.pid))
                    tallies[case.family].add(case, end, wall_s, fault)
                if fault:
                    write_finding(case, upload, "http", fault)

        clients = [threading.Thread(target=client) for _ in range(_CLIENTS)]
        for one in clients:
            one.start()
        for one in clients:
            one.join()
        alive = service.process.poll() is None
        after = _settled_mib(service, before + BACK_WITHIN_MIB) if alive else 0.0
    finally:
        service.process.terminate()
        service.wait()
    line = f"server: {before:.0f} MiB before, {peak[0]:.0f} at most, {after:.0f} afterwards; alive: {alive}"
    return tallies, line, alive and after <= before + BACK_WITHIN_MIB
