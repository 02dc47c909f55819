"""Which server stands before the application: waitress, gunicorn (gthread) and granian by their settings, or ours.

    python benchmarks/servers.py [--runs 200] [--seconds 5]

Those that are installed, each with four threads, the same application and the same requests. For each: start to
ready; the median time of a picture over a kept connection, in turn with all the others, as a ratio to ours; how many of
the pictures sent beside 200 dribbling connections (a byte of a header a second, from 127.0.0.2) were answered within
5 s; /livez beside 40 clients that send pictures; how long SIGTERM takes beside one dribbling upload (at most 60 s).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import importlib.util
import signal
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

from clients import BOUNDARY, Served, asked, dribblers, got, ours, percentile, photo, posted, served
from serving import free_port

DRIBBLERS, OVERLOADING, GIVES_UP_S, STOP_GIVES_UP_S = 200, 40, 5.0, 60.0
PROGRAM = "from backend.wsgi import application; import waitress; waitress.serve(application(), port={port}, threads=4)"


def candidates() -> dict[str, list[str]]:
    """The command of each server that is installed, by name; {port} is to be filled in."""
    python, module = sys.executable, "backend.wsgi:application()"
    found = {
        "waitress": [python, "-c", PROGRAM],
        "gunicorn": [python, "-m", "gunicorn", "-k", "gthread", "--threads", "4", "-b", "127.0.0.1:{port}", module],
        "granian": [python, "-m", "granian", "--interface", "wsgi", "--blocking-threads", "4", "--port", "{port}",
                    "--backpressure", "64", "--factory", "backend.wsgi:application"],
    }  # fmt: skip
    return {name: command for name, command in found.items() if importlib.util.find_spec(name)}


@dataclass
class Figures:
    """Of one server; times in seconds."""

    start_s: float
    pictures_s: list[float] = field(default_factory=list)
    beside_dribblers: str = ""
    live_under_load: str = ""
    stop_s: float = 0.0


def timed(connection: http.client.HTTPConnection, body: bytes) -> float:
    """Seconds of one picture on a kept connection."""
    began = time.perf_counter()
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    connection.request("POST", "/analyze/skin", body, headers)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}")
    return time.perf_counter() - began


def in_turn(servers: dict[str, Served], figures: dict[str, Figures], runs: int) -> None:
    """A picture of each server in turn, so that what the machine does beside them meets all alike."""
    body = posted(photo()).partition(b"\r\n\r\n")[2]
    with ExitStack() as stack:
        links = {}
        for name, server in servers.items():
            link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            links[name] = stack.enter_context(contextlib.closing(link))
        for run in range(runs + 10):
            for name, link in links.items():
                seconds = timed(link, body)
                if run >= 10:
                    figures[name].pictures_s.append(seconds)


async def pressed(server: Served, figures: Figures, seconds: float) -> None:
    """Slow clients, then too many."""
    sent = posted(photo())
    slow = await dribblers(server.port, "127.0.0.2", DRIBBLERS)
    found = [await asked(server.port, sent, within_s=GIVES_UP_S) for _ in range(5)]
    for task in slow:
        task.cancel()
    figures.beside_dribblers = f"{sum(g.status == 200 for g in found)} of {len(found)}"
    await asyncio.sleep(1)
    end = time.monotonic() + seconds

    async def press() -> None:
        while time.monotonic() < end:
            await asked(server.port, sent)

    pressing, live = [asyncio.create_task(press()) for _ in range(OVERLOADING)], []
    while time.monotonic() < end:
        live.append(await asked(server.port, got("/livez"), within_s=GIVES_UP_S))
        await asyncio.sleep(0.1)
    await asyncio.gather(*pressing)
    alive = [g.seconds for g in live]
    figures.live_under_load = f"p50 {1000 * percentile(alive, 0.5):.0f} ms, max {1000 * max(alive):.0f} ms"


async def stopped(server: Served) -> float:
    """Seconds from SIGTERM to the end beside an upload that goes on and on."""
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(posted(photo())[:1000])
    await asyncio.sleep(0.5)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    while server.process.poll() is None and time.monotonic() - began < STOP_GIVES_UP_S:
        with contextlib.suppress(OSError):
            writer.write(b"a")
        await asyncio.sleep(0.2)
    writer.close()
    return time.monotonic() - began


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    servers: dict[str, Served] = {}
    figures: dict[str, Figures] = {}
    with ExitStack() as stack:
        for name, command in {"ours": ours(0), **candidates()}.items():
            port = free_port()
            filled = ours(port) if name == "ours" else [part.replace("{port}", str(port)) for part in command]
            servers[name] = stack.enter_context(served(filled, port))
            figures[name] = Figures(servers[name].start_s)
        in_turn(servers, figures, options.runs)
        for name, server in servers.items():
            asyncio.run(pressed(server, figures[name], options.seconds))
            with contextlib.suppress(subprocess.TimeoutExpired):
                figures[name].stop_s = asyncio.run(stopped(server))
    usual = statistics.median(figures["ours"].pictures_s)
    print("| server | start to ready | a picture, ratio | beside 200 dribblers | /livez beside 40 clients | stop |")
    print("|---|---|---|---|---|---|")
    for name, one in figures.items():
        ratio = statistics.median(one.pictures_s) / usual
        print(f"| {name} | {one.start_s:.1f} s | {ratio:.2f} | {one.beside_dribblers} | {one.live_under_load} | "
              f"{one.stop_s:.1f} s |")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
