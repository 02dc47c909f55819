"""Ten times the work that can be done, for a minute: who is answered, how soon, and what it leaves behind.

    python benchmarks/soak_overload.py [--seconds 60] [--factor 10] [--slack 1]

Starts the service, measures what it can do (four clients in turn), then sends `factor` times as many pictures in
each second, from twenty loopback addresses, whatever comes back, and asks /livez ten times a second meanwhile. Bars,
those in seconds times `slack`: accepted p99 within the deadline (30 s); the others 503, p99 within 100 ms; every client
answered; /livez always, within 200 ms; memory of the process tree at most 50 MB above what it was after the first
tenth; a picture answered as before within 2 s of the end. Exit code 1 where one is missed. Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import time
from dataclasses import dataclass, field

from clients import Got, Served, asked, got, ours, percentile, photo, posted, served, tree_megabytes
from serving import free_port

DEADLINE_S, REFUSED_WITHIN_S, LIVE_WITHIN_S, RECOVERS_WITHIN_S = 30.0, 0.1, 0.2, 2.0
GROWS_BY_MB = 50.0
ADDRESSES = [f"127.0.0.{i}" for i in range(2, 22)]


@dataclass
class Seen:
    """What the clients saw."""

    pictures: list[Got] = field(default_factory=list)
    live: list[Got] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    def bars(self, recovery_s: float, slack: float) -> dict[str, bool]:
        """By what was asked: whether it held."""
        accepted = [g.seconds for g in self.pictures if g.status == 200]
        refused = [g.seconds for g in self.pictures if g.status == 503]
        tenth = self.megabytes[len(self.megabytes) // 10]
        p99, late = percentile(accepted, 0.99), percentile(refused, 0.99)
        live = max(g.seconds for g in self.live)
        other = len(self.pictures) - len(accepted) - len(refused)
        print(f"{len(self.pictures)} pictures: {len(accepted)} answered, {len(refused)} refused, {other} other")
        print(f"answered p50 {percentile(accepted, 0.5):.3f} s, p99 {p99:.3f} s")
        print(f"refused p50 {percentile(refused, 0.5):.4f} s, p99 {late:.4f} s, max {max(refused, default=0):.4f} s")
        print(f"/livez {len(self.live)} times, at most {live:.4f} s")
        print(f"memory {self.megabytes[0]:.0f} MB, after a tenth {tenth:.0f}, at most {max(self.megabytes):.0f}")
        print(f"recovery {recovery_s:.2f} s")
        return {
            "accepted within the deadline": p99 <= DEADLINE_S,
            "refused at once": bool(refused) and late <= REFUSED_WITHIN_S * slack,
            "every client answered": other == 0,
            "alive throughout": {g.status for g in self.live} == {200} and live <= LIVE_WITHIN_S * slack,
            "memory flat": max(self.megabytes) - tenth <= GROWS_BY_MB,
            "recovers": recovery_s <= RECOVERS_WITHIN_S * slack,
        }


async def capacity(port: int, sent: bytes, seconds: float) -> tuple[float, float]:
    """Pictures a second with four clients, and how long one takes that is alone."""

    async def client() -> int:
        count = 0
        while time.monotonic() < end:
            count += (await asked(port, sent)).status == 200
        return count

    for _ in range(5):
        await asked(port, sent)
    alone_s = min([(await asked(port, sent)).seconds for _ in range(5)])
    end = time.monotonic() + seconds
    return sum(await asyncio.gather(*(client() for _ in range(4)))) / seconds, alone_s


async def overload(server: Served, sent: bytes, per_s: float, seconds: float, seen: Seen) -> None:
    """So many requests a second, evenly, whatever comes back."""
    addresses, tasks = itertools.cycle(ADDRESSES), []

    async def one() -> None:
        seen.pictures.append(await asked(server.port, sent, next(addresses)))

    async def watch() -> None:
        while True:
            seen.live.append(await asked(server.port, got("/livez")))
            seen.megabytes.append(await asyncio.to_thread(tree_megabytes, server.process.pid))
            await asyncio.sleep(0.1)

    watching = asyncio.create_task(watch())
    began, late_s = time.monotonic(), 0.0
    while (now := time.monotonic() - began) < seconds:
        while len(tasks) < now * per_s:
            tasks.append(asyncio.create_task(one()))
        await asyncio.sleep(0.005)
        late_s = max(late_s, time.monotonic() - began - now - 0.005)
    watching.cancel()
    ended = time.monotonic()
    await asyncio.gather(*tasks)
    print(f"the clients themselves were late by up to {late_s:.3f} s, which their figures hold")
    print(f"the last client had its answer {time.monotonic() - ended:.2f} s after the end")


async def recovery(port: int, sent: bytes, alone_s: float) -> float:
    """Seconds until a picture is answered in at most twice the time that one takes."""
    began = time.monotonic()
    while time.monotonic() - began < DEADLINE_S:
        found = await asked(port, sent)
        if found.status == 200 and found.seconds <= 2 * alone_s + 0.05:
            break
    return time.monotonic() - began


async def measure(server: Served, options: argparse.Namespace) -> dict[str, bool]:
    """All of it."""
    sent, seen = posted(photo()), Seen()
    rate, alone_s = await capacity(server.port, sent, min(5.0, options.seconds))
    print(f"can do {rate:.1f} pictures a second, one alone in {1000 * alone_s:.1f} ms")
    overloading = asyncio.create_task(overload(server, sent, options.factor * rate, options.seconds, seen))
    await asyncio.sleep(options.seconds)
    recovered_s = await recovery(server.port, sent, alone_s)
    await overloading
    return seen.bars(recovered_s, options.slack)


def main() -> int:
    """Print the figures; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--factor", type=float, default=10.0)
    parser.add_argument("--slack", type=float, default=1.0)
    options = parser.parse_args()
    port = free_port()
    with served(ours(port), port) as server:
        bars = asyncio.run(measure(server, options))
    for name, held in bars.items():
        print(f"{'held  ' if held else 'MISSED'} {name}")
    return int(not all(bars.values()))


if __name__ == "__main__":
    sys.exit(main())
