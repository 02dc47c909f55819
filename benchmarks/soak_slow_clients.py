"""Two hundred connections that dribble: whether the others notice.

    python benchmarks/soak_slow_clients.py [--seconds 30] [--slack 1]

Starts the service and sends pictures one after the other, first alone, then beside 200 connections that send a byte of
a header a second and come again when they are ended, from another loopback address and then from the pictures' own.
Bars: every picture answered, median and p90 at most 1.25 times what they were alone, times `slack`; SIGTERM beside the
dribblers ends the process within 10 s. Exit code 1 where one is missed. Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from clients import Got, Served, asked, dribblers, ours, percentile, photo, posted, served
from serving import free_port

COUNT, RATIO_BAR, STOPS_WITHIN_S = 200, 1.25, 10.0


async def pictures(port: int, sent: bytes, seconds: float) -> list[Got]:
    """What one client gets that sends picture after picture."""
    end, found = time.monotonic() + seconds, []
    while time.monotonic() < end:
        found.append(await asked(port, sent))
    return found


def quartet(found: list[Got]) -> tuple[int, int, float, float]:
    """How many, how many of them not answered, median and p90 in seconds."""
    seconds = [g.seconds for g in found]
    return len(found), sum(g.status != 200 for g in found), percentile(seconds, 0.5), percentile(seconds, 0.9)


async def measure(server: Served, seconds: float, slack: float) -> list[bool]:
    """Whether each bar was held."""
    sent, bars = posted(photo()), []
    await pictures(server.port, sent, 1.0)
    for source in ("127.0.0.2", "127.0.0.1"):
        alone = quartet(await pictures(server.port, sent, seconds / 4))
        slow = await dribblers(server.port, source, COUNT)
        beside = quartet(await pictures(server.port, sent, seconds / 4))
        ratio = max(beside[2] / alone[2], beside[3] / alone[3])
        print(f"{source}: alone {alone[0]} pictures, median {alone[2] * 1000:.1f} ms, p90 {alone[3] * 1000:.1f}; with "
              f"{COUNT} dribblers {beside[0]}, {beside[1]} not answered, {beside[2] * 1000:.1f}, p90 "
              f"{beside[3] * 1000:.1f}; ratio {ratio:.2f}")  # fmt: skip
        bars.append(beside[1] == 0 and ratio <= RATIO_BAR * slack)
        if source == "127.0.0.1":
            began = time.monotonic()
            server.process.terminate()
            await asyncio.to_thread(server.process.wait, 60)
            print(f"ended {time.monotonic() - began:.2f} s after SIGTERM")
            bars.append(time.monotonic() - began <= STOPS_WITHIN_S)
        for task in slow:
            task.cancel()
    return bars


def main() -> int:
    """Print the figures; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--slack", type=float, default=1.0)
    options = parser.parse_args()
    port = free_port()
    with served(ours(port), port) as server:
        return int(not all(asyncio.run(measure(server, options.seconds, options.slack))))


if __name__ == "__main__":
    sys.exit(main())
